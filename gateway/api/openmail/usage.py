"""Usage by inbox, over a window of time (contract §2, branch feat/usage-api)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from gateway.api.routing import Call, NoBody, Table
from gateway.api.times import iso_of, parse_time
from gateway.core.access import reads
from gateway.core.accounts import metering
from gateway.core.accounts.metering import Metered
from gateway.records.ids import INBOX_ID

table = Table("usage")

Doc = msgspec.Meta
Group = Literal["inbox", "account"]


class UsageQuery(msgspec.Struct, rename={"start": "from", "end": "to"}):
    start: Annotated[str | None, Doc(description="ISO 8601, included; default: 30 days before to")] = None
    end: Annotated[str | None, Doc(description="ISO 8601, excluded; default: now; 92 days at most")] = None
    group_by: Annotated[Group, Doc(description="account: the totals only, inboxes stays empty")] = "inbox"


class Figures(msgspec.Struct, rename="camel"):
    """Messages and octets of the window; ``storedBytes`` is what is held now."""

    inbound: int
    outbound: int
    attachment_bytes: int
    stored_bytes: int


class InboxFigures(msgspec.Struct, rename="camel"):
    """The figures of one inbox."""

    inbox_id: str
    address: str
    inbound: int
    outbound: int
    attachment_bytes: int
    stored_bytes: int


class UsageView(msgspec.Struct, rename={"start": "from", "end": "to", "group_by": "groupBy"}):
    """Usage in ``[from, to)``."""

    start: str
    end: str
    group_by: Group
    inboxes: list[InboxFigures]
    totals: Figures


def figures_view(one: Metered) -> InboxFigures:
    return InboxFigures(
        inbox_id=INBOX_ID.public(one.inbox_id),
        address=one.address,
        inbound=one.inbound,
        outbound=one.outbound,
        attachment_bytes=one.attachment_bytes,
        stored_bytes=one.stored_bytes,
    )


def sum_view(every: list[Metered]) -> Figures:
    return Figures(
        inbound=sum(one.inbound for one in every),
        outbound=sum(one.outbound for one in every),
        attachment_bytes=sum(one.attachment_bytes for one in every),
        stored_bytes=sum(one.stored_bytes for one in every),
    )


@table.get("/usage", access=reads("metrics_read"))
async def get_usage(call: Call[NoBody, UsageQuery]) -> UsageView:
    """Messages received and sent, attachment octets, and what is stored now, by inbox and together."""
    query = call.query
    start, end = metering.window(parse_time(query.start, "from"), parse_time(query.end, "to"))
    every = await metering.metered(call.core, call.scope, start, end)
    shown = [figures_view(one) for one in every] if query.group_by == "inbox" else []
    return UsageView(iso_of(start), iso_of(end), query.group_by, shown, sum_view(every))
