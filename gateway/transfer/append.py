"""Putting messages into a mailbox by IMAP APPEND, many at a time (RFC 3502), with their flags and dates.

Whatever the server refuses is tried once more alone, so that one bad message costs no neighbour its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from gateway.transfer.item import Item
from mailserver.imap import Client

BATCH_MESSAGES = 100
BATCH_OCTETS = 8 * 1024 * 1024

NAMES = {"sent": "Sent", "drafts": "Drafts", "junk": "Junk", "trash": "Trash", "archive": "Archive"}
_SYSTEM = {one.lower(): one for one in ("\\Seen", "\\Answered", "\\Flagged", "\\Draft")}
_KEYWORD = re.compile(r"[^\x00-\x20\x7f-\uffff(){%*\"\\\]]{1,200}")
_UNFIT = re.compile(r"[\x00-\x1f\x7f%*]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Refusal:
    """A message that is not there now, and why."""

    origin: str
    folder: str
    reason: str


@dataclass(slots=True)
class Report:
    """What became of the messages."""

    appended: int = 0
    octets: int = 0
    refused: list[Refusal] = field(default_factory=list)
    folders: dict[str, int] = field(default_factory=dict)


class Appender:
    """One mailbox being filled over one connection. ``extra``: flags for every message. Used by one thread."""

    def __init__(self, client: Client, *, extra: Sequence[str] = (), max_octets: int = 0) -> None:
        self._client = client
        self._extra = tuple(extra)
        self._max = max_octets
        self._waiting: list[Item] = []
        self._octets = 0
        self._names: dict[tuple[str, str], str] = {}
        self._roles: dict[str, str] = {"inbox": "INBOX"}
        self._delimiter = "/"
        self._known: set[str] = set()
        self._look()
        self.report = Report()

    def _look(self) -> None:
        for flags, delimiter, name in self._client.list_folders():
            lowered = {flag.lower() for flag in flags}
            self._known.add(str(name))
            self._delimiter = delimiter.decode("ascii", "replace") if delimiter else self._delimiter
            for role in NAMES:
                if f"\\{role}".encode() in lowered:
                    self._roles.setdefault(role, str(name))

    def add(self, item: Item) -> None:
        """Take a message; it is in the mailbox after the next :meth:`flush` at the latest."""
        if not item.raw.strip():
            self._refuse(item, "it is empty")
        elif self._max and len(item.raw) > self._max:
            self._refuse(item, f"it has {len(item.raw)} octets; mail.max_message is {self._max}")
        else:
            together = bool(self._waiting) and self._key(self._waiting[0]) == self._key(item)
            if not together or self._octets + len(item.raw) > BATCH_OCTETS:
                self.flush()
            self._waiting.append(item)
            self._octets += len(item.raw)
            if len(self._waiting) >= BATCH_MESSAGES:
                self.flush()

    def add_all(self, items: Iterable[Item]) -> None:
        """Take messages, and put the last of them in place."""
        for item in items:
            self.add(item)
        self.flush()

    def flush(self) -> None:
        """Put what waits into the mailbox. Raises OSError and IMAPClientAbortError when the connection is lost."""
        waiting, self._waiting, self._octets = self._waiting, [], 0
        if not waiting:
            return
        try:
            folder = self._folder(waiting[0])
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            for item in waiting:
                self._refuse(item, f"its folder cannot be made: {_words(error)}")
            return
        if len(waiting) > 1 and self._client.has_capability("MULTIAPPEND"):
            try:
                self._client.multiappend(folder, [self._wire(item) for item in waiting])
            except IMAPClientAbortError:
                raise
            except IMAPClientError:
                pass  # all or nothing (RFC 3502 §3): which it was is found one by one
            else:
                self._done(folder, waiting)
                return
        for item in waiting:
            try:
                self._client.append(folder, item.raw, self._flags(item), _date(item.date))
            except IMAPClientAbortError:
                raise
            except IMAPClientError as error:
                self._refuse(item, _words(error))
            else:
                self._done(folder, [item])

    def _done(self, folder: str, items: list[Item]) -> None:
        self.report.appended += len(items)
        self.report.octets += sum(len(item.raw) for item in items)
        self.report.folders[folder] = self.report.folders.get(folder, 0) + len(items)

    def _refuse(self, item: Item, reason: str) -> None:
        self.report.refused.append(Refusal(item.origin, item.folder, reason))

    def _wire(self, item: Item) -> dict[str, object]:
        made: dict[str, object] = {"msg": item.raw, "flags": self._flags(item)}
        when = _date(item.date)
        return made | {"date": when} if when is not None else made

    def _flags(self, item: Item) -> tuple[str, ...]:
        flags = dict.fromkeys(self._extra)
        for one in item.flags:
            if one.lower() in _SYSTEM:
                flags[_SYSTEM[one.lower()]] = None
            elif not one.startswith("\\") and _KEYWORD.fullmatch(one):
                flags[one] = None
        return tuple(flags)

    @staticmethod
    def _key(item: Item) -> tuple[str, str]:
        return (item.role, item.folder if item.role == "other" else "")

    def _folder(self, item: Item) -> str:
        """The folder's name on the server; made when there is none."""
        key = self._key(item)
        if key not in self._names:
            if item.role in NAMES or item.role == "inbox":
                name = self._roles.get(item.role) or NAMES[item.role]
            else:
                name = self._own(item.folder)
            self.make(name)
            self._names[key] = name
        return self._names[key]

    def make(self, name: str) -> None:
        """Make a folder unless it is there."""
        if name not in self._known and name.upper() != "INBOX":
            self._client.create_folder(name)
            self._client.subscribe_folder(name)
            self._known.add(name)

    def _own(self, folder: str) -> str:
        levels = [_UNFIT.sub("_", one).strip() for one in folder.split("/")]
        levels = [one.replace(self._delimiter, "-")[:100] for one in levels if one not in ("", ".", "..")]
        if not levels:
            return "Imported"
        if levels[0].startswith("~"):
            levels[0] = "_" + levels[0][1:]
        return self._delimiter.join(levels[:10])


def _date(micros: int | None) -> datetime | None:
    if micros is None:
        return None
    try:
        when = _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return None
    return when if 1970 <= when.year < 2100 else None


def _words(error: Exception) -> str:
    return re.sub(r"[\x00-\x1f\x7f]+", " ", str(error))[:300]
