"""When a failed webhook delivery is tried again, and when it is given up.

Eighteen tries over more than 76 hours: quick at first, at most half an hour apart while an outage is younger than
an hour, ten hours apart at the end. Jitter only lengthens a wait, so the promised span always holds.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

_MINUTE, _HOUR = 60.0, 3600.0
WAITS: tuple[float, ...] = (
    *(5.0, 30.0, 2 * _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 27 * _MINUTE, 27 * _MINUTE),
    *(1 * _HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR),
    *(10 * _HOUR,) * 6,
)
"""Seconds from the n-th failed try to the next, before jitter."""

SPAN = sum(WAITS)
"""Seconds from the first try to the last, at the least."""

MAX_RETRY_AFTER = 24 * _HOUR
"""The longest wait an endpoint can ask for, in seconds."""

_JITTER = 0.1
_RETRY_AFTER_JITTER = (
    0.05  # an endpoint that named a time is met closely, yet not by all events at one instant
)
_GONE = 410  # RFC 9110 §15.5.11
_chance = random.SystemRandom().random


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows a failed try.

    Attributes:
        delay: seconds until the next try; None when there is none.
        disable: the endpoint asked to be left alone: switch the webhook off.
    """

    delay: float | None
    disable: bool = False


def next_try(
    number: int,
    *,
    status: int | None = None,
    retry_after: str | None = None,
    now: float,
    scale: float = 1.0,
    chance: Callable[[], float] = _chance,
) -> Outcome:
    """Decide what follows the ``number``-th try, which failed. Any answer but 2xx has failed, a redirect too.

    Args:
        number: tries made so far, this one included (1 is the first).
        status: the HTTP status answered; None when there was no answer.
        retry_after: the answer's Retry-After (RFC 9110 §10.2.3). It can lengthen a wait, up to
            :data:`MAX_RETRY_AFTER`, but not shorten one: an endpoint that always says "1" would otherwise use up
            its tries within seconds and lose the event.
        now: Unix seconds, to read an HTTP-date against.
        scale: multiplies every wait (tests).
        chance: a number in [0, 1) for the jitter.

    Raises:
        ValueError: ``number`` is below 1.
    """
    if number < 1:
        raise ValueError("a try must have been made before the next is planned")
    if status == _GONE:
        return Outcome(None, disable=True)
    if number > len(WAITS):
        return Outcome(None)
    wait = WAITS[number - 1] * (1.0 + _JITTER * chance())
    asked = read_retry_after(retry_after, now)
    if asked is not None:
        wait = max(wait, min(asked, MAX_RETRY_AFTER) * (1.0 + _RETRY_AFTER_JITTER * chance()))
    return Outcome(wait * scale)


def read_retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After value, seconds or HTTP-date, into seconds from ``now``; None if it says nothing usable.

    A date in the past is 0.
    """
    text = (value or "").strip()
    if not text or len(text) > 64 or not text.isascii():
        return None
    if text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
