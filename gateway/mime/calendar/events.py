"""The events of a text/calendar part (RFC 5545 §3.6.1): who invites whom to what, and when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote

from gateway.mime.calendar.content_lines import Component, Line, read_components
from gateway.mime.calendar.times import end_of, read_moment
from gateway.mime.calendar.zones import Zones
from gateway.mime.charset import scrub
from gateway.mime.types import Address, Attendee, CalendarEvent

_MOST_EVENTS = 20
_MOST_READ = 60  # of a calendar, with those that come again
_MOST_PEOPLE = 200  # of all events of a message
_SHORT, _LONG = 500, 5000  # characters of a line, of a description
_UID = 1000
_TOKEN = re.compile(r"[A-Za-z0-9-]{1,40}\Z")
_EMAIL = re.compile(r"[^\s<>()\",;:\\\x00-\x1f\x7f]{1,254}@[^\s<>()\",;:\\@\x00-\x1f\x7f]{1,253}\Z")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class CalendarText(NamedTuple):
    """A calendar part: its section, its text, and the method that its Content-Type names."""

    section: str
    text: str
    method: str | None


class Calendar(NamedTuple):
    """The events of a message, and what was left out, in words."""

    events: list[CalendarEvent]
    defects: list[str]


def read_calendars(parts: Sequence[CalendarText]) -> Calendar:
    """The events of all calendar parts. One that comes again (many send a calendar twice) is there once."""
    found: dict[tuple[str, str | None], CalendarEvent] = {}  # by identifier and occurrence
    defects: list[str] = []
    room = _MOST_PEOPLE
    for part in parts:
        components = read_components(part.text)
        calendars = [one for one in components if one.name == "VCALENDAR"]
        if not calendars and any(one.name == "VEVENT" for one in components):
            calendars = [Component("VCALENDAR", inner=components)]
        if not calendars:
            defects.append(f"part {part.section}: no calendar could be read")
        for calendar in calendars:
            method = _token(calendar.text("METHOD")) or _token(part.method or "")
            zones = Zones(one for one in calendar.inner if one.name == "VTIMEZONE")
            for component in [one for one in calendar.inner if one.name == "VEVENT"][:_MOST_READ]:
                event = _event(component, zones, part.section, method, room)
                if event is None:
                    continue
                key = (event.uid or f"{event.start} {event.summary}", event.occurrence)
                if key in found:
                    continue
                if len(found) >= _MOST_EVENTS:
                    defects.append(
                        f"part {part.section}: {_MOST_EVENTS} calendar events are listed, it has more"
                    )
                    return Calendar(list(found.values()), defects)
                found[key] = event
                room -= len(event.attendees)
                if room <= 0:
                    defects.append(f"part {part.section}: {_MOST_PEOPLE} attendees are listed")
                    return Calendar(list(found.values()), defects)
    return Calendar(list(found.values()), defects)


def _event(
    component: Component, zones: Zones, section: str, method: str | None, room: int
) -> CalendarEvent | None:
    uid = _line(component.text("UID"), _UID + 1)
    start = read_moment(component.first("DTSTART"), zones)
    if not uid and start is None:
        return None
    occurrence = read_moment(component.first("RECURRENCE-ID"), zones)
    sequence = component.text("SEQUENCE").strip()
    people = [one for line in component.all("ATTENDEE") if (one := _attendee(line))]
    organizer = component.first("ORGANIZER")
    return CalendarEvent(
        part=section,
        method=method and method.lower(),
        uid=uid if 0 < len(uid) <= _UID else None,  # a part of it would name another event
        sequence=int(sequence) if sequence.isascii() and sequence.isdecimal() and len(sequence) < 10 else 0,
        occurrence=occurrence.shown() if occurrence else None,
        start=start.shown() if start else None,
        end=end_of(component, start, zones).shown() if start else None,
        timezone=_line(start.zone, _SHORT) if start and start.zone else None,
        recurrence=_line(component.text("RRULE"), _SHORT) or None,
        summary=_line(component.text("SUMMARY"), _SHORT),
        location=_line(component.text("LOCATION"), _SHORT),
        description=_clean(component.text("DESCRIPTION"))[:_LONG],
        status=(_token(component.text("STATUS")) or "").lower() or None,
        organizer=_person(organizer) if organizer else None,
        attendees=people[:room],
    )


def _attendee(line: Line) -> Attendee | None:
    person = _person(line)
    if person is None:
        return None
    return Attendee(
        name=person.name,
        email=person.email,
        role=(_token(line.params.get("ROLE", "")) or "req-participant").lower(),
        status=(_token(line.params.get("PARTSTAT", "")) or "needs-action").lower(),
        rsvp=line.params.get("RSVP", "").strip().upper() == "TRUE",
    )


def _person(line: Line) -> Address | None:
    """A calendar user's name and address (RFC 5545 §3.3.3); EMAIL where the value is none (RFC 7986 §6.2)."""
    value = line.value.strip()
    given = unquote(value[7:].partition("?")[0]) if value[:7].lower() == "mailto:" else value
    for email in (given, line.params.get("EMAIL", "")):
        if _EMAIL.match(email := scrub(email.strip().strip("<>"))):
            name = _line(line.params.get("CN", ""), _SHORT)
            return Address("" if name.lower() == email.lower() else name, email)
    return None


def _token(value: str) -> str | None:
    value = value.strip()
    return value if _TOKEN.match(value) else None


def _clean(text: str) -> str:
    return _CONTROLS.sub(" ", scrub(text))


def _line(text: str, most: int) -> str:
    return " ".join(_clean(text).split())[:most]
