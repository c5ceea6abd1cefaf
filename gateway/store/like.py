"""Substrings as patterns of LIKE."""

from __future__ import annotations


def containing(text: str) -> str:
    """The LIKE pattern (ESCAPE '!') of what holds ``text``, in lower case."""
    escaped = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
