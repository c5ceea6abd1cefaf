"""An entry of a message's history, as all dialects show it; they differ in how they write ids, times and names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from gateway.core.history.entry import Entry, Kind
from gateway.records.ids import EVENT_ID, KEY_ID, REVIEW_ID, WEBHOOK_ID

Doc = msgspec.Meta

Complete = Annotated[bool, Doc(description="false: some entries are not there; missing says why")]
Missing = Annotated[list[str], Doc(description="why entries are missing, in words; mostly they are too old")]

_PUBLIC: dict[str, Callable[[Any], str]] = {
    "key_id": KEY_ID.public,
    "event_id": EVENT_ID.public,
    "webhook_id": WEBHOOK_ID.public,
    "review_id": REVIEW_ID.public,
}


class HistoryEntry(msgspec.Struct):
    """Something that happened to a message."""

    at: Annotated[str, Doc(description="when, ISO 8601 in UTC")]
    kind: Annotated[Kind, Doc(description="what happened")]
    text: Annotated[str, Doc(description="the same in words; mail servers wrote parts of it")]
    facts: Annotated[
        dict[str, Any],
        Doc(description="who, where and with what result, by name; only those that the entry has"),
    ]


def history_entry(
    entry: Entry,
    *,
    time: Callable[[int], str],
    name: Callable[[str], str] = str,
    ids: Callable[[str], str | int] | None = None,
) -> HistoryEntry:
    """The view of an entry. ``time`` writes µs, ``name`` the name of a fact, ``ids`` a ULID where the dialect does not
    write prefixed ids."""
    facts: dict[str, Any] = {}
    for field, value in msgspec.structs.asdict(entry).items():
        if value is None or field in ("at", "kind", "text"):
            continue
        if field in _PUBLIC:
            value = ids(value) if ids else _PUBLIC[field](value)
        elif field == "next_attempt_at":
            value = time(value)
        facts[name(field)] = value
    return HistoryEntry(at=time(entry.at), kind=entry.kind, text=entry.text, facts=facts)
