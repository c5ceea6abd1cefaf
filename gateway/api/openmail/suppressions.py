"""Suppressions: whom the account does not write to any more (contract §11).

Upstream keeps them in its dashboard; the routes are ours, for account-wide keys.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from gateway.api.openmail.offset_paging import OffsetQuery, Page, page, window_of
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.api.times import iso_of
from gateway.core.access import ORGANIZATION, changes, reads
from gateway.core.sending import suppressions
from gateway.records.ids import MESSAGE_ID
from gateway.records.suppressions import Suppression

table = Table("suppressions")

Doc = msgspec.Meta
Type = Literal["bounce", "complaint", "unsub"]


class NewSuppression(msgspec.Struct):
    """An address to suppress."""

    address: Annotated[str, Doc(description="name@example.com; case does not matter")]
    type: Type = "unsub"
    reason: str | None = None


class SuppressionsQuery(OffsetQuery):
    type: Type | None = None


class SuppressionView(msgspec.Struct, rename="camel"):
    """A suppressed address. ``messageId``: the mail that led to it; null when it was added by hand."""

    address: str
    type: str
    reason: str | None
    message_id: str | None
    created_at: str


def suppression_view(entry: Suppression) -> SuppressionView:
    return SuppressionView(
        address=entry.address,
        type=entry.type,
        reason=entry.reason,
        message_id=MESSAGE_ID.public(entry.message_id),
        created_at=iso_of(entry.created_at),
    )


@table.get("/suppressions", access=reads("list_entry_read", kinds=ORGANIZATION))
async def list_suppressions(call: Call[NoBody, SuppressionsQuery]) -> Page[SuppressionView]:
    """List suppressed addresses, newest first."""
    found = await suppressions.list_suppressions(
        call.core, call.scope, window_of(call.query), type=call.query.type
    )
    return page(found, suppression_view)


@table.post("/suppressions", status=201, access=changes("list_entry_create", kinds=ORGANIZATION))
async def create_suppression(call: Call[NewSuppression, NoQuery]) -> SuppressionView:
    """Suppress an address. One that is there already is answered with 200; the graver type is kept."""
    body = call.body
    entry, new = await suppressions.add(call.core, call.scope, body.address, body.type, reason=body.reason)
    if not new:
        call.status = 200
    return suppression_view(entry)


@table.get("/suppressions/{address}", access=reads("list_entry_read", kinds=ORGANIZATION))
async def get_suppression(call: Call[NoBody, NoQuery]) -> SuppressionView:
    """Get a suppressed address."""
    return suppression_view(await suppressions.get(call.core, call.scope, call.ids["address"]))


@table.delete("/suppressions/{address}", access=changes("list_entry_delete", kinds=ORGANIZATION))
async def delete_suppression(call: Call[NoBody, NoQuery]) -> None:
    """Take an address off the list: it may be written to again."""
    await suppressions.remove(call.core, call.scope, call.ids["address"])
