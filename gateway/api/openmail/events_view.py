"""Events as OpenMail's webhooks and WebSocket show them (contract §8)."""

from __future__ import annotations

from typing import Any

from gateway.events.wire import Try
from gateway.store.engine import Row


def render(event: Row, attempt: Try) -> dict[str, Any] | None:
    """An event row as JSON; None for a type OpenMail does not have."""
    return None
