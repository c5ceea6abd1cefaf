"""``Auto-Submitted`` of what agents send (RFC 3834 §5): vacation programs and other agents then do not answer it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

NAME = "Auto-Submitted"
Marking = Literal["off", "replies", "all"]


def auto_submitted(marking: Marking, given: Mapping[str, str], *, reply: bool) -> dict[str, str]:
    """The header for a message, if any. ``given``: the caller's own headers, of which this one wins; ``reply``: it
    answers another message."""
    if marking == "off" or any(name.lower() == NAME.lower() for name in given):
        return {}
    if reply:
        return {NAME: "auto-replied"}
    return {NAME: "auto-generated"} if marking == "all" else {}
