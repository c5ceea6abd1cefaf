"""Inboxes (contract, "Endpoints"). ``{inbox_id}``: an inbox's id in any form, or its address."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.api.mailboxkit.errors import fields
from gateway.api.mailboxkit.idempotency import own_id
from gateway.api.mailboxkit.listing import Data, PageQuery, Rows, listed, window_of
from gateway.api.mailboxkit.resource_views import InboxView, inbox_view
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION_OR_POD, changes, reads
from gateway.core.errors import Invalid, Missing
from gateway.core.inboxes import inboxes
from gateway.core.sending.pauses import paused_among
from gateway.core.text import clean_text

table = Table("inboxes")

Doc = msgspec.Meta
MAX_NAME = 255


class CreateInbox(msgspec.Struct):
    """An inbox to make."""

    name: Annotated[str, Doc(description="shown as the sender's name")]
    email: Annotated[
        str | None,
        Doc(
            description="its address, on a domain of yours or the server's; default: a random one on the server's"
        ),
    ] = None


@table.post("/inboxes", status=201, access=changes("inbox_create", kinds=ORGANIZATION_OR_POD))
async def create_inbox(call: Call[CreateInbox, NoQuery]) -> Data[InboxView]:
    """Create an inbox: a real mailbox on the mail server."""
    username, domain = _address(call.body.email)
    with fields("email", username="email", domain="email", display_name="name"):
        saved = await inboxes.create(
            call.core,
            call.scope,
            inboxes.NewInbox(
                username=username,
                domain=domain,
                display_name=required_name(call.body.name),
                client_id=own_id(call),
            ),
        )
    return Data(inbox_view(saved.inbox))


@table.get("/inboxes", access=reads("inbox_read"))
async def list_inboxes(call: Call[NoBody, PageQuery]) -> Rows[InboxView]:
    """List inboxes, newest first."""
    window = window_of(call.query)
    found = await inboxes.list_inboxes(call.core, call.scope, window)
    paused = await paused_among(call.core, found.rows)
    return listed(call, window, found, lambda row: inbox_view(row, paused.get(row.id, ())))


@table.get("/inboxes/{inbox_id}", access=reads("inbox_read"))
async def get_inbox(call: Call[NoBody, NoQuery]) -> Data[InboxView]:
    """Get an inbox."""
    inbox = await inboxes.get(call.core, call.scope, call.ids["inbox_id"])
    paused = await paused_among(call.core, [inbox])
    return Data(inbox_view(inbox, paused.get(inbox.id, ())))


@table.delete("/inboxes/{inbox_id}", access=changes("inbox_delete"))
async def delete_inbox(call: Call[NoBody, NoQuery]) -> None:
    """Delete an inbox and all its messages."""
    await inboxes.delete(call.core, call.scope, call.ids["inbox_id"])


def required_name(text: str) -> str:
    """A required name, without surrounding blanks. Raises Invalid."""
    name = clean_text(text, "name", MAX_NAME)
    if not name:
        raise Missing("name")
    return name


def _address(email: str | None) -> tuple[str | None, str | None]:
    """Local part and domain. Raises Invalid."""
    if email is None:
        return None, None
    username, at, domain = email.strip().partition("@")
    if not username or not at or not domain:
        raise Invalid(
            "email is not an address", field="email", fix="write support@yourdomain.com, or leave email out"
        )
    return username, domain
