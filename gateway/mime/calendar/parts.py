"""Which parts of a message are calendars, and their text."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.mime.attachments import leaf_filename
from gateway.mime.calendar.events import Calendar, CalendarText, read_calendars
from gateway.mime.charset import decode
from gateway.mime.structure import Leaf

_TYPES = frozenset(("text/calendar", "application/ics", "application/calendar"))
_OPAQUE = frozenset(("application/octet-stream", "text/plain"))
_MOST_PARTS = 5
_MOST_OCTETS = 256 * 1024  # of a calendar


def calendar_of(leaves: Sequence[Leaf]) -> Calendar:
    """The events of the calendars among these parts (RFC 6047 §2)."""
    texts, defects = [], []
    for leaf in [leaf for leaf in leaves if _is_calendar(leaf)][:_MOST_PARTS]:
        data = leaf.content()
        if len(data) > _MOST_OCTETS:
            defects.append(f"part {leaf.section}: {_MOST_OCTETS // 1024} KiB of the calendar are read")
        text = decode(data[:_MOST_OCTETS], leaf.params.get("charset") or "utf-8")
        texts.append(CalendarText(leaf.section, text.removeprefix("\ufeff"), leaf.params.get("method")))
    if not texts:
        return Calendar([], [])
    found = read_calendars(texts)
    return Calendar(found.events, defects + found.defects)


def _is_calendar(leaf: Leaf) -> bool:
    if leaf.content_type in _TYPES:
        return True
    return leaf.content_type in _OPAQUE and (leaf_filename(leaf) or "").lower().endswith(".ics")
