"""Making a backup: into a directory beside its place, then renamed (or packed) into it."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gateway import __version__
from gateway.archive import is_archive, without_owner
from gateway.backup import catalog, filters, lookup, postgres
from gateway.backup.catalog import MailCount, Manifest
from gateway.backup.records import BackupError, check_records, copy_records, levels_of
from gateway.fsync import sync_file, sync_tree
from gateway.mail_files import LINK
from gateway.store.database_url import sqlite_file

CopyMail = Callable[[Path, Path | None], MailCount]
"""Copies every mailbox into a new directory; the second is that of an earlier backup, whose files may be linked."""

_LEFT_OUT = [
    "systemd credentials (/etc/postern/credentials): keep a copy of them elsewhere",
    "TLS certificates: they are obtained again",
    "mail still queued in Postfix",
]


@dataclass(frozen=True, slots=True)
class Source:
    """What is backed up. ``url``: the database's; ``settings`` the settings file, if there is one."""

    data: Path
    url: str
    settings: Path | None
    lookup_url: str = ""  # PostgreSQL's with the lookup tables; empty: they are a file of the mail server

    def find(self, name: str) -> Path | None:
        """A file of the gateway or of the mail server under it, which may have a directory of its own."""
        places = (self.data, self.data / "lookup", self.data / LINK, self.data / LINK / "lookup")
        return next((place / name for place in places if (place / name).is_file()), None)

    @property
    def homes(self) -> Path:
        """Where the homes of the mailboxes are."""
        return next(
            (one for place in (self.data, self.data / LINK) if (one := place / "mail").is_dir()),
            self.data / "mail",
        )

    def needed(self, name: str) -> Path:
        """The same. Raises BackupError where there is none: a gateway cannot be restored without it."""
        found = self.find(name)
        if found is None:
            raise BackupError(
                f"{name} is missing in {self.data}: no backup can be made without it. Start the gateway once, or "
                "restore the file from an earlier backup"
            )
        return found


def make(source: Source, target: Path, copy_mail: CopyMail | None = None) -> tuple[Path, Manifest]:
    """Make a backup; returns its path. Blocks. Raises BackupError, OSError.

    ``target``: a directory, which gets one more backup, or a file ``….tar.gz``, which is replaced.
    """
    archive = is_archive(target)
    parent = target.parent if archive else target
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _one_at_a_time(parent):
        place = target if archive else _free_name(parent)
        partial = parent / f".{place.name}.new"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        try:
            earlier = None if archive else next(iter(reversed(catalog.backups_in(parent))), None)
            manifest = _fill(source, partial, copy_mail, earlier)
            if archive:
                _pack(partial, place)
            else:
                _give(partial, parent)
                sync_tree(partial)
                os.replace(partial, place)
            sync_file(parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return place, manifest


def _fill(source: Source, into: Path, copy_mail: CopyMail | None, earlier: Path | None) -> Manifest:
    lock = source.data / "postern.lock"
    file = sqlite_file(source.url)
    if file is None:
        postgres.dump(source.url, into / catalog.DUMP)
        rows: dict[str, int] = {}
        levels: list[str] = []
    else:
        copy_records(file, into / catalog.RECORDS, lock)
        rows, levels = check_records(into / catalog.RECORDS), levels_of(into / catalog.RECORDS)
    for name in catalog.SECRETS:
        _copy_private(source.needed(name), into / name)
    if source.lookup_url:
        lookup.copy_postgresql(source.lookup_url, into / catalog.LOOKUP)
    else:
        copy_records(source.needed(catalog.LOOKUP), into / catalog.LOOKUP, lock)
    tables = lookup.rows_in(into)
    filters.copy(source.homes, tables, into / filters.NAME)
    if source.settings is not None:
        _copy_private(source.settings, into / catalog.SETTINGS)
    files = {one.name: digest(one) for one in sorted(into.iterdir())}
    count = None
    if copy_mail is not None:
        mail = into / catalog.MAIL
        mail.mkdir(mode=0o700)
        before = earlier / catalog.MAIL if earlier is not None else None
        count = copy_mail(mail, before if before is not None and before.is_dir() else None)
    manifest = Manifest(
        made_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        postern=__version__,
        database="postgresql" if file is None else "sqlite",
        schema=levels,
        rows=rows,
        files=files,
        mail=count,
        lookup=lookup.count(tables),
        left_out=[*([] if copy_mail else ["the mail itself (--mail takes it too)"]), *_LEFT_OUT],
    )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (into / catalog.MANIFEST).write_bytes(text + b"\n")
    return manifest


def digest(path: Path) -> str:
    """SHA-256 of a file, hex. Blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_private(source: Path, target: Path) -> None:
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(source.read_bytes())


def _free_name(parent: Path) -> Path:
    """A name is a second: where this one is taken, the next one. Blocks."""
    while (place := parent / catalog.name_now()).exists():
        time.sleep(0.1)
    return place


def _pack(folder: Path, place: Path) -> None:
    partial = folder.with_name(folder.name + ".tar.gz")
    try:
        with (
            open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out,
            gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6) as small,
            tarfile.open(fileobj=small, mode="w|") as tar,
        ):
            for one in sorted(folder.iterdir(), key=lambda path: (path.name != catalog.MANIFEST, path.name)):
                tar.add(one, one.name, filter=without_owner)
        _give(partial, folder.parent)
        sync_file(partial)
        os.replace(partial, place)
    finally:
        partial.unlink(missing_ok=True)


def _give(made: Path, parent: Path) -> None:
    """What root makes in a directory of another's belongs to that one: the nightly backup, which is not root, links to
    it and rotates it away."""
    owner = parent.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    if made.is_dir():
        # from the leaves up: until the top is given, nobody else can come in between
        for _, folders, files, handle in os.fwalk(made, topdown=False):
            for name in (*files, *folders):
                os.chown(name, owner.st_uid, owner.st_gid, dir_fd=handle, follow_symlinks=False)
    os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=False)


@contextmanager
def _one_at_a_time(parent: Path) -> Iterator[None]:
    handle = os.open(parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise BackupError(f"another backup to {parent} is under way") from error
    try:
        yield
    finally:
        os.close(handle)
