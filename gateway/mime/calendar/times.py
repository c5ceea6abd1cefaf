"""Times of an event as JSON shows them (RFC 5545 §3.3.4 to §3.3.6)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from gateway.mime.calendar.content_lines import Component, Line
from gateway.mime.calendar.zones import Zones, read_local

_DURATION = re.compile(
    r"\+?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?\Z"
)
_ZONE_NAME = 100  # characters


class Moment(NamedTuple):
    """A time of an event: local, in UTC where that is known, the zone's name; or a whole day."""

    local: datetime
    utc: datetime | None
    zone: str | None
    whole_day: bool

    def shown(self) -> str:
        """``2026-02-03``, ``2026-02-03T10:00:00Z``, or without Z where no zone is known."""
        if self.whole_day:
            return self.local.date().isoformat()
        if self.utc is not None:
            return self.utc.replace(tzinfo=None).isoformat() + "Z"
        return self.local.isoformat()


def read_moment(line: Line | None, zones: Zones) -> Moment | None:
    """The time that a property holds; None without one that can be read."""
    local = read_local(line.value) if line else None
    if line is None or local is None:
        return None
    value = line.value.strip()
    if "T" not in value:
        return Moment(local, None, None, True)
    if value.endswith("Z"):
        return Moment(local, local.replace(tzinfo=UTC), "UTC", False)
    zone = line.params.get("TZID", "").strip()[:_ZONE_NAME] or None
    return Moment(local, _utc(zones, local, zone), zone, False)


def end_of(event: Component, start: Moment, zones: Zones) -> Moment:
    """When an event ends (§3.6.1): DTEND, else DTSTART and DURATION, else the day or the moment it begins. The end of
    whole days is the day after the last one."""
    end = read_moment(event.first("DTEND"), zones)
    if end is not None:
        return end
    found = _DURATION.match(event.text("DURATION").strip())
    if found is None or not any(found.groups()):
        return _later(start, timedelta(days=int(start.whole_day)), timedelta(0), zones)
    weeks, days, hours, minutes, seconds = (int(one or 0) for one in found.groups())
    exact = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return _later(start, timedelta(weeks=weeks, days=days), exact, zones)


def _later(start: Moment, days: timedelta, exact: timedelta, zones: Zones) -> Moment:
    """Days are those of the calendar, hours those of the clock, whatever daylight saving does between."""
    try:
        local = start.local + days
        utc = start.utc and (
            local.replace(tzinfo=UTC) if start.zone == "UTC" else _utc(zones, local, start.zone)
        )
        return start._replace(local=local + exact, utc=utc and utc + exact)
    except OverflowError:
        return start


def _utc(zones: Zones, local: datetime, zone: str | None) -> datetime | None:
    try:
        return None if zone is None else zones.utc(local, zone)
    except OverflowError:
        return None
