"""The mail server's lookup tables in a backup: domains, mailboxes with people's hashed passwords and quotas, aliases.

A backup holds them as one SQLite file, ``lookup.db``, wherever they are while the gateway runs, and they go back into
whichever engine ``mail.lookup`` names then. Backups of format 1 held those of PostgreSQL as a dump: in one of their
own (``lookup.pgdump``), or with the records when they were in the same database. These are read, too.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gateway.backup import catalog, postgres
from gateway.backup.catalog import LookupCount
from gateway.backup.records import BackupError, check_records
from mailserver.base import MailServerError
from mailserver.lookup import Lookup
from mailserver.lookup_copy import LookupNotEmpty, fill, read_all, same
from mailserver.lookup_postgresql import SCHEMA, PostgresqlStorage
from mailserver.lookup_sqlite import SqliteStorage
from mailserver.lookup_storage import MailboxRow, Rows

_TABLES = ("domain", "mailbox", "alias")


def count(rows: Rows) -> LookupCount:
    """How many there are of each."""
    passwords = sum(1 for _, _, password, *_ in rows.mailboxes if password)
    return LookupCount(len(rows.domains), len(rows.mailboxes), passwords, len(rows.aliases))


def copy_postgresql(url: str, target: Path) -> None:
    """Write the tables in the database at ``url`` into the new SQLite file ``target``. Blocks. Raises BackupError."""
    try:
        fill(SqliteStorage(target), read_all(PostgresqlStorage(url)))
    except MailServerError as error:
        raise BackupError(f"the lookup tables cannot be copied: {error}") from error
    target.chmod(0o600)


def rows_in(folder: Path) -> Rows:
    """The lookup tables in an opened backup. Blocks. Raises BackupError when there are none, or they are damaged."""
    if (folder / catalog.LOOKUP).is_file():
        return _of_sqlite(folder / catalog.LOOKUP)
    for name in (catalog.LOOKUP_DUMP, catalog.DUMP):
        if (folder / name).is_file() and (found := _of_dump(folder / name)) is not None:
            return found
    raise BackupError(
        f"{folder}: the lookup tables are missing ({catalog.LOOKUP}): nobody could log in to a mailbox after a restore"
    )


def refuse_filled(lookup: Lookup, rows: Rows) -> None:
    """Raise BackupError when ``lookup`` holds other rows than these. Makes nothing in a directory. Blocks."""
    if not lookup.postgresql and not lookup.path.exists():
        return
    try:
        held = read_all(lookup.storage())
    except MailServerError as error:
        raise BackupError(f"the lookup tables of the mail server cannot be read: {error}") from error
    if any(held) and not same(held, rows):
        raise _filled(lookup, f"they hold {len(held.mailboxes)} mailboxes")


def put_back(lookup: Lookup, rows: Rows) -> None:
    """Put the rows of a backup where the settings say. Blocks. Raises BackupError."""
    try:
        fill(lookup.storage(), rows)
    except LookupNotEmpty as error:
        raise _filled(lookup, str(error)) from error
    except MailServerError as error:
        raise BackupError(f"the lookup tables cannot be put back: {error}") from error


def lost(lookup: Lookup, wanted: Rows, addresses: set[str]) -> list[str]:
    """Which of ``addresses`` (inboxes that are there) have not the password or home in ``lookup`` that the backup
    had. Blocks. Raises MailServerError."""
    held = {row[0]: row for row in read_all(lookup.storage()).mailboxes}
    return sorted(
        address
        for address, home, password, *_ in wanted.mailboxes
        if address in addresses and (address not in held or held[address][1:3] != (home, password))
    )


def _filled(lookup: Lookup, why: str) -> BackupError:
    if lookup.postgresql:
        return BackupError(
            f"the PostgreSQL database of mail.lookup_url has lookup tables already: {why}. Name an empty database, or "
            f"drop them there: DROP SCHEMA {SCHEMA} CASCADE"
        )
    return BackupError(f"{lookup.path} has lookup tables already: {why}. Move that file away first")


def _of_sqlite(file: Path) -> Rows:
    check_records(file)
    with tempfile.TemporaryDirectory(prefix="postern-lookup-") as scratch:  # a backup may be read-only
        copied = Path(scratch, "lookup.db")
        shutil.copyfile(file, copied)
        return read_all(SqliteStorage(copied))


def _of_dump(file: Path) -> Rows | None:
    """The tables out of a dump; None when it has none."""
    found = dict(_tables(postgres.data_as_text(file, SCHEMA)))
    if not set(_TABLES) <= found.keys():
        return None
    mailboxes: list[MailboxRow] = []
    for row in found["mailbox"]:
        quota = row.get("quota")
        mailboxes.append(
            (
                row["address"] or "",
                row["home"] or "",
                row["password"],
                int(row["enabled"] or 0),
                int(quota) if quota is not None else None,
            )
        )
    return Rows(
        [row["name"] or "" for row in found["domain"]],
        mailboxes,
        [(row["address"] or "", row["mailbox"] or "") for row in found["alias"]],
    )


def _tables(text: str) -> Iterator[tuple[str, list[dict[str, str | None]]]]:
    """(table, rows) of each COPY block of a dump's text (PostgreSQL, COPY, text format)."""
    lines = iter(text.split("\n"))
    for line in lines:
        if not line.startswith(f"COPY {SCHEMA}."):
            continue
        table, _, rest = line.removeprefix(f"COPY {SCHEMA}.").partition(" (")
        columns = [name.strip().strip('"') for name in rest.partition(")")[0].split(",")]
        rows = []
        for row in lines:
            if row == "\\.":
                break
            rows.append(dict(zip(columns, map(_value, row.split("\t")), strict=True)))
        yield table, rows


_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _value(text: str) -> str | None:
    if text == "\\N":
        return None
    head, *rest = text.split("\\")
    out, literal = [head], False
    for part in rest:
        if literal:  # the second of two backslashes
            out.append(part)
            literal = False
        elif not part:
            out.append("\\")
            literal = True
        else:
            out.append(_ESCAPES.get(part[0], part[0]) + part[1:])
    return "".join(out)
