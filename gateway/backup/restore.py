"""Putting a backup into an empty data directory. The mail and the index follow: see ``postern restore``."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from gateway.backup import catalog, postgres
from gateway.backup.catalog import Manifest
from gateway.backup.records import BackupError

_TAKEN = (catalog.RECORDS, "mail", "lookup.db", "lookup/lookup.db", *catalog.SECRETS)


def refuse_occupied(data: Path) -> None:
    """Raise BackupError when there is anything of a gateway in ``data`` already."""
    for name in _TAKEN:
        if (data / name).exists():
            raise BackupError(
                f"{data} holds a gateway already ({name}): restore into an empty directory, "
                "or move this one away first"
            )


def put_back(folder: Path, manifest: Manifest, data: Path, url: str, lookup: Path) -> None:
    """Put the records, secrets and lookup tables of an opened backup in place; all are fsynced.

    ``url``: the PostgreSQL database, which must be empty; otherwise empty. ``lookup``: where the mail server has
    its tables. The database comes last, so that what was cut short is no gateway. Blocks. Raises BackupError.
    """
    if bool(url) != (manifest.database == "postgresql"):
        raise BackupError(
            f"the backup is of a {manifest.database} database: set database.url "
            + ("to an empty PostgreSQL database" if not url else "empty")
        )
    data.mkdir(mode=0o711, parents=True, exist_ok=True)
    lookup.parent.mkdir(parents=True, exist_ok=True)
    for name in catalog.SECRETS:
        # the mail server's key stands beside its tables, wherever those are
        _copy(
            folder / name, (lookup.parent if name == "server.key" and lookup.parent != data else data) / name
        )
    if (folder / catalog.LOOKUP).exists():
        _copy(folder / catalog.LOOKUP, lookup)
    if url:
        postgres.put_back(url, folder / catalog.DUMP)
    else:
        _copy(folder / catalog.RECORDS, data / catalog.RECORDS)
    catalog.sync_file(data)


def give_to_owner(data: Path, made: Iterable[Path]) -> None:
    """As root, hand the files to whom the data directory belongs."""
    if os.geteuid() != 0:
        return
    owner = data.stat()
    for path in made:
        if path.exists():
            os.chown(path, owner.st_uid, owner.st_gid)


def waiting(data: Path) -> int:
    """How many messages the restored outbox still means to send. Blocks."""
    with closing(sqlite3.connect(data / catalog.RECORDS)) as db:
        (count,) = db.execute("SELECT count(*) FROM outbox WHERE state = 'queued'").fetchone()
        return int(count)


def _copy(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.new")
    with (
        open(source, "rb") as read,
        open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out,
    ):
        shutil.copyfileobj(read, out, 1 << 20)
        out.flush()
        os.fsync(out.fileno())
    os.replace(partial, target)
