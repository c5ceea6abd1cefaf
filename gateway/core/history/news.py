"""What else became known of a message: from the log of events."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.core.history.entry import MOST, Entry, Subject
from gateway.records.event_types import (
    ComplainedFacts,
    GuardTrippedFacts,
    OutboundFacts,
    RejectedFacts,
    RiskyFacts,
    facts_of,
)
from gateway.records.events import Event
from gateway.store.queries.events import events_of_message
from gateway.store.transaction import Tx

_TYPES = (
    "message.opened",
    "message.complained",
    "message.rejected",
    "message.risky",
    "thread.merged",
    "guard.tripped",
)


def news(tx: Tx, subject: Subject) -> Iterator[Entry]:
    """Opened, complained of, rejected, risky, and the threads that it joined. Deliveries are in ``sending``."""
    for event in events_of_message(tx, subject.mail.message.id, _TYPES, MOST):
        yield _entry(event)


def _entry(event: Event) -> Entry:
    facts = facts_of(event)
    at = facts.timestamp if isinstance(facts, OutboundFacts) else event.created_at
    if isinstance(facts, ComplainedFacts):
        who = ", ".join(facts.recipients[:10]) or "a recipient"
        return Entry(
            at=at,
            kind="complained",
            text=f"{who} called it unwanted ({facts.type})",
            recipient=facts.recipients[0] if len(facts.recipients) == 1 else None,
        )
    if isinstance(facts, RejectedFacts):
        return Entry(at=at, kind="rejected", text=f"it never left: {facts.reason}", reply=facts.reason[:500])
    if isinstance(facts, GuardTrippedFacts):
        minutes = max(1, round((facts.held_until - facts.timestamp) / 60_000_000))
        words = f"held back for {minutes} min, after {facts.rounds} automatic rounds with its recipients"
        return Entry(at=at, kind="held_back", text=words)
    if isinstance(facts, RiskyFacts):
        return Entry(at=at, kind="risky", text=f"the policy took note of: {', '.join(facts.reasons)}")
    if event.type == "thread.merged":
        return Entry(at=at, kind="thread_merged", text="it names two threads, which became one")
    return Entry(at=at, kind="opened", text="a recipient's mail program fetched its tracking picture")
