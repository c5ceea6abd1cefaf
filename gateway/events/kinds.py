"""Types of events that more than one part must know."""

from __future__ import annotations

OPT_IN = frozenset({"message.received.spam", "message.received.blocked", "message.received.unauthenticated"})
"""Event types a webhook gets only when it names them."""
