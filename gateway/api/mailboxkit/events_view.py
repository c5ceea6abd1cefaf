"""Events as MailboxKit's webhooks show them (contract, "Webhooks")."""

from __future__ import annotations

from typing import Any

from gateway.events.wire import Try
from gateway.store.engine import Row


def render(event: Row, attempt: Try) -> dict[str, Any] | None:
    """An event row as JSON; None for a type MailboxKit does not have."""
    return None
