"""The history of a message as lines on the screen."""

from __future__ import annotations

import textwrap
from typing import Any

from gateway.cli.moments import parse
from gateway.cli.screen import Screen
from gateway.cli.visible import visible

_BAD = frozenset({"bounced", "rejected", "complained"})
_GOOD = frozenset({"delivered", "received", "accepted"})
_WIDTH = len("2026-11-29 10:42:00  ")


def history_lines(screen: Screen, answer: dict[str, Any]) -> list[str]:
    """A line an entry, oldest first, and why some are not there."""
    lines: list[str] = []
    for entry in answer["history"]:
        words = visible(entry["text"])
        room = max(20, screen.width - _WIDTH) if screen.width else 0
        first, *rest = (textwrap.wrap(words, room, break_on_hyphens=False) if room else []) or [words]
        colour = "red" if entry["kind"] in _BAD else "green" if entry["kind"] in _GOOD else None
        at = screen.dim(f"{parse(entry['at']):%Y-%m-%d %H:%M:%S}")
        lines.append(f"{at}  {_styled(screen, first, colour)}")
        lines += [" " * _WIDTH + _styled(screen, part, colour) for part in rest]
        until = entry["facts"].get("next_attempt_at")
        if until:
            lines.append(" " * _WIDTH + screen.dim(f"next attempt {parse(until):%Y-%m-%d %H:%M:%S}"))
    lines += [screen.dim(f"not complete: {visible(why)}") for why in answer["missing"]]
    return lines


def _styled(screen: Screen, text: str, colour: str | None) -> str:
    return screen.style(text, fg=colour) if colour else text
