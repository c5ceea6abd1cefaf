"""The events of a message's calendar parts, as every dialect shows them: their names are single words."""

from __future__ import annotations

import msgspec

from gateway.mime.types import CalendarEvent


class PersonView(msgspec.Struct):
    """A name, which may be empty, and an address."""

    name: str
    email: str


class AttendeeView(PersonView):
    """Who is invited. ``status``: needs-action, accepted, declined, tentative, delegated. ``role``: chair,
    req-participant, opt-participant, non-participant. ``rsvp``: an answer is asked for.
    """

    role: str
    status: str
    rsvp: bool


class CalendarEventView(msgspec.Struct):
    """An event of a calendar (RFC 5545). ``method``: request (an invitation), reply, cancel, publish … ``start`` and
    ``end``: 2026-02-03T10:00:00Z, without the Z where the zone is not known; 2026-02-03 for whole days, whose ``end``
    is the day after the last. ``occurrence``: of a series, the one that it is about.
    """

    method: str | None
    uid: str | None
    sequence: int
    occurrence: str | None
    start: str | None
    end: str | None
    timezone: str | None
    recurrence: str | None
    summary: str
    location: str
    description: str
    status: str | None
    organizer: PersonView | None
    attendees: list[AttendeeView]


def calendar_view(events: list[CalendarEvent]) -> list[CalendarEventView]:
    """Events as JSON."""
    return [
        CalendarEventView(
            method=one.method,
            uid=one.uid,
            sequence=one.sequence,
            occurrence=one.occurrence,
            start=one.start,
            end=one.end,
            timezone=one.timezone,
            recurrence=one.recurrence,
            summary=one.summary,
            location=one.location,
            description=one.description,
            status=one.status,
            organizer=PersonView(one.organizer.name, one.organizer.email) if one.organizer else None,
            attendees=[
                AttendeeView(each.name, each.email, each.role, each.status, each.rsvp)
                for each in one.attendees
            ],
        )
        for one in events
    ]
