"""Time zones of a calendar: its own VTIMEZONEs (RFC 5545 §3.6.5), else the names of the IANA database."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.mime.calendar.content_lines import Component

_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)(\d\d)?\Z")
_LOCAL = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d))?Z?\Z")
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)\Z")
_IANA = re.compile(r"[A-Za-z]{2,20}(?:/[A-Za-z0-9_+-]{1,30}){1,2}\Z")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MOST_ONSETS = 1000  # of a zone
_MOST_OBSERVANCES = 200  # of all zones
_MOST_ZONES = 50


class _Observance(NamedTuple):
    """When a UTC offset begins: on given days, or once a year by a rule."""

    before: timedelta
    offset: timedelta
    onsets: tuple[datetime, ...]  # local times
    rule: dict[str, str] | None
    until: datetime | None

    def latest(self, local: datetime) -> datetime | None:
        """Its last beginning that is not after ``local``."""
        # while clocks are put forward, the time that they leave out counts by the offset before (§3.3.5)
        limit = local - max(timedelta(0), self.offset - self.before)
        known = [one for one in self.onsets if one <= limit]
        if self.rule is not None and known:
            year = min(limit, self.until).year if self.until else limit.year
            for candidate in (year, year - 1):
                at = _in_year(self.rule, candidate, self.onsets[0])
                if at and at <= limit and (self.until is None or at <= self.until):
                    return max(at, *known)
        return max(known, default=None)


class Zones:
    """The time zones that a calendar may name."""

    def __init__(self, definitions: Iterable[Component]) -> None:
        self._own: dict[str, list[_Observance]] = {}
        room = _MOST_OBSERVANCES
        for one in list(definitions)[:_MOST_ZONES]:
            name = one.text("TZID").strip()
            if name and name not in self._own:
                self._own[name] = _observances(one.inner[:room])
                room -= len(self._own[name])

    def utc(self, local: datetime, name: str) -> datetime | None:
        """A local time of the zone ``name`` as UTC; None for a zone that nothing describes."""
        own = self._own.get(name)
        if own:
            return (local - _offset_at(own, local)).replace(tzinfo=UTC)
        zone = _iana(name)
        return None if zone is None else local.replace(tzinfo=zone).astimezone(UTC)


def read_local(value: str) -> datetime | None:
    """A DATE or DATE-TIME value without its zone."""
    found = _LOCAL.match(value.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(one or 0) for one in found.groups())
    try:
        return datetime(year, month, day, hour, minute, min(second, 59))
    except ValueError:
        return None


def _offset_at(observances: Sequence[_Observance], local: datetime) -> timedelta:
    begun = [(at, one.offset) for one in observances if (at := one.latest(local)) is not None]
    if begun:
        return max(begun)[1]
    return min(observances, key=lambda one: one.onsets[0]).before


def _observances(components: Sequence[Component]) -> list[_Observance]:
    found: list[_Observance] = []
    onsets = 0
    for one in components:
        start = read_local(one.text("DTSTART"))
        before, offset = _offset(one.text("TZOFFSETFROM")), _offset(one.text("TZOFFSETTO"))
        if one.name not in ("STANDARD", "DAYLIGHT") or start is None or before is None or offset is None:
            continue
        days = [part for line in one.all("RDATE") for part in line.value.split(",", _MOST_ONSETS)]
        more = [at for day in days[:_MOST_ONSETS] if (at := read_local(day.partition("/")[0]))]
        onsets += 1 + len(more)
        if onsets > _MOST_ONSETS:
            break
        rule = _rule(one.text("RRULE"))
        until = read_local(rule["UNTIL"]) if rule and "UNTIL" in rule else None
        if until is not None and rule and rule["UNTIL"].strip().endswith("Z"):
            until += before
        found.append(_Observance(before, offset, (start, *more), rule, until))
    return found


def _offset(value: str) -> timedelta | None:
    found = _OFFSET.match(value.strip())
    if found is None or int(found[2]) > 23:
        return None
    length = timedelta(hours=int(found[2]), minutes=int(found[3]), seconds=int(found[4] or 0))
    return -length if found[1] == "-" else length


def _rule(value: str) -> dict[str, str] | None:
    """The parts of a yearly rule; None for any other."""
    parts = (part.partition("=") for part in value.upper().split(";")[:20])
    rule = {name.strip(): text.strip() for name, _, text in parts}
    return rule if rule.get("FREQ") == "YEARLY" else None


def _in_year(rule: dict[str, str], year: int, start: datetime) -> datetime | None:
    """The onset of a rule in a year: ``nth weekday``, or a weekday among days of the month."""
    month = _number(rule.get("BYMONTH", "")) or start.month
    if not (1 <= month <= 12 and 1 <= year <= 9999):
        return None
    days = range(1, calendar.monthrange(year, month)[1] + 1)
    within = [n for text in rule.get("BYMONTHDAY", "").split(",")[:31] if (n := _number(text))]
    which = _DAY.match(rule.get("BYDAY", ""))
    chosen: list[int] = [day for day in days if not within or day in within]
    if which is not None:
        chosen = [day for day in chosen if date(year, month, day).weekday() == _DAYS.index(which[2])]
        nth = int(which[1] or 1)
        chosen = chosen[nth - 1 : nth or None][:1] if nth > 0 else chosen[nth:][:1]
    elif not within:
        chosen = [min(start.day, days[-1])]
    return start.replace(year=year, month=month, day=chosen[0]) if chosen else None


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else None


def _iana(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, also one with a path of its author's before it."""
    parts = name.strip().strip("/").split("/")
    for count in (3, 2):
        key = "/".join(parts[-count:])
        if len(parts) >= count and _IANA.match(key):
            try:
                return ZoneInfo(key)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                continue
    return ZoneInfo("UTC") if name.strip().upper() in ("UTC", "GMT", "Z") else None
