"""The event about a message that went out though something about it is risky."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.events.log import EventLog
from gateway.events.payload import message_ref
from gateway.records.event_types import RiskyFacts
from gateway.records.ids import MessageId, now_us
from gateway.records.inboxes import Inbox
from gateway.store.transaction import Tx


def note_risks(tx: Tx, events: EventLog, inbox: Inbox, message_id: MessageId, reasons: Sequence[str]) -> None:
    """Append the event, in the transaction that accepted and indexed the message."""
    ref = message_ref(tx, inbox, message_id)
    assert ref is not None
    at = now_us()
    events.append(
        tx,
        "message.risky",
        organization_id=inbox.organization_id,
        pod_id=inbox.pod_id,
        inbox_id=inbox.id,
        message_id=message_id,
        subject=message_id,
        payload=RiskyFacts(message_ref=ref, timestamp=at, reasons=list(reasons)),
        at=at,
    )
