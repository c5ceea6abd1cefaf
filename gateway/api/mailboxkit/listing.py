"""Wraps answers (contract, "Conventions"): ``{"data": …}``; pages of lists with ``meta`` and ``links``.

::

    @table.get("/inboxes")
    async def list_inboxes(call: Call[NoBody, PageQuery]) -> Rows[InboxView]:
        window = window_of(call.query)
        return listed(call, window, await inboxes.list_inboxes(call.core, call.scope, window), inbox_view)

Paging parameters are never refused: what is not a number counts as absent, a ``per_page`` over 100 as 100, and a page
after the last one is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec

from gateway.api.query import whole_number
from gateway.api.routing import Call
from gateway.api.times import to_seconds
from gateway.store.listing import Listing, Window

DEFAULT_PER_PAGE = 15
MAX_PER_PAGE = 100
MAX_PAGE = 10**13
_YES = frozenset({"1", "true", "on", "yes"})

Item = TypeVar("Item")
Shown = TypeVar("Shown")


def _doc(description: str, **schema: Any) -> msgspec.Meta:
    return msgspec.Meta(
        description=description, extra_json_schema={"type": "integer", "minimum": 1, **schema}
    )


class PageQuery(msgspec.Struct, kw_only=True):
    """Query parameters of every list."""

    # Any: a word here must not be an error
    page: Annotated[Any, _doc("page number, from 1")] = 1
    per_page: Annotated[Any, _doc("items on a page, at most 100", maximum=MAX_PER_PAGE)] = DEFAULT_PER_PAGE


class MailQuery(PageQuery, kw_only=True):
    """Query parameters of a list of messages or threads."""

    # Any: a word here must not be an error
    include_unauthenticated: Annotated[
        Any,
        msgspec.Meta(
            description="true: include messages that failed DMARC", extra_json_schema={"type": "boolean"}
        ),
    ] = False

    @property
    def include(self) -> frozenset[str]:
        """The hidden labels to include."""
        return frozenset({"unauthenticated"} if str(self.include_unauthenticated).lower() in _YES else ())


class Data(msgspec.Struct, Generic[Item]):
    """A single object."""

    data: Item


class Meta(msgspec.Struct):
    """The numbers of a page; ``total`` counts all items of the list."""

    current_page: int
    last_page: int
    per_page: int
    total: int


class MailMeta(Meta):
    """``unauthenticated_count``: how many messages that failed DMARC are left out; absent when none."""

    unauthenticated_count: int | msgspec.UnsetType = msgspec.UNSET


class Links(msgspec.Struct):
    """Absolute URLs of other pages; null when there is none."""

    first: str
    last: str
    prev: str | None
    next: str | None


class Rows(msgspec.Struct, Generic[Item]):
    """One page of a list."""

    data: list[Item]
    meta: Meta
    links: Links


class MailRows(msgspec.Struct, Generic[Item]):
    """One page of a list of messages or threads."""

    data: list[Item]
    meta: MailMeta
    links: Links


def window_of(query: PageQuery, *, ascending: bool = False) -> Window:
    """The window for core's lists. ``ascending``: the list's order is oldest first."""
    per_page = min(whole_number(query.per_page) or DEFAULT_PER_PAGE, MAX_PER_PAGE)
    page = min(whole_number(query.page) or 1, MAX_PAGE)
    return Window(per_page, (page - 1) * per_page, None, ascending)


def listed(
    call: Call[Any, Any], window: Window, listing: Listing[Shown], render: Callable[[Shown], Item]
) -> Rows[Item]:
    """The body of a page. ``window``: from ``window_of``."""
    page, last = window.offset // window.limit + 1, max(1, -(-listing.total // window.limit))

    def link(number: int) -> str:
        kept = [pair for pair in _query(call) if pair[0] not in ("page", "per_page")]
        query = urlencode([*kept, ("page", number), ("per_page", window.limit)])
        return f"{call.public_url}{_path(call)}?{query}"

    return Rows(
        [render(item) for item in listing.rows],
        Meta(page, last, window.limit, listing.total),
        Links(
            first=link(1),
            last=link(last),
            prev=link(min(page - 1, last)) if page > 1 else None,
            next=link(page + 1) if page < last else None,
        ),
    )


def listed_mail(
    call: Call[Any, Any], window: Window, listing: Listing[Shown], render: Callable[[Shown], Item]
) -> MailRows[Item]:
    """The body of a page of messages or threads, with ``unauthenticated_count``."""
    page = listed(call, window, listing, render)
    meta = MailMeta(
        **msgspec.structs.asdict(page.meta), unauthenticated_count=listing.unauthenticated or msgspec.UNSET
    )
    return MailRows(page.data, meta, page.links)


def _path(call: Call[Any, Any]) -> str:
    raw: bytes | None = call.request.scope.get("raw_path")
    path = raw.partition(b"?")[0].decode("latin-1") if raw is not None else call.request.url.path
    return path


def _query(call: Call[Any, Any]) -> list[tuple[str, str]]:
    raw: bytes = call.request.scope["query_string"]
    return parse_qsl(raw.decode("latin-1"), keep_blank_values=True, errors="replace")


def shown_time(us: int | None) -> str | None:
    """``2026-02-20T12:00:00Z``; None for None."""
    return None if us is None else to_seconds(us)
