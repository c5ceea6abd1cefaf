"""Searches messages in all inboxes of the key, or in one (contract, "Endpoints")."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from gateway.api.mailboxkit.errors import fields
from gateway.api.mailboxkit.file_links import file_links
from gateway.api.mailboxkit.ids import Id, ref_of
from gateway.api.mailboxkit.listing import PageQuery, Rows, listed, window_of
from gateway.api.mailboxkit.message_view import MessageView, message_view
from gateway.api.routing import Call, Table
from gateway.api.times import parse_day
from gateway.core.access import reads
from gateway.core.errors import Invalid
from gateway.core.mail.search import search_messages
from gateway.store.listing import Filter

table = Table("messages")

Doc = msgspec.Meta
_DATE = "a day, YYYY-MM-DD, in UTC; a time of day may follow it"


class SearchBody(msgspec.Struct, kw_only=True):
    """What to search for."""

    query: Annotated[
        str, Doc(description='words that a message must contain; "words in quotes" must follow each other')
    ]
    inbox_id: Annotated[Id | None, Doc(description="only in this inbox")] = None
    fields: Annotated[
        list[Literal["subject", "body"]] | None,
        Doc(description="search only in these; default: also in names and addresses"),
    ] = None
    date_from: Annotated[str | None, Doc(description=f"first day: {_DATE}")] = None
    date_to: Annotated[str | None, Doc(description=f"last day (inclusive): {_DATE}")] = None
    page: Annotated[Any, Doc(description="as in the query string")] = None
    per_page: Annotated[Any, Doc(description="as in the query string")] = None


@table.post("/messages/search", access=reads("message_read"))
async def search(call: Call[SearchBody, PageQuery]) -> Rows[MessageView]:
    """Search messages, sent and received, newest first."""
    body, asked = call.body, call.query
    window = window_of(
        PageQuery(
            page=asked.page if body.page is None else body.page,
            per_page=asked.per_page if body.per_page is None else body.per_page,
        )
    )
    first, last = parse_day(body.date_from, "date_from"), parse_day(body.date_to, "date_to", last=True)
    if first is not None and last is not None and first > last:
        raise Invalid(
            "date_from is after date_to", field="date_from", fix="give the earlier day as date_from"
        )
    with fields(q="query"):
        found = await search_messages(
            call.core,
            call.scope,
            None if body.inbox_id is None else ref_of(body.inbox_id),
            body.query,
            Filter(after=None if first is None else first - 1, before=None if last is None else last + 1),
            window,
            "newest",
            within=body.fields or (),
            texts=True,
        )
    links = file_links(call)
    return listed(call, window, found, lambda mail: message_view(mail, links))
