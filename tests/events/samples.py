"""Events that are in no log."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from gateway.records.events import Event
from gateway.records.ids import EventId, OrganizationId
from gateway.store.json_columns import dump

_ID = "01m7yg9x9r3dyp0asmy5pa8drm"
_EVENT = Event(
    seq=1,
    id=EventId(_ID),
    organization_id=OrganizationId("o"),
    pod_id=None,
    inbox_id=None,
    type="message.received",
    test=False,
    created_at=0,
    message_id=None,
    payload_json="{}",
)


def sample_event(type: str, payload: object, **more: Any) -> Event:
    """An event of a type with a payload; ``more``: its other fields."""
    return replace(_EVENT, type=type, payload_json=dump(payload), **more)
