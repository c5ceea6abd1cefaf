"""Holding back what would be one more automatic round with somebody (``core.guard.rounds``).

A held message is accepted as any other, and waits in the queue for its time; ``postern queue retry`` sends it now. Its
thread gets the label ``loop``, and who asked for it the event ``guard.tripped``. Nothing is kept beside: how often it
went round is read from the mail and from when the outbox handed it over, so it survives a restart and ``rebuild``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.guard.rounds import Pace, hold
from gateway.events.log import EventLog
from gateway.mime.types import ParsedMessage
from gateway.records.event_types import GuardTrippedFacts
from gateway.records.exchanges import Turn
from gateway.records.ids import MessageId, ThreadId
from gateway.records.inboxes import Inbox
from gateway.settings import Guard
from gateway.store.queries.exchanges import exchange
from gateway.store.transaction import Tx

LABEL = "loop"
_BACK_US = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Slowed:
    """A message is held back until ``until`` (µs), after ``rounds`` automatic rounds, or with 0 behind another one."""

    until: int
    rounds: int


def held_back(
    tx: Tx,
    settings: Guard,
    inbox: Inbox,
    message_id: MessageId,
    thread_id: ThreadId,
    message: ParsedMessage,
    people: Sequence[str],
    now: int,
) -> Slowed | None:
    """Whether a message that was just indexed must wait, and until when. ``people``: whom it goes to."""
    if not settings.rounds:
        return None
    peers = sorted({one.lower() for one in people})
    text = message.extracted_text or message.text or ""
    new = Turn(now, inbound=False, chars=len(text), thread_id=thread_id, subject=message.subject)
    turns = exchange(
        tx,
        inbox,
        thread_id,
        peers,
        since=now - _BACK_US,
        but=message_id,
        least=settings.rounds,
        label=LABEL,
    )
    pace = Pace(settings.person_seconds, settings.person_seconds_at_most)
    found = hold(turns, new, pace, settings.rounds, settings.hold_seconds, settings.hold_seconds_at_most)
    return None if found is None else Slowed(now + round(found.seconds * 1_000_000), found.rounds)


def announce(
    tx: Tx,
    events: EventLog,
    inbox: Inbox,
    message_id: MessageId,
    thread_id: ThreadId,
    people: Sequence[str],
    held: Slowed,
    now: int,
) -> None:
    """Append ``guard.tripped`` for a message that is held back."""
    events.append(
        tx,
        "guard.tripped",
        organization_id=inbox.organization_id,
        pod_id=inbox.pod_id,
        inbox_id=inbox.id,
        message_id=message_id,
        subject=message_id,
        payload=GuardTrippedFacts(
            inbox_id=inbox.id,
            inbox_address=inbox.address,
            message_id=message_id,
            thread_id=thread_id,
            recipients=list(people),
            rounds=held.rounds,
            held_until=held.until,
            timestamp=now,
        ),
        at=now,
    )
