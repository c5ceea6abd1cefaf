"""Paging by ``limit`` and ``offset``, and the body of a list: ``{"data": [...], "total": n}`` (contract §1).

::

    @table.get("/pods")
    async def list_pods(call: Call[NoBody, OffsetQuery]) -> Page[PodView]:
        return page(await pods.list_pods(call.core, call.scope, window_of(call.query)), pod_view)

Paging never refuses: a ``limit`` that is no whole number of at least 1 counts as absent (50), one over 100 as
100; an ``offset`` that is no whole number counts as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec

from gateway.api.query import whole_number
from gateway.store.listing import Listing, Window

DEFAULT_LIMIT = 50
MAX_LIMIT = 100
MAX_OFFSET = 10**15

Doc = msgspec.Meta
Item = TypeVar("Item")
Shown = TypeVar("Shown")


def _doc(description: str, **schema: Any) -> msgspec.Meta:
    return msgspec.Meta(description=description, extra_json_schema={"type": "integer", **schema})


class OffsetQuery(msgspec.Struct, kw_only=True):
    """Query parameters of every list; a list with filters adds its own by inheriting."""

    # read as text: a word here must not be an error
    limit: Annotated[Any, _doc("rows to answer, clamped to 100", minimum=1, maximum=MAX_LIMIT)] = (
        DEFAULT_LIMIT
    )
    offset: Annotated[Any, _doc("rows to skip", minimum=0)] = 0


class Page(msgspec.Struct, Generic[Item]):
    """One page; ``total`` counts every row of the list."""

    data: list[Item]
    total: int


class MailQuery(OffsetQuery, kw_only=True):
    """Query parameters of a list of mail."""

    include_unauthenticated: Annotated[
        Literal["true", "false"] | None, Doc(description="show mail that failed DMARC too")
    ] = None

    @property
    def include(self) -> frozenset[str]:
        """The hidden labels that are to be shown."""
        return frozenset({"unauthenticated"} if self.include_unauthenticated == "true" else ())


class MailPage(Page[Item], Generic[Item], rename="camel"):
    """One page of mail; ``unauthenticatedCount``: messages of the inbox that failed DMARC, which are left out; absent
    where none did."""

    unauthenticated_count: int | msgspec.UnsetType = msgspec.UNSET


def window_of(query: OffsetQuery, *, ascending: bool = False) -> Window:
    """The window that core's lists take. ``ascending``: the list's own order is oldest first."""
    limit = whole_number(query.limit)
    return Window(
        limit=DEFAULT_LIMIT if limit is None or limit < 1 else min(limit, MAX_LIMIT),
        offset=min(whole_number(query.offset) or 0, MAX_OFFSET),
        ascending=ascending,
    )


def page(listing: Listing[Shown], render: Callable[[Shown], Item]) -> Page[Item]:
    """The body of a list."""
    return Page([render(row) for row in listing.rows], listing.total)


def mail_page(listing: Listing[Shown], render: Callable[[Shown], Item]) -> MailPage[Item]:
    """The body of a list of mail."""
    return MailPage(
        [render(row) for row in listing.rows], listing.total, listing.unauthenticated or msgspec.UNSET
    )
