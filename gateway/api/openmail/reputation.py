"""Reputation: how an inbox's mail is taken, and suspending inboxes and pods from sending (contract §8).

The routes are ours. Everyone sees the figures of what their key reaches; only the operator's key, which the
``postern`` command on the gateway's machine uses, suspends and reactivates, in any account.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.api.times import iso_of
from gateway.core.access import operator_only, reads
from gateway.core.context import Core
from gateway.core.sending import reputation
from gateway.core.sending.reputation import Rates
from gateway.records.suspension import Reason
from gateway.store.queries.reputation import Suspension
from gateway.store.scope import Scope

table = Table("reputation")

_FIX = "ask the operator of this server; `postern inbox suspend` on the gateway's machine does it"


class Suspend(msgspec.Struct):
    """Why it may not send."""

    reason: Annotated[Reason, msgspec.Meta(description="shown in the event and in the error of a send")] = (
        "manual_review"
    )


class StandingView(msgspec.Struct, rename="camel"):
    """Whether an inbox may send, and what came of its mail since ``since``. ``suspendedLevel``: inbox or pod."""

    suspended: bool
    suspended_level: str | None
    suspended_since: str | None
    reason: str | None
    since: str
    sent: Annotated[int, msgspec.Meta(description="recipients whose server was reached")]
    bounced: int
    bounce_rate: float
    messages: int
    complained: int
    complaint_rate: float


class SuspensionView(msgspec.Struct, rename="camel"):
    """An inbox or pod after the change."""

    id: str
    suspended: bool
    reason: str | None


def standing_view(rates: Rates, held: Suspension | None) -> StandingView:
    return StandingView(
        suspended=held is not None,
        suspended_level=held.of if held else None,
        suspended_since=iso_of(held.since) if held else None,
        reason=held.reason if held else None,
        since=iso_of(rates.since),
        sent=rates.sent,
        bounced=rates.bounced,
        bounce_rate=round(rates.bounce_rate, 6),
        messages=rates.messages,
        complained=rates.complained,
        complaint_rate=round(rates.complaint_rate, 6),
    )


@table.get("/inboxes/{inbox_id}/reputation", access=reads("inbox_read"))
async def get_reputation(call: Call[NoBody, NoQuery]) -> StandingView:
    """Whether the inbox may send, and how often its mail bounces or is complained about."""
    return standing_view(*await reputation.standing(call.core, call.scope, call.ids["inbox_id"]))


@table.post("/inboxes/{inbox_id}/suspend", access=operator_only(_FIX))
async def suspend_inbox(call: Call[Suspend, NoQuery]) -> SuspensionView:
    """Keep an inbox from sending until it is reactivated; it still receives."""
    return await _set_inbox(call.core, call.scope, call.ids["inbox_id"], call.body.reason)


@table.post("/inboxes/{inbox_id}/reactivate", access=operator_only(_FIX))
async def reactivate_inbox(call: Call[NoBody, NoQuery]) -> SuspensionView:
    """Let an inbox send again; its rates are counted anew."""
    return await _set_inbox(call.core, call.scope, call.ids["inbox_id"], None)


@table.post("/pods/{pod_id}/suspend", access=operator_only(_FIX))
async def suspend_pod(call: Call[Suspend, NoQuery]) -> SuspensionView:
    """Keep every inbox of a pod from sending until it is reactivated."""
    return await _set_pod(call.core, call.scope, call.ids["pod_id"], call.body.reason)


@table.post("/pods/{pod_id}/reactivate", access=operator_only(_FIX))
async def reactivate_pod(call: Call[NoBody, NoQuery]) -> SuspensionView:
    """Let a pod's inboxes send again, but for those that are suspended themselves."""
    return await _set_pod(call.core, call.scope, call.ids["pod_id"], None)


async def _set_inbox(core: Core, scope: Scope, ref: str, reason: Reason | None) -> SuspensionView:
    row = await reputation.set_inbox(core, scope, ref, reason)
    return SuspensionView(row.public_id, reason is not None, reason)


async def _set_pod(core: Core, scope: Scope, ref: str, reason: Reason | None) -> SuspensionView:
    row = await reputation.set_pod(core, scope, ref, reason)
    return SuspensionView(row.public_id, reason is not None, reason)
