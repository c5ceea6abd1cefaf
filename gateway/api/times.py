"""Times in JSON: ISO 8601 in UTC with milliseconds, ``2025-01-15T10:30:00.000Z``."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from gateway.core.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
_FIRST_DAY = _EPOCH.date()
_DAY_US = 86_400_000_000
_MAX_US = 253402300799_999_999


def iso(us: int | None) -> str | None:
    """Text of a time in µs, with milliseconds; None for None."""
    return None if us is None else iso_of(us)


@lru_cache(maxsize=16384)
def iso_of(us: int) -> str:
    """Text of a time in µs, with milliseconds."""
    # isoformat of a naive time is ten times faster than strftime, and a list may contain sixty times
    at = _NAIVE_EPOCH + timedelta(microseconds=max(0, min(us, _MAX_US)))
    return at.isoformat(timespec="milliseconds") + "Z"


@lru_cache(maxsize=16384)
def to_seconds(us: int) -> str:
    """Text of a time in µs without fractions, ``2025-01-15T10:30:00Z``. These texts sort in order of time."""
    at = _NAIVE_EPOCH + timedelta(microseconds=max(0, min(us, _MAX_US)))
    return at.isoformat(timespec="seconds") + "Z"


def parse_time(text: str | None, field: str) -> int | None:
    """µs of an ISO 8601 time; without a zone it is UTC. Raises Invalid naming ``field``."""
    if text is None:
        return None
    try:
        # a plus sign in a query that was not percent-encoded arrives as a space
        at = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        return (at - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise Invalid(
            f"{field} is not an ISO 8601 time", field=field, fix=f"write {field}=2025-01-15T10:30:00Z"
        ) from None


def parse_day(text: str | None, field: str, *, last: bool = False) -> int | None:
    """µs at which a day (``2025-01-15``, UTC) begins, or with ``last`` ends; a time of day is kept. None when
    ``text`` is None or blank. Raises Invalid naming ``field``."""
    if text is None or not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        try:
            return parse_time(text, field)
        except Invalid as error:
            error.fix = f"write {field} as {datetime.now(UTC):%Y-%m-%d}"
            raise
    return (day - _FIRST_DAY) // timedelta(microseconds=1) + (_DAY_US - 1 if last else 0)
