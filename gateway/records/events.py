"""An event: one thing that happened, which webhooks and sockets are sent."""

from __future__ import annotations

from typing import ClassVar

from gateway.records.base import Record
from gateway.records.ids import public_id


class EventHead(Record, frozen=True):
    """What decides whether an event is wanted, without its facts. Times are microseconds since the epoch (UTC)."""

    table: ClassVar[str] = "event"

    seq: int  # its place in the log
    id: str  # ULID, derived from what happened; the public id is evt_ULID
    organization_id: str
    pod_id: str | None
    inbox_id: str | None
    type: str
    test: bool
    created_at: int

    @property
    def public_id(self) -> str:
        """``evt_ULID``."""
        return public_id("evt", self.id)


class Event(EventHead, frozen=True):
    """An event. ``payload_json`` is dialect-free; each dialect renders it."""

    message_id: str | None
    payload_json: str
