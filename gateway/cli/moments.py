"""Times and amounts as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def parse(text: str) -> datetime:
    """A time of the API (ISO 8601) in the terminal's own zone."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone()


def brief(text: str, *, now: datetime | None = None) -> str:
    """A time in seven cells: 10:42 of today, else the day, else the year as well."""
    at, now = parse(text), now or datetime.now(UTC).astimezone()
    if at.date() == now.date():
        return f"{at:%H:%M}"
    near = abs((now - at).days) < 300
    return f"{at.day} {_MONTHS[at.month - 1]}" if near else f"{at:%Y-%m}"


def full(text: str) -> str:
    """A time whole, as in 2026-11-29 10:42."""
    return f"{parse(text):%Y-%m-%d %H:%M}"


def long(text: str) -> str:
    """A time with the day of the week and the zone."""
    at = parse(text)
    return f"{_DAYS[at.weekday()]} {at:%Y-%m-%d %H:%M:%S %z}"


def span(seconds: float) -> str:
    """A time that passed, in its largest unit: 45 s, 12 min, 3 h, 2 d."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds / size)} {unit}"
    return f"{max(0, int(seconds))} s"


def since(text: str) -> float:
    """Seconds since a time of the API; below 0 when it is to come."""
    return (datetime.now(UTC) - parse(text)).total_seconds()


def size(octets: float) -> str:
    """Octets as in 12 kB (of 1000)."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while octets >= 999.5 and len(units) > 1:
        octets /= 1000
        units.pop(0)
    return f"{octets:.0f} {units[0]}" if octets >= 9.95 or units[0] == "B" else f"{octets:.1f} {units[0]}"


# strftime's are of the locale; the rest of the words here are English
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
