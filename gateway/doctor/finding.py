"""What a check found: well, of note, or wrong; and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]
_RANK: dict[Level, int] = {"ok": 0, "warn": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """``subject``: the domain, port or file meant. ``fix`` is there for all that is not ok."""

    level: Level
    subject: str
    text: str
    fix: str = ""


def ok(subject: str, text: str) -> Finding:
    return Finding("ok", subject, text)


def warn(subject: str, text: str, fix: str) -> Finding:
    return Finding("warn", subject, text, fix)


def fail(subject: str, text: str, fix: str) -> Finding:
    return Finding("fail", subject, text, fix)


def worst(levels: list[Level]) -> int:
    """0 when all is well, 1 with something of note, 2 with something wrong: the exit code."""
    return max((_RANK[one] for one in levels), default=0)
