"""Reading what changed in a mailbox: functions that run on an IMAP connection, in a pool thread.

RFC 9051 (UIDVALIDITY, UIDNEXT), RFC 7162 (CHANGEDSINCE, VANISHED), RFC 6154 (special-use roles).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.records.folders import FolderRole, FoundCopy
from mailserver.imap import Client

BATCH_MESSAGES = 100
BATCH_OCTETS = 2 * 1024 * 1024
"""Octets of one batch. A larger message comes alone, when there is memory for it."""
_AT_ONCE = 256 * 1024
"""Octets that are read of a new message before its size is known."""
_FRESH_VIEWS = 4
"""How often a message that comes empty is asked for: one that is really empty is taken for that at last."""

_ROLES: dict[bytes, FolderRole] = {
    b"\\sent": "sent",
    b"\\drafts": "drafts",
    b"\\trash": "trash",
    b"\\junk": "junk",
    b"\\archive": "archive",
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a folder has been read. ``uidnext`` is the first UID not yet indexed."""

    role: FolderRole
    uidvalidity: int
    uidnext: int
    modseq: int


@dataclass(frozen=True, slots=True)
class FolderState:
    """A folder as the server describes it now."""

    name: str
    role: FolderRole
    uidvalidity: int
    uidnext: int
    modseq: int


@dataclass(frozen=True, slots=True)
class Found:
    """A message on the server. ``internal_date`` in µs."""

    uid: int
    flags: tuple[str, ...]
    internal_date: int
    raw: bytes = field(repr=False)

    def copy(self, folder_id: int, folder: FolderState) -> FoundCopy:
        """The same with its folder."""
        return FoundCopy(folder_id, folder.role, folder.name, self.uid, self.flags, self.internal_date)


@dataclass(slots=True)
class Delta:
    """What changed in one folder since its cursor. ``more``: there is another batch to fetch."""

    state: FolderState
    uidnext: int
    modseq: int
    reset: bool = False
    found: list[Found] = field(default_factory=list)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    vanished: list[tuple[int, int]] = field(default_factory=list)  # inclusive ranges
    alive: set[int] | None = None  # without QRESYNC: every UID there is
    more: bool = False
    large: int = 0  # octets of the next message, where it is larger than there was room for


def role_of(name: str, flags: Iterable[bytes]) -> FolderRole:
    """The role of a folder by its special-use attributes (RFC 6154), INBOX by name."""
    if name.upper() == "INBOX":
        return "inbox"
    for flag in flags:
        role = _ROLES.get(flag.lower())
        if role:
            return role
    return "other"


def folder_roles(client: Client) -> dict[str, FolderRole]:
    """The role of every folder that can be opened, by its name."""
    return {
        str(name): role_of(str(name), flags)
        for flags, _, name in client.list_folders()
        if not {flag.lower() for flag in flags} & {b"\\noselect", b"\\nonexistent"}
    }


def list_folders(client: Client) -> list[FolderState]:
    """Every selectable folder with its state."""
    client.leave()
    states = [status(client, name, role) for name, role in folder_roles(client).items()]
    # a reply may quote what was sent: the sender's copy comes first
    states.sort(key=lambda one: ("sent", "inbox").index(one.role) if one.role in ("sent", "inbox") else 2)
    return states


def status(client: Client, name: str, role: FolderRole) -> FolderState:
    """STATUS of one folder."""
    wanted = ["UIDVALIDITY", "UIDNEXT"] + (["HIGHESTMODSEQ"] if client.qresync else [])
    answer: Mapping[bytes, int] = client.folder_status(name, wanted)
    return FolderState(
        name, role, answer[b"UIDVALIDITY"], answer[b"UIDNEXT"], answer.get(b"HIGHESTMODSEQ", 0)
    )


def grown(state: FolderState, cursor: Cursor | None) -> bool:
    """Whether mail may have come to a folder, or what is in it means something else now (its role)."""
    if cursor is None:
        return True
    known = (cursor.role, cursor.uidvalidity, cursor.uidnext)
    return (state.role, state.uidvalidity, state.uidnext) != known


def changed(state: FolderState, cursor: Cursor, qresync: bool) -> bool:
    """Whether flags may have changed in a folder, or mail may have gone."""
    return state.modseq != cursor.modseq if qresync else True


def read(
    client: Client,
    name: str,
    role: FolderRole,
    cursor: Cursor | None,
    *,
    only_new: bool,
    room: int = BATCH_OCTETS,
) -> Delta:
    """One batch of what is new in a folder, and (unless ``only_new``) its flag changes and vanished UIDs.

    A first message of more than ``room`` octets is not read; the delta only has its size (``large``).
    Flag changes come with the last batch, so the MODSEQ cursor only moves when everything before it is read.
    """
    opened = client.open(name, readonly=True)
    validity, uidnext = int(opened[b"UIDVALIDITY"]), int(opened.get(b"UIDNEXT") or 0)
    modseq = _first(opened.get(b"HIGHESTMODSEQ"))
    if not uidnext:
        uidnext = status(client, name, role).uidnext
    reset = cursor is not None and (cursor.role, cursor.uidvalidity) != (role, validity)
    start = 1 if cursor is None or reset else cursor.uidnext
    known_modseq = 0 if cursor is None or reset else cursor.modseq
    state = FolderState(name, role, validity, uidnext, modseq)
    delta = Delta(state, uidnext=start, modseq=known_modseq, reset=reset)
    if uidnext > start:
        delta.found, delta.uidnext, delta.large = _new(client, name, start, uidnext, room)
        delta.more = delta.uidnext < uidnext
    if only_new or delta.more:
        return delta
    if cursor is not None and not reset:
        if client.qresync and known_modseq:
            if modseq > known_modseq:
                _changes(client, delta, start, known_modseq)
        elif start > 1:
            _compare(client, delta, start)
    delta.modseq = modseq
    return delta


def fetch_uids(client: Client, name: str, uids: list[int]) -> list[Found]:
    """Whole messages by UID, in that order; those that are gone are left out."""
    if client.selected != name:
        client.open(name, readonly=True)
    found = {one.uid: one for one in _whole(client, name, uids)}
    return [found[uid] for uid in uids if uid in found]


def overview(client: Client, name: str, role: FolderRole) -> tuple[FolderState, list[tuple[int, int, int]]]:
    """(state now; ``(internal date µs, uid, size)`` of every message) of a folder."""
    opened = client.open(name, readonly=True)
    state = FolderState(
        name, role, int(opened[b"UIDVALIDITY"]), int(opened[b"UIDNEXT"]), _first(opened.get(b"HIGHESTMODSEQ"))
    )
    if not opened.get(b"EXISTS"):
        return state, []
    rows, _ = client.fetch_set("1:*", ["UID", "INTERNALDATE", "RFC822.SIZE"])
    return state, [
        (_micros(row.get(b"INTERNALDATE")), uid, int(row.get(b"RFC822.SIZE", 0))) for uid, row in rows.items()
    ]


def _new(client: Client, name: str, start: int, uidnext: int, room: int) -> tuple[list[Found], int, int]:
    """The next messages, the first UID that is not among them, and the size of that one if it was too large."""
    last = uidnext - 1
    if last - start < 4:
        return _few(client, name, start, uidnext, room)
    rows, _ = client.fetch_set(f"{start}:{last}", ["UID", "RFC822.SIZE"])
    sizes = {
        uid: int(row.get(b"RFC822.SIZE", 0)) for uid, row in sorted(rows.items()) if start <= uid <= last
    }
    uids: list[int] = []
    octets = 0
    until = uidnext
    for uid, size in sizes.items():
        if not uids and size > max(room, BATCH_OCTETS):
            return [], uid, size
        if uids and (len(uids) >= BATCH_MESSAGES or octets + size > BATCH_OCTETS):
            until = uid
            break
        uids.append(uid)
        octets += size
    return (_whole(client, name, uids), until, 0) if uids else ([], uidnext, 0)


def _few(client: Client, name: str, start: int, uidnext: int, room: int) -> tuple[list[Found], int, int]:
    """``_new`` for the usual case, in one round trip: what is small is read with its size."""
    wanted = ["UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", f"BODY.PEEK[]<0.{_AT_ONCE}>"]
    rows, _ = client.fetch_set(f"{start}:{uidnext - 1}", wanted)
    found: list[Found] = []
    octets = 0
    for uid, row in sorted(rows.items()):
        body = _body(row)
        if not start <= uid < uidnext or body is None:
            continue
        if 0 < len(body) < _AT_ONCE:
            found.append(_found(uid, row, body))
            continue
        size = max(len(body), int(row.get(b"RFC822.SIZE", 0)))
        if found and octets + size > BATCH_OCTETS:
            return found, uid, 0
        if size > max(room, BATCH_OCTETS):
            return [], uid, size
        found += _whole(client, name, [uid])
        octets += size
    return found, uidnext, 0


def _whole(client: Client, name: str, uids: list[int]) -> list[Found]:
    """Whole messages of the open folder, by UID ascending; those that are gone are left out.

    A message that another session expunges meanwhile stays in our view of the folder, and its text is empty then
    (RFC 9051 §7.5.1, RFC 2180 §4.1): what came empty is asked for again in a fresh view.
    """
    found: list[Found] = []
    asked = set(uids)
    for attempt in range(_FRESH_VIEWS):
        rows, _ = client.fetch_set(_set_of(list(asked)), ["UID", "FLAGS", "INTERNALDATE", "BODY.PEEK[]"])
        read = {uid: (row, body) for uid, row in rows.items() if (body := _body(row)) is not None}
        empty = {uid for uid, (_, body) in read.items() if not body} & asked
        last = not empty or attempt == _FRESH_VIEWS - 1
        found += [
            _found(uid, row, body) for uid, (row, body) in read.items() if uid in asked and (body or last)
        ]
        if last:
            break
        asked = empty
        client.open(name, readonly=True)
    return sorted(found, key=lambda one: one.uid)


def _body(row: Mapping[bytes, Any]) -> bytes | None:
    """What a row holds of the message; None when it is gone."""
    for key, value in row.items():
        if key.startswith(b"BODY["):
            return bytes(value or b"")
    return None


def _changes(client: Client, delta: Delta, before: int, modseq: int) -> None:
    rows, gone = client.fetch_set("1:*", ["UID", "FLAGS"], [f"CHANGEDSINCE {modseq}", "VANISHED"])
    for uid, row in rows.items():
        if uid < before and b"FLAGS" in row:
            delta.flags[uid] = flag_words(row[b"FLAGS"])
    for one in gone:
        delta.vanished += _ranges(one)


def _compare(client: Client, delta: Delta, before: int) -> None:
    rows, _ = client.fetch_set("1:*", ["UID", "FLAGS"])
    delta.alive = set()
    for uid, row in rows.items():
        delta.alive.add(uid)
        if uid < before and b"FLAGS" in row:
            delta.flags[uid] = flag_words(row[b"FLAGS"])


def _found(uid: int, row: Mapping[bytes, Any], body: bytes) -> Found:
    return Found(uid, flag_words(row.get(b"FLAGS", ())), _micros(row.get(b"INTERNALDATE")), body)


def flag_words(flags: Iterable[Any]) -> tuple[str, ...]:
    """Flags as IMAPClient gives them, as text; what only this session saw is left out."""
    return tuple(
        one.decode("ascii", "replace") if isinstance(one, bytes) else str(one)
        for one in flags
        if one not in (b"\\Recent", "\\Recent")
    )


def _micros(when: Any) -> int:
    if not isinstance(when, datetime):
        return 0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return int(when.timestamp() * 1_000_000)


def _first(value: Any) -> int:
    if isinstance(value, (list, tuple)):
        value = value[0] if value else 0
    return int(value or 0)


def _set_of(uids: list[int]) -> str:
    ranges: list[list[int]] = []
    for uid in sorted(uids):
        if ranges and uid == ranges[-1][1] + 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    return ",".join(f"{a}:{b}" if a != b else str(a) for a, b in ranges)


def _ranges(raw: bytes) -> list[tuple[int, int]]:
    """``(EARLIER) 41,43:116`` (RFC 7162 §3.2.10) as inclusive ranges."""
    text = raw.decode("ascii", "replace").removeprefix("(EARLIER)").strip()
    found = []
    for one in text.split(","):
        low, _, high = one.partition(":")
        if low.isdigit():
            found.append((int(low), int(high) if high.isdigit() else int(low)))
    return found
