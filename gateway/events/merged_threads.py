"""``thread.merged``, in the transaction of the message that joined threads (``store.thread_joins``)."""

from __future__ import annotations

from gateway.events.log import EventLog
from gateway.records.event_types import ThreadMergedFacts
from gateway.records.ids import MessageId
from gateway.records.inboxes import Inbox
from gateway.records.mail import Placed
from gateway.store.arrival_time import event_time
from gateway.store.transaction import Tx


def announce_merged(
    tx: Tx, events: EventLog, inbox: Inbox, message_id: MessageId, placed: Placed, *, test: bool = False
) -> None:
    """Append an event for each thread that ``message_id`` joined to its own."""
    at = event_time(message_id)
    for merged in placed.merged:
        events.append(
            tx,
            "thread.merged",
            organization_id=inbox.organization_id,
            pod_id=inbox.pod_id,
            inbox_id=inbox.id,
            message_id=message_id,
            subject=f"{merged} {placed.thread_id}",
            payload=ThreadMergedFacts(
                inbox_id=inbox.id,
                inbox_address=inbox.address,
                message_id=message_id,
                thread_id=placed.thread_id,
                merged_thread_id=merged,
                timestamp=at,
            ),
            at=at,
            test=test,
        )
