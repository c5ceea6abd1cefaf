"""The folders of a mailbox, and where in them a message is: what the gateway has read of the mail server."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from gateway.records.base import Record
from gateway.records.ids import InboxId, MessageId

FolderRole = Literal["inbox", "sent", "drafts", "junk", "trash", "archive", "other"]

REMOVED = ""
"""The ``message_id`` of a location whose message was expunged or moved by the API: a scan that read it just before must
not bring the message back. The row goes when the mail server reports the UID as vanished."""


class Folder(Record, frozen=True):
    """A folder and how far it has been read: the cursor from which a scan goes on."""

    table: ClassVar[str] = "folder"

    id: int
    inbox_id: InboxId
    name: str
    role: FolderRole
    uidvalidity: int
    uidnext: int  # the first UID that is not indexed yet
    highestmodseq: int
    synced_at: int  # µs


CopyKey = tuple[int, int]
"""UIDVALIDITY and UID of a copy: together they never mean another one (RFC 9051 §2.3.1.1)."""


class Copy(msgspec.Struct, frozen=True):
    """A copy of a message on the mail server. ``location_id`` None: it was found there, and is not indexed yet."""

    folder: str
    role: FolderRole
    uidvalidity: int
    uid: int
    flags: tuple[str, ...] = ()
    location_id: int | None = None

    @property
    def key(self) -> CopyKey:
        """What a draft knows its copy by."""
        return self.uidvalidity, self.uid


class FoundCopy(msgspec.Struct, frozen=True):
    """A copy of a message in a folder, as a scan found it. ``internal_date``: when it was stored there (µs)."""

    folder_id: int
    role: FolderRole
    folder: str
    uid: int
    flags: tuple[str, ...]
    internal_date: int


class Location(Record, frozen=True):
    """A copy of a message in a folder. A message may have several; drafts have none."""

    table: ClassVar[str] = "location"

    id: int
    folder_id: int
    uid: int
    message_id: MessageId  # REMOVED: see there
    inbox_id: InboxId
    flags: str  # separated by blanks, as the mail server gave them
    repeat: bool  # its sender sent it once more: it does not say where the message is

    @property
    def removed(self) -> bool:
        """Whether its message was expunged or moved away."""
        return self.message_id == REMOVED

    @property
    def flag_names(self) -> tuple[str, ...]:
        """The flags, one by one."""
        return tuple(self.flags.split())
