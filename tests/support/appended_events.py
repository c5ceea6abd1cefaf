"""Events as the engines append them, in a store without a mail server."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from gateway.core.domains.check import snapshot
from gateway.core.domains.domains import new_domain
from gateway.core.key_ring import hash_of
from gateway.events.log import EventLog
from gateway.events.payload import message_snapshot
from gateway.outbox.record import DeliveryEvents
from gateway.records.events import Event
from gateway.records.ids import MessageId, PodId, new_ulid, now_us, number_of
from gateway.records.inboxes import Inbox
from gateway.settings import Settings
from gateway.store.queries.events import unscoped_events
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.support.filled_store import FilledStore


def add_key(filled: FilledStore, key: str, **columns: Any) -> str:
    """A key of the filled's organization; answers its id."""
    ulid, now = new_ulid(), now_us()
    row = {
        "id": ulid,
        "number": number_of(ulid),
        "organization_id": filled.organization,
        "name": "test",
        "prefix": key[:8],
        "last4": key[-4:],
        "hash": hash_of(key),
        "created_at": now,
        "updated_at": now,
        **columns,
    }
    filled.store.write_now(lambda tx: sql(tx).insert("api_key", row))
    return ulid


def add_pod(filled: FilledStore) -> str:
    ulid, now = new_ulid(), now_us()
    row = {"id": ulid, "organization_id": filled.organization, "created_at": now, "updated_at": now}
    filled.store.write_now(lambda tx: sql(tx).insert("pod", row))
    return ulid


def received(
    filled: FilledStore,
    events: EventLog,
    inbox: Inbox,
    raw: bytes,
    kind: str = "message.received",
    **where: Any,
) -> str:
    """Index a mail and announce it as the sync engine does; answers the message's ULID."""
    done = filled.put(inbox, raw, **where)

    def write(tx: Tx) -> None:
        events.append(
            tx,
            kind,
            organization_id=inbox.organization_id,
            pod_id=inbox.pod_id,
            inbox_id=inbox.id,
            message_id=done.message_id,
            subject=done.message_id,
            payload=message_snapshot(tx, done.message_id),
        )

    filled.store.write_now(write)
    return str(done.message_id)


def tell(filled: FilledStore, events: EventLog, inbox: Inbox, message_id: str) -> None:
    """Everything the outbox and the reports can say of one message."""

    def write(tx: Tx) -> None:
        recipient = {"outbox_id": message_id, "address": "ann@far.example", "role": "to", "state": "sent"}
        sql(tx).insert("outbox_recipient", {**recipient, "attempts": 0, "updated_at": 1})
        delivery_events = DeliveryEvents(tx, events, inbox, MessageId(message_id))
        delivery_events.sent()
        delivery_events.delivered("ann@far.example", now_us())
        delivery_events.bounced("bob@far.example", "5.1.1", permanent=True, at=now_us())
        delivery_events.complained("abuse", ["ann@far.example"], "ann@far.example", now_us())
        delivery_events.rejected("550 no", now_us())
        ref = {"inbox_id": inbox.id, "thread_id": new_ulid(), "message_id": message_id}
        events.append(
            tx,
            "message.opened",
            organization_id=inbox.organization_id,
            pod_id=inbox.pod_id,
            inbox_id=inbox.id,
            subject=message_id,
            payload={"message_ref": ref, "timestamp": now_us()},
        )

    filled.store.write_now(write)


async def domain_verified(filled: FilledStore, events: EventLog, pod: PodId | None = None) -> None:
    domain = replace(
        await new_domain(Settings(), "mail.example", filled.organization),
        status="VERIFIED",
        pod_id=pod,
    )
    payload = {"domain": snapshot(Settings(), domain)}
    await filled.store.write(
        lambda tx: events.append(
            tx,
            "domain.verified",
            organization_id=filled.organization,
            pod_id=pod,
            subject="mail.example",
            payload=payload,
        )
    )


def append_small(
    tx: Tx, events: EventLog, inbox: Inbox, subject: str, kind: str = "message.sent"
) -> str | None:
    """A quick delivery event; answers its ULID."""
    ref = {"inbox_id": inbox.id, "thread_id": new_ulid(), "message_id": new_ulid()}
    return events.append(
        tx,
        kind,
        organization_id=inbox.organization_id,
        pod_id=inbox.pod_id,
        inbox_id=inbox.id,
        subject=subject,
        payload={"message_ref": ref, "timestamp": 1, "recipients": [subject]},
    )


def small_event(
    filled: FilledStore, events: EventLog, inbox: Inbox, subject: str, kind: str = "message.sent"
) -> str:
    """The same in a transaction of its own; answers its public id."""
    return f"evt_{filled.store.write_now(lambda tx: append_small(tx, events, inbox, subject, kind))}"


def event_rows(filled: FilledStore) -> dict[str, Event]:
    """The log by event type."""
    ids = filled.store.read_now(lambda tx: [row["id"] for row in sql(tx).rows("SELECT id FROM event")])
    return {event.type: event for event in filled.store.read_now(lambda tx: unscoped_events(tx, ids))}
