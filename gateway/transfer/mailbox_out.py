"""Reading whole mailboxes over IMAP, folder by folder, in batches of bounded size. Runs in the pool's threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.sync.fetch import BATCH_MESSAGES, BATCH_OCTETS, flag_words, role_of
from mailserver.imap import Client


@dataclass(frozen=True, slots=True)
class Listed:
    """A message of a folder before its octets are read. ``date`` in µs."""

    uid: int
    size: int
    date: int
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FolderOut:
    """A folder as it is listed: its name with ``/`` between levels, and as the server calls it."""

    name: str
    on_server: str
    role: str
    uidvalidity: int
    messages: list[Listed]


def folders(client: Client) -> list[tuple[str, str, str]]:
    """(name with ``/``, name on the server, role) of every folder that can be opened."""
    found = []
    for flags, delimiter, name in client.list_folders():
        lowered = {flag.lower() for flag in flags}
        if b"\\noselect" in lowered or b"\\nonexistent" in lowered:
            continue
        text = str(name)
        split = delimiter.decode("ascii", "replace") if delimiter else ""
        shown = "/".join(one.replace("/", "-") for one in text.split(split)) if split else text
        role = "all" if b"\\all" in lowered else role_of(text, flags)
        found.append((shown, text, role))
    return sorted(found, key=lambda one: (one[2] != "inbox", one[0]))


def listing(client: Client, name: str, on_server: str, role: str) -> FolderOut:
    """What is in a folder now."""
    opened = client.open(on_server, readonly=True)
    validity = int(opened.get(b"UIDVALIDITY") or 0)
    if not opened.get(b"EXISTS"):
        return FolderOut(name, on_server, role, validity, [])
    rows, _ = client.fetch_set("1:*", ["UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE"])
    messages = [
        Listed(
            uid,
            int(row.get(b"RFC822.SIZE", 0)),
            _micros(row.get(b"INTERNALDATE")),
            flag_words(row.get(b"FLAGS", ())),
        )
        for uid, row in sorted(rows.items())
        if b"RFC822.SIZE" in row
    ]
    return FolderOut(name, on_server, role, validity, messages)


def batches(messages: list[Listed]) -> Iterator[list[Listed]]:
    """Messages in groups that one FETCH may answer."""
    group: list[Listed] = []
    octets = 0
    for one in messages:
        if group and (len(group) >= BATCH_MESSAGES or octets + one.size > BATCH_OCTETS):
            yield group
            group, octets = [], 0
        group.append(one)
        octets += one.size
    if group:
        yield group


def octets(client: Client, on_server: str, wanted: list[Listed]) -> dict[int, bytes]:
    """The whole messages by UID; those that are gone are left out."""
    if client.selected != on_server:
        client.open(on_server, readonly=True)
    uids = ",".join(str(one.uid) for one in wanted)
    rows, _ = client.fetch_set(uids, ["UID", "BODY.PEEK[]"])
    return {uid: bytes(row[b"BODY[]"]) for uid, row in rows.items() if row.get(b"BODY[]") is not None}


def each(client: Client, folder: FolderOut, take: Callable[[Listed, bytes], None]) -> int:
    """Hand every message of a folder to ``take``; answers how many."""
    done = 0
    for group in batches(folder.messages):
        found = octets(client, folder.on_server, group)
        for one in group:
            if one.uid in found:
                take(one, found.pop(one.uid))
                done += 1
    return done


def _micros(when: Any) -> int:
    if not isinstance(when, datetime):
        return 0
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1_000_000)
