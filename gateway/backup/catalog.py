"""How backups are named and described, and which of them are old.

In a directory a backup is a directory ``postern-20260131T020000Z`` (UTC); as one file it is a ``.tar.gz`` with the
same content. ``manifest.json`` in it says what there must be.
"""

from __future__ import annotations

import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gateway.backup.records import BackupError

FORMAT = "postern-backup"
VERSION = 2
"""2: the lookup tables are a SQLite file wherever they come from; 1 is read, too."""
MANIFEST = "manifest.json"
RECORDS = "postern.db"
DUMP = "postern.pgdump"
LOOKUP = "lookup.db"
LOOKUP_DUMP = "lookup.pgdump"  # of format 1
SETTINGS = "postern.toml"
SECRETS = ("secret", "server.key")  # the gateway's, the mail server's
MAIL = "mail"

_NAME = re.compile(r"postern-\d{8}T\d{6}Z")


class MailCount(msgspec.Struct, frozen=True):
    """What of the mail is in a backup."""

    inboxes: int
    messages: int
    octets: int


class LookupCount(msgspec.Struct, frozen=True):
    """What of the lookup tables is in a backup. ``passwords``: mailboxes that a person can log in to."""

    domains: int
    mailboxes: int
    passwords: int
    aliases: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``manifest.json``. ``files`` maps a name to its SHA-256 (hex); ``rows`` a table to its rows."""

    format: str = FORMAT
    version: int = VERSION
    made_at: str
    postern: str
    database: str  # sqlite, postgresql
    schema: list[str]
    rows: dict[str, int]
    files: dict[str, str]
    mail: MailCount | None = None
    lookup: LookupCount | None = None  # None in format 1
    left_out: list[str] = []


def name_now() -> str:
    """The name of a backup made now."""
    return datetime.now(UTC).strftime("postern-%Y%m%dT%H%M%SZ")


def backups_in(directory: Path) -> list[Path]:
    """The whole backups in a directory, oldest first."""
    if not directory.is_dir():
        return []
    return sorted(one for one in directory.iterdir() if _NAME.fullmatch(one.name) and one.is_dir())


def manifest_of(backup: Path) -> Manifest:
    """What a backup (its directory) says of itself. Raises BackupError."""
    try:
        found = msgspec.json.decode((backup / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(f"{backup} is no backup of Postern: {error}") from error
    if found.format != FORMAT or found.version > VERSION:
        raise BackupError(
            f"{backup} is a {found.format} of version {found.version}, made by Postern {found.postern}: "
            "restore it with that version"
        )
    return found


def remove_old(directory: Path, keep: int) -> list[str]:
    """Delete all but the ``keep`` newest backups, and what broken-off ones left; answers their names. Blocks."""
    gone = backups_in(directory)[:-keep]
    for one in gone:
        dead = one.with_name(f".{one.name}.old")
        os.replace(one, dead)  # half a backup must not look like one
        shutil.rmtree(dead)
    for left in directory.glob(".postern-*Z.old"):
        shutil.rmtree(left)
    return [one.name for one in gone]
