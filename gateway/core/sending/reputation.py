"""Suspending an inbox or a pod from sending for its reputation, and lifting that again (contract §8).

The operator does both; a suspension may also come by itself, when too many of an inbox's recipients bounce or complain
(settings ``reputation``; see ``reputation_watch``), but never goes by itself. Only sending is refused, with
``inbox_suspended``; receiving goes on. Each change is an event for webhooks.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.context import Core
from gateway.core.errors import Forbidden, NotFound, Rejected
from gateway.core.lookup import find_any_inbox, find_inbox, require
from gateway.records.accounts import Pod
from gateway.records.event_types import InboxName, SuspensionFacts
from gateway.records.ids import POD_ID, OrganizationId, PodId, now_us
from gateway.records.inboxes import Inbox
from gateway.records.suspension import Reason
from gateway.settings import Reputation
from gateway.store.queries.audit import note_action
from gateway.store.queries.pods import unscoped_pod
from gateway.store.queries.reputation import (
    Suspension,
    messages_by_status,
    reactivated_at,
    recipients_by_state,
    set_reason,
    suspended,
    suspension_of,
)
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """What came back of an inbox's mail since ``since`` (µs). ``sent`` counts recipients whose server was reached."""

    since: int
    sent: int
    bounced: int
    messages: int
    complained: int

    @property
    def bounce_rate(self) -> float:
        return self.bounced / self.sent if self.sent else 0.0

    @property
    def complaint_rate(self) -> float:
        return self.complained / self.messages if self.messages else 0.0

    def too_high(self, settings: Reputation) -> Reason | None:
        """What an inbox with these rates is suspended for."""
        if settings.bounce_rate and self.sent >= settings.minimum and self.bounce_rate > settings.bounce_rate:
            return "high_bounce_rate"
        enough = self.messages >= settings.minimum
        if settings.complaint_rate and enough and self.complaint_rate > settings.complaint_rate:
            return "high_complaint_rate"
        return None


def suspended_error(held: Suspension) -> Rejected:
    """The refusal of a send while the inbox, or its pod, may not send."""
    return Rejected(
        held.words,
        code="inbox_suspended",
        facts={"reason": held.reason},
        fix="ask the operator of this server; a suspension is lifted by hand",
    )


async def standing(core: Core, scope: Scope, ref: str) -> tuple[Rates, Suspension | None]:
    """An inbox's rates, and the suspension it is under. Raises NotFound, Forbidden."""
    require(scope, "inbox_read")

    def read(tx: Tx) -> tuple[Rates, Suspension | None]:
        inbox = find_inbox(tx, scope, ref)
        return rates_of(tx, inbox, core.settings.reputation), suspension_of(tx, inbox.id, inbox.pod_id)

    return await core.store.read(read)


async def set_inbox(core: Core, scope: Scope, ref: str, reason: Reason | None) -> Inbox:
    """As the operator, suspend an inbox of any organization, or with None reactivate it; answers its row.

    Nothing happens, and no event is sent, when it is so already. Raises NotFound, Forbidden.
    """
    _operator_only(scope)

    def write(tx: Tx) -> Inbox:
        inbox = find_any_inbox(tx, ref)
        change_inbox(tx, core, inbox, reason)
        return inbox

    return await core.store.write(write)


async def set_pod(core: Core, scope: Scope, ref: str, reason: Reason | None) -> Pod:
    """As :func:`set_inbox`, a pod by its id: none of its inboxes may send."""
    _operator_only(scope)

    def write(tx: Tx) -> Pod:
        pod = unscoped_pod(tx, POD_ID.parse(ref))
        if pod is None:
            raise NotFound(f"there is no pod {ref[:100]!r}", fix="give its id: pod_…")
        _change(tx, core, pod.id, pod.organization_id, pod.id, None, reason)
        return pod

    return await core.store.write(write)


def change_inbox(tx: Tx, core: Core, inbox: Inbox, reason: Reason | None) -> bool:
    """Suspend an inbox (None: reactivate it) and append the event; False when it was so already."""
    return _change(tx, core, inbox.id, inbox.organization_id, inbox.pod_id, inbox, reason)


def rates_of(tx: Tx, inbox: Inbox, settings: Reputation) -> Rates:
    """The rates of the last ``settings.days``, or since the inbox was last reactivated."""
    since = max(now_us() - int(settings.days * _DAY_US), reactivated_at(tx, inbox.id))
    people = recipients_by_state(tx, inbox.id, since)
    messages = messages_by_status(tx, inbox.id, since)
    return Rates(
        since,
        sent=sum(people.values()),
        bounced=people.get("bounced", 0),
        messages=sum(messages.values()),
        complained=messages.get("complained", 0),
    )


def _change(
    tx: Tx,
    core: Core,
    subject: str,
    organization_id: OrganizationId,
    pod_id: PodId,
    inbox: Inbox | None,
    reason: Reason | None,
) -> bool:
    if suspended(tx, subject) == (reason is not None):
        return False
    at = now_us()
    set_reason(tx, subject, reason, at)
    note_action(
        tx,
        "inbox" if inbox else "pod",
        inbox.public_id if inbox else POD_ID.public(pod_id),
        "suspended" if reason else "reactivated",
        name=inbox.address if inbox else None,
        organization=organization_id,
        facts={"reason": reason} if reason else None,
    )
    core.events.append(
        tx,
        f"{'inbox' if inbox else 'pod'}.{'suspended' if reason else 'reactivated'}",
        organization_id=organization_id,
        pod_id=pod_id,
        inbox_id=inbox.id if inbox else None,
        subject=f"{subject}/{at}",
        payload=SuspensionFacts(
            inbox=InboxName(id=inbox.id, address=inbox.address) if inbox else None,
            pod_id=pod_id,
            reason=reason,
        ),
        at=at,
    )
    return True


def _operator_only(scope: Scope) -> None:
    if not scope.operator:
        raise Forbidden(
            "only the operator of this server suspends and reactivates",
            fix="run `postern inbox suspend` or `reactivate` on the gateway's machine",
        )
