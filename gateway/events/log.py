"""Appending to the event log, inside the transaction of what happened.

An event's payload is the JSON of its type's facts (``records.event_types``), dialect-free; a dialect renders it when it
delivers, so a retry sends the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from gateway.events.delivery_queue import enqueue, in_order
from gateway.events.reach import may_carry
from gateway.records.event_types import EVENT_TYPES, OPT_IN
from gateway.records.events import EventHead
from gateway.records.ids import (
    EVENT_ID,
    MESSAGE_ID,
    EventId,
    InboxId,
    MessageId,
    OrganizationId,
    PodId,
    now_us,
)
from gateway.records.webhooks import WebhookFilter
from gateway.store.json_columns import dump
from gateway.store.queries.events import add_event, unscoped_has_event
from gateway.store.queries.inboxes import unscoped_inbox_addresses
from gateway.store.queries.webhooks import filters_of_event
from gateway.store.transaction import Tx
from gateway.store.wakeups import LocalWakeups, Wakeups

log = logging.getLogger("postern.events")


class EventLog:
    """The log and its listeners. Listeners are called in the committing thread, after the
    commit; they must only hand over (``loop.call_soon_threadsafe``)."""

    def __init__(self, wakeups: Wakeups | None = None, retry_scale: float = 1.0) -> None:
        """``retry_scale``: as in the setting ``webhooks.retry_scale``."""
        self._retry_scale = retry_scale
        self._wakeups: Wakeups = wakeups or LocalWakeups()
        self._wakeups.subscribe("events", lambda text: self._call_listeners())
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        """Register ``call``; answers the function that takes it back."""
        with self._lock:
            self._listeners.append(call)

        def remove() -> None:
            with self._lock:
                if call in self._listeners:
                    self._listeners.remove(call)

        return remove

    def append(
        self,
        tx: Tx,
        type: str,
        *,
        organization_id: OrganizationId,
        subject: str,
        payload: object | Callable[[], object],
        pod_id: PodId | None = None,
        inbox_id: InboxId | None = None,
        message_id: MessageId | None = None,
        at: int | None = None,
        test: bool = False,
    ) -> EventId | None:
        """Append one event and a delivery for every webhook that wants it; answers ``evt_`` id's ULID.

        ``subject`` names the fact (message ULID, recipient, attempt): the same (type, subject) is the same
        event, and appending it again does nothing and answers None. ``at``: when it happened, µs; it enters
        the id, so pass a time that a rebuild finds again. ``payload``: the facts of the type, or what makes them,
        called only for a new event. Raises LookupError for a type that is not registered.
        """
        if type not in EVENT_TYPES:
            raise LookupError(f"{type} is in no registry: add it to records.event_types")
        at = now_us() if at is None else at
        event_id = event_id_of(
            type, organization_id=organization_id, inbox_id=inbox_id, subject=subject, at=at
        )
        if callable(payload):
            if unscoped_has_event(tx, event_id):
                return None
            payload = payload()
        in_order(tx, organization_id, inbox_id)
        event = add_event(
            tx,
            id=event_id,
            organization_id=organization_id,
            pod_id=pod_id,
            inbox_id=inbox_id,
            type=type,
            message_id=message_id,
            payload_json=dump(payload),
            test=test,
            created_at=now_us(),
        )
        if event is None:
            return None
        for hook in _listening(tx, event):
            enqueue(tx, event.seq, hook.id, hook.dialect, inbox_id, self._retry_scale)
        tx.after_commit.append(self.wake)
        if log.isEnabledFor(logging.INFO):
            inbox = unscoped_inbox_addresses(tx, [inbox_id]).get(inbox_id) if inbox_id else None
            tx.after_commit.append(partial(_note, type, inbox, event_id, message_id))
        return event_id

    def wake(self) -> None:
        """Notify every listener, in every process, that there is something new."""
        self._call_listeners()
        self._wakeups.notify("events")

    def _call_listeners(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for call in listeners:
            call()


def _note(type: str, inbox: str | None, event_id: EventId, message_id: MessageId | None) -> None:
    """One line an event: whose it is and what it is called elsewhere, and nothing that a stranger wrote."""
    fields = {"event": type, "event_id": EVENT_ID.public(event_id), "inbox": inbox}
    if message_id:
        fields["message_id"] = MESSAGE_ID.public(message_id)
    log.info("%s %s", type, inbox or "", extra=fields)


def event_id_of(
    type: str, *, organization_id: OrganizationId, inbox_id: InboxId | None, subject: str, at: int
) -> EventId:
    """The id (ULID) that ``EventLog.append`` gives a fact."""
    return EVENT_ID.derived(at, "event", organization_id, inbox_id or "", type, subject)


def _listening(tx: Tx, event: EventHead) -> list[WebhookFilter]:
    """The webhooks that get an event. OpenMail: an inbox's own URL replaces the account's."""
    hooks = [
        hook
        for hook, key in filters_of_event(tx, event.organization_id, event.inbox_id)
        if may_carry(hook, key, event) and wants(hook, event)
    ]
    own = any(hook.dialect == "openmail" and hook.inbox_id for hook in hooks)
    return [hook for hook in hooks if not (own and hook.dialect == "openmail" and not hook.inbox_id)]


def wants(hook: WebhookFilter, event: EventHead) -> bool:
    """Whether a webhook asks for this event."""
    types = hook.event_types
    if types and event.type not in types:
        return False
    if event.type in OPT_IN and event.type not in types:
        return False
    if hook.inbox_id and hook.inbox_id != event.inbox_id:
        return False
    if hook.pod_id and hook.pod_id != event.pod_id:
        return False
    inboxes, pods = hook.inbox_ids, hook.pod_ids
    if not inboxes and not pods:
        return True
    return event.inbox_id in inboxes or event.pod_id in pods
