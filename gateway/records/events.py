"""An event: one thing that happened, which webhooks and sockets are sent."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from gateway.records.base import Record
from gateway.records.ids import EVENT_ID, EventId, InboxId, MessageId, OrganizationId, PodId


class EventHead(Record, frozen=True):
    """What decides whether an event is wanted, without its facts. Times are microseconds since the epoch (UTC)."""

    table: ClassVar[str] = "event"

    seq: int  # its place in the log
    id: EventId  # ULID, derived from what happened; the public id is evt_ULID
    organization_id: OrganizationId
    pod_id: PodId | None
    inbox_id: InboxId | None
    type: str
    test: bool
    created_at: int

    @property
    def public_id(self) -> str:
        """``evt_ULID``."""
        return EVENT_ID.public(self.id)


class Event(EventHead, frozen=True):
    """An event. ``payload_json`` is dialect-free; each dialect renders it."""

    message_id: MessageId | None
    payload_json: str


class LogPosition(NamedTuple):
    """How far a reader of the log has come: the highest ``seq`` it saw, and the latest time (µs)."""

    seq: int
    at: int
