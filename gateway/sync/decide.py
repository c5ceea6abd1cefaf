"""The one decision about mail that was found in a mailbox: which labels its arrival earns, and which event is sent.

It is made once for a message, in the transaction that indexes it, and what it says of labels is kept on the mail server
(as keywords), so that a rebuild finds it there. Whether a message was ever announced counts, and not where it is by
now: a filter or a person may have moved it before we saw it, or while we read it.

=====================  ============================================================================================
folder                 what is found there
=====================  ============================================================================================
INBOX, Junk            is announced when it is new to us: from Junk as ``message.received.spam``
Archive, own folders   is announced when it was delivered to this inbox (``Arrival.delivered``); anything else was
                       filed there by a mail program or an import
Trash                  is not announced while it is there
Sent, Drafts           is never announced
=====================  ============================================================================================

Mail that is known already and was never announced (it was in Trash when we first saw it) is announced when it comes to
a folder of the first two rows and was delivered to this inbox. What ``postern import`` filed, and what is older than
the event log is kept, never is.

A new rule is added here, and what it needs to know to ``store.queries.arrivals``. Reports about what the gateway sent
are taken out of the mailbox before (``intake``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.records.inboxes import Inbox
from gateway.store.allow_block_lists import decide as decide_by_lists
from gateway.store.queries.arrivals import ARRIVAL_ROLES, DELIVERY_ROLES, Arrival

LabelReason = Literal["listed", "dmarc_failed"]
NoEventReason = Literal["folder", "imported", "not_delivered", "announced", "outbound", "too_old"]

_LABELS: dict[LabelReason, str] = {"listed": "blocked", "dmarc_failed": "unauthenticated"}
_EVENT_LABELS = ("spam", "blocked", "unauthenticated")
"""Labels that have an event type of their own; the first one that a message has names its event."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a message. It stays in the folder where it was found.

    ``event``: the type of its event; None: none is sent. ``reasons``: why it gets each label, and why it has no event.
    """

    labels: frozenset[str] = frozenset()
    event: str | None = None
    reasons: tuple[LabelReason | NoEventReason, ...] = ()


def decide(arrival: Arrival, inbox: Inbox, since: int) -> Decision:
    """Decide about a message of ``inbox``. ``since``: mail received before (µs) has no event."""
    ignored = _why_ignored(arrival)
    if ignored is not None:
        return Decision(reasons=(ignored,))
    silent = _why_silent(arrival, since)
    if silent is not None and not (arrival.new and arrival.role in DELIVERY_ROLES):
        return Decision(reasons=(silent,))
    reasons = _label_reasons(arrival, inbox)
    labels = frozenset(_LABELS[reason] for reason in reasons)
    if silent is not None:
        return Decision(labels, None, (*reasons, silent))
    return Decision(labels, _event_type(arrival.labels | labels), reasons)


def _why_ignored(arrival: Arrival) -> NoEventReason | None:
    """Why a message is not one that just came."""
    if arrival.role not in ARRIVAL_ROLES:
        return "folder"
    if arrival.imported:
        return "imported"
    if not arrival.delivered:
        return "not_delivered"
    return "announced" if arrival.announced else None


def _why_silent(arrival: Arrival, since: int) -> NoEventReason | None:
    """Why a message that just came has no event."""
    if arrival.direction != "inbound":
        return "outbound"
    return "too_old" if arrival.received_at < since else None


def _label_reasons(arrival: Arrival, inbox: Inbox) -> tuple[LabelReason, ...]:
    """The first reason that holds: the lists (of replies too, where it answers), then DMARC (RFC 9989), unless a
    trusted sealer speaks for the author (RFC 8617)."""
    directions = ("receive", "reply") if arrival.answers else ("receive",)
    rules = [rule for rule in arrival.rules if rule.direction in directions]
    if decide_by_lists(rules, inbox, arrival.sender) == "block":
        return ("listed",)
    return ("dmarc_failed",) if arrival.dmarc == "fail" and not arrival.rescued else ()


def _event_type(labels: frozenset[str]) -> str:
    for label in _EVENT_LABELS:
        if label in labels:
            return f"message.received.{label}"
    return "message.received"
