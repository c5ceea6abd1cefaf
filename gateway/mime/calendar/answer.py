"""The calendar of an answer to an invitation (RFC 5546 §3.2.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from gateway.mime.calendar.content_lines import escape
from gateway.mime.types import Address, CalendarEvent

_LINE = 75  # octets (RFC 5545 §3.1)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_DIGITS = re.compile(r"[-:]")


def answer_calendar(
    event: CalendarEvent, attendee: Address, status: str, *, at: int, comment: str = ""
) -> bytes:
    """The octets of a METHOD:REPLY.

    Args:
        event: what is answered: with ``uid`` and ``organizer``.
        attendee: who answers, as the invitation names them.
        status: ``accepted``, ``declined`` or ``tentative``.
        at: when, in µs.

    Raises ValueError for an event without ``uid`` or ``organizer``.
    """
    if event.uid is None or event.organizer is None:
        raise ValueError("the event names no organizer")
    stamp = datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    lines = [
        "BEGIN:VCALENDAR",
        "PRODID:-//Postern//Email gateway//EN",
        "VERSION:2.0",
        "METHOD:REPLY",
        "BEGIN:VEVENT",
        f"UID:{escape(event.uid)}",
        f"SEQUENCE:{event.sequence}",
        f"DTSTAMP:{stamp}",
        _person("ORGANIZER", "", event.organizer),
        _person("ATTENDEE", f";PARTSTAT={status.upper()}", attendee),
        *_time("RECURRENCE-ID", event.occurrence),
        *_time("DTSTART", event.start),
        *_time("DTEND", event.end),
        *([f"SUMMARY:{escape(event.summary)}"] if event.summary else []),
        *([f"COMMENT:{escape(comment)}"] if comment else []),
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return b"".join(_folded(line) for line in lines)


def _person(name: str, params: str, person: Address) -> str:
    shown = _CONTROLS.sub(" ", person.name)
    quoted = shown.replace("^", "^^").replace('"', "^'")  # RFC 6868
    if shown.strip():
        params += f';CN="{quoted}"'
    return f"{name}{params}:mailto:{person.email}"


def _time(name: str, shown: str | None) -> list[str]:
    """A time as ``CalendarEvent`` has it."""
    if shown is None:
        return []
    value = _DIGITS.sub("", shown)
    return [f"{name}:{value}" if "T" in value else f"{name};VALUE=DATE:{value}"]


def _folded(line: str) -> bytes:
    """A content line, folded between characters."""
    octets = _CONTROLS.sub(" ", line).encode()
    pieces: list[bytes] = []
    while len(octets) > _LINE:
        cut = _LINE - (1 if pieces else 0)
        while octets[cut] & 0xC0 == 0x80:
            cut -= 1
        pieces.append(octets[:cut])
        octets = octets[cut:]
    return b"\r\n ".join([*pieces, octets]) + b"\r\n"
