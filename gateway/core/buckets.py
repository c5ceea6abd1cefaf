"""Counts in memory: how many of something a caller may do in a minute (token buckets) and on a UTC day.

They start anew when the gateway does.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

MAX_CALLERS = 50_000
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Grant:
    """One question's answer. ``wait``: seconds until the next one is allowed; ``left``: allowed right now."""

    allowed: bool
    left: int
    wait: int


class Buckets:
    """One bucket a caller, full at first, refilled evenly."""

    def __init__(self) -> None:
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, caller: str, per_minute: int, now: float | None = None) -> Grant:
        """Take one of ``per_minute``. ``now``: monotonic seconds."""
        now = time.monotonic() if now is None else now
        level, at = self._levels.pop(caller, (float(per_minute), now))
        level = min(float(per_minute), level + (now - at) * per_minute / 60)
        allowed = level >= 1
        if allowed:
            level -= 1
        self._levels[caller] = (level, now)  # now the youngest; the oldest goes when there are too many
        if len(self._levels) > MAX_CALLERS:
            del self._levels[next(iter(self._levels))]
        wait = 0 if level >= 1 else math.ceil((1 - level) * 60 / per_minute)
        return Grant(allowed, int(level), max(wait, 0 if allowed else 1))


class Days:
    """How much each caller has done since UTC midnight."""

    def __init__(self) -> None:
        self._day = 0
        self._used: dict[str, int] = {}

    def take(self, caller: str, per_day: int, now: float | None = None) -> Grant:
        """Take one of ``per_day``. ``now``: epoch seconds. ``wait``: until midnight."""
        now = time.time() if now is None else now
        day, since = divmod(now, _DAY)
        if day != self._day:
            self._day, self._used = int(day), {}
        used = self._used.get(caller, 0)
        allowed = used < per_day
        if allowed:
            self._used[caller] = used = used + 1
        return Grant(allowed, max(0, per_day - used), math.ceil(_DAY - since))
