"""Putting a backup into an empty data directory. The mail and the index follow: see ``postern restore``."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from gateway.backup import catalog, lookup, postgres
from gateway.backup.catalog import Manifest
from gateway.backup.moving import put_into_postgresql
from gateway.backup.records import BackupError
from gateway.core.context import Core
from gateway.fsync import sync_file
from gateway.store.database_url import sqlite_file
from gateway.store.queries.inboxes import unscoped_inboxes
from gateway.store.queries.outbox import unscoped_doubt_waiting
from gateway.store.transaction import Tx
from gateway.transfer.all_mailboxes import at_once
from gateway.transfer.append import Appender, Refusal, Report
from gateway.transfer.maildir_read import folders_of, read_maildir
from mailserver.imap import Client
from mailserver.lookup import Lookup

_TAKEN = (catalog.RECORDS, catalog.LOOKUP, f"lookup/{catalog.LOOKUP}", *catalog.SECRETS)


def refuse_occupied(data: Path, *, with_mail: bool) -> None:
    """Raise BackupError when there is anything of a gateway in ``data`` already. Mail may be there when the backup
    has none: it was put back by other means, and will be indexed."""
    for name in (*_TAKEN, *(["mail"] if with_mail else [])):
        if (data / name).is_file() or ((data / name).is_dir() and any((data / name).iterdir())):
            raise BackupError(
                f"{data} holds a gateway already ({name}): restore into an empty directory, "
                "or move this one away first"
            )


def put_back(folder: Path, manifest: Manifest, data: Path, url: str, place: Path, tables: Lookup) -> None:
    """Put the records, secrets and lookup tables of an opened backup in place; all are fsynced.

    ``url``: the database, which must be empty; records of SQLite go into PostgreSQL, too. ``place``: the mail server's
    directory; ``tables``: where it looks up mailboxes and people's passwords, in either engine. The database comes
    last, so that what was cut short is no gateway. Blocks. Raises BackupError, StoreDown.
    """
    file = sqlite_file(url)
    if file is not None and manifest.database == "postgresql":
        raise BackupError(
            "the backup is of a PostgreSQL database: set database.url to an empty PostgreSQL database"
        )
    if file is not None and file.exists():
        raise BackupError(f"{file} is a database already: move it away, or set database.url to another file")
    rows = lookup.rows_in(folder)
    lookup.refuse_filled(tables, rows)
    tables.path.parent.mkdir(parents=True, exist_ok=True)
    for name, where in zip(catalog.SECRETS, (data, place), strict=True):
        _copy(folder / name, where / name)
    lookup.put_back(tables, rows)
    sync_file(tables.path.parent)
    if file is None and manifest.database == "sqlite":
        put_into_postgresql(folder / catalog.RECORDS, url)
    elif file is None:
        postgres.put_back(url, folder / catalog.DUMP)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        _copy(folder / catalog.RECORDS, file)
        sync_file(file.parent)
    sync_file(data)


def put_settings(folder: Path, data: Path) -> None:
    """Put the settings file of a backup into the data directory. Blocks."""
    data.mkdir(mode=0o711, parents=True, exist_ok=True)
    _copy(folder / catalog.SETTINGS, data / catalog.SETTINGS)


async def fill_mailboxes(core: Core, mail: Path, on_done: Callable[[str], None]) -> list[Refusal]:
    """Put the mail of a backup into the mailboxes, which must be empty; answers what the mail server refused."""
    refused: list[Refusal] = []

    async def one(address: str) -> None:
        # in one call over one connection; were it repeated, it would find the mailbox half full
        report = await core.imap.run(address, partial(_fill, root=mail / address))
        refused.extend(report.refused)
        on_done(address)

    held = set(await asyncio.to_thread(os.listdir, mail))
    known = await inboxes(core)
    await at_once(sorted(held & known), one)
    made_meanwhile = (
        "its inbox was made while the backup was: the records, which were copied first, do not have it"
    )
    refused.extend(Refusal(name, "", made_meanwhile) for name in sorted(held - known))
    return refused


async def inboxes(core: Core) -> set[str]:
    """The addresses of all inboxes."""
    rows = await core.store.read(unscoped_inboxes)
    return {row.address for row in rows}


def _fill(client: Client, root: Path) -> Report:
    appender = Appender(client)
    if any(
        client.folder_status(str(name), ["MESSAGES"])[b"MESSAGES"] for _, _, name in client.list_folders()
    ):
        raise BackupError(f"the mailbox {root.name} is not empty: restore onto a mail server without mail")
    for folder, role in folders_of(root):
        if role in ("other", "archive"):
            appender.make(folder)
    appender.add_all(read_maildir(root))
    return appender.report


def doubt_what_waits(tx: Tx) -> int:
    """What the outbox meant to send may have left after the backup was made: it is looked up before it is sent
    (``outbox.recovery``), as after a crash. Answers how many messages wait."""
    return unscoped_doubt_waiting(tx)


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
