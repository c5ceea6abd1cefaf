"""Checking a backup: everything its manifest names is there, whole, and readable by this version."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.archive import ArchiveError, unpack
from gateway.backup import catalog, filters, lookup, postgres
from gateway.backup.catalog import MailCount, Manifest
from gateway.backup.make import digest
from gateway.backup.records import BackupError, check_records, levels_of
from gateway.store.migrate import known_levels

_SIZE = re.compile(r",S=(\d+)(?:,|:|$)")


def verify(backup: Path) -> Manifest:
    """Verify a backup, a directory or a file; answers its manifest. Blocks. Raises BackupError, OSError."""
    with opened(backup) as folder:
        manifest = catalog.manifest_of(folder)
        for name, wanted in manifest.files.items():
            if not (folder / name).is_file():
                raise BackupError(f"{backup}: {name} is missing")
            if digest(folder / name) != wanted:
                raise BackupError(f"{backup}: {name} is not what it was when the backup was made")
        records = catalog.RECORDS if manifest.database == "sqlite" else catalog.DUMP
        for name in (records, *catalog.SECRETS):
            if name not in manifest.files:
                raise BackupError(f"{backup}: {name} is missing")
        if manifest.database == "sqlite":
            _check_sqlite(backup, folder, manifest)
        else:
            postgres.check(folder / catalog.DUMP)
        held = lookup.count(lookup.rows_in(folder))
        if manifest.lookup not in (None, held):
            raise BackupError(
                f"{backup}: the lookup tables are not those of the manifest ({manifest.lookup})"
            )
        filters.filters_in(folder)
        if manifest.mail is not None:
            _check_mail(backup, folder / catalog.MAIL, manifest.mail)
        return manifest


def _check_mail(backup: Path, mail: Path, wanted: MailCount) -> None:
    """Every message is there with all its octets, as its file's name says (Maildir's ``S=``, with CRLF)."""
    inboxes = messages = 0
    for inbox in sorted(mail.iterdir()):
        inboxes += 1
        for file in inbox.glob("**/cur/*"):
            data = file.read_bytes()
            size = _SIZE.search(file.name)
            if size is None or len(data) + data.count(b"\n") != int(size[1]):
                raise BackupError(f"{backup}: {file.relative_to(mail)} is not whole")
            messages += 1
    if (inboxes, messages) != (wanted.inboxes, wanted.messages):
        raise BackupError(
            f"{backup}: {messages} messages of {inboxes} inboxes are there, not {wanted.messages} of {wanted.inboxes}"
        )


def _check_sqlite(backup: Path, folder: Path, manifest: Manifest) -> None:
    rows = check_records(folder / catalog.RECORDS)
    if rows != manifest.rows:
        wrong = sorted(
            name for name in rows.keys() | manifest.rows if rows.get(name) != manifest.rows.get(name)
        )
        raise BackupError(f"{backup}: rows of {', '.join(wrong)} are not those of the manifest")
    newer = sorted(set(levels_of(folder / catalog.RECORDS)) - known_levels())
    if newer:
        raise BackupError(
            f"{backup} was made by Postern {manifest.postern}, which is newer ({', '.join(newer)}): "
            "restore it with that version"
        )


@contextmanager
def opened(backup: Path) -> Iterator[Path]:
    """A backup as a directory; an archive is unpacked beside itself for the time of the block. Blocks."""
    if backup.is_dir():
        yield backup
        return
    with tempfile.TemporaryDirectory(prefix=".postern-", dir=backup.parent) as place:
        try:
            unpack(backup, Path(place))
        except ArchiveError as error:
            raise BackupError(f"{backup} cannot be read as a backup: {error}") from error
        yield Path(place)
