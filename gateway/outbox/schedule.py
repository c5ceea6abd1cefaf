"""When a message is tried again, and when it is given up (RFC 5321 §4.5.4.1)."""

from __future__ import annotations

import random

_MINUTE = 60 * 1_000_000
_LONGEST = 4 * 60 * _MINUTE
_LOCAL_FIRST, _LOCAL_LONGEST = 1_000_000, 2 * _MINUTE
_DAY = 24 * 60 * _MINUTE


def next_try(now: int, attempts: int, scale: float, *, local: bool) -> int:
    """The time (µs) of the next try after ``attempts`` of them.

    Towards the world 5 minutes, doubling up to 4 hours; towards our own mail server (``local``) 1 second,
    doubling up to 2 minutes: it is down for a restart, not for the night. ±15 % keeps a backlog from coming
    back as one wave.
    """
    first, longest = (_LOCAL_FIRST, _LOCAL_LONGEST) if local else (5 * _MINUTE, _LONGEST)
    wait = min(first * 2 ** min(max(attempts - 1, 0), 20), longest)
    return now + int(wait * scale * random.uniform(0.85, 1.15))  # noqa: S311


def given_up(now: int, waits_since: int, days: float, scale: float) -> bool:
    """Whether a message that waits since ``waits_since`` (when it was accepted or approved, and the time of pauses
    added) has been tried long enough."""
    return now - waits_since >= days * _DAY * scale
