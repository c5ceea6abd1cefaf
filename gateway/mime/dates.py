"""Dates of mail as microseconds since the epoch (UTC); hostile ones are None."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import mktime_tz, parsedate_tz

_COMMENT = re.compile(r"\([^()]*\)")
_FIRST = 0
_LAST = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp())


def parse_date(text: str) -> int | None:
    """RFC 5322 §3.3 date-time (obsolete forms too) to µs; None outside 1970 to 2199 or when unreadable."""
    try:
        parts = parsedate_tz(_COMMENT.sub(" ", text[:200]))
        if parts is None:
            return None
        seconds = mktime_tz(parts)
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return None
    return int(seconds) * 1_000_000 if _FIRST <= seconds < _LAST else None
