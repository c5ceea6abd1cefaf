"""An export: each inbox's mail as Maildir or mbox, and what the database knows beside it as JSON.

::

    postern-export.json            what this is, and which inboxes are in it
    organizations/org_….json       pods, domains, webhooks (no secrets), rules, suppressions
    inboxes/ADDRESS/inbox.json     the inbox
    inboxes/ADDRESS/mail/          Maildir++, or FOLDER.mbox for each folder
    inboxes/ADDRESS/messages.jsonl ids, labels, threads, status, places; one line a message
    inboxes/ADDRESS/threads.jsonl, drafts.jsonl, drafts/ID/…

Written under another name and renamed when it is whole. For a ``.tar.gz`` one inbox after the other is written beside
it and packed, so no more than a few mailboxes take space twice.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from gateway import __version__
from gateway.archive import is_archive, without_owner
from gateway.fsync import sync_file, sync_tree
from gateway.records.ids import ORGANIZATION_ID
from gateway.records.inboxes import Inbox
from gateway.store.engine import Store
from gateway.transfer import metadata
from gateway.transfer.all_mailboxes import Mailroom, at_once
from gateway.transfer.maildir_write import write_mailbox
from gateway.transfer.mbox_write import write_mboxes
from gateway.transfer.sources import EXPORT

Format = Literal["maildir", "mbox"]


class Target:
    """Where an export goes: a directory, or a tar archive that is fed part by part. Use as a context manager; what
    is left by an exception leaves nothing behind."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.folder = place.with_name(f".{place.name}.new")
        self._packed = place.with_name(f".{place.name}.packed")
        self._stack = ExitStack()
        self._tar: tarfile.TarFile | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Target:
        if self._place.exists() and (self._place.is_file() or any(self._place.iterdir())):
            raise FileExistsError(17, "it is there already; name another place", str(self._place))
        self._place.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        if is_archive(self._place):
            handle = os.open(self._packed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            out = self._stack.enter_context(open(handle, "wb"))
            small = self._stack.enter_context(gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6))
            self._tar = self._stack.enter_context(tarfile.open(fileobj=small, mode="w|"))
        return self

    def done(self, part: Path) -> None:
        """A file or directory below ``folder`` is whole. Blocks."""
        if self._tar is not None:
            with self._lock:
                self._tar.add(part, part.relative_to(self.folder), filter=without_owner)
            if part.is_dir():
                shutil.rmtree(part)

    def finish(self) -> None:
        """All is written: give it its name. Blocks."""
        if self._tar is not None:
            self._stack.close()
            sync_file(self._packed)
            os.replace(self._packed, self._place)
        else:
            sync_tree(self.folder)
            if self._place.is_dir():
                self._place.rmdir()
            os.replace(self.folder, self._place)
        sync_file(self._place.parent)

    def __exit__(self, *error: object) -> None:
        self._stack.close()
        self._packed.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)


async def export(
    room: Mailroom,
    store: Store,
    inboxes: Sequence[Inbox],
    place: Path,
    form: Format,
    on_done: Callable[[str, int], None] = lambda address, messages: None,
) -> tuple[int, int]:
    """Export these inboxes; answers messages and octets. Raises OSError, MailServerError, StoreDown."""
    sums = [0, 0]
    with Target(place) as target:
        await asyncio.to_thread(_head, store, inboxes, target, form)

        async def one(row: Inbox) -> None:
            folder = target.folder / "inboxes" / row.address
            folder.mkdir(mode=0o700, parents=True)
            write = write_mailbox if form == "maildir" else write_mboxes
            made, octets = await room.imap.run(row.address, partial(write, into=folder / "mail"))
            await asyncio.to_thread(_beside, store, row, folder)
            await asyncio.to_thread(target.done, folder)
            sums[0], sums[1] = sums[0] + made, sums[1] + octets
            on_done(row.address, made)

        by_address = {row.address: row for row in inboxes}
        await at_once(by_address, lambda address: one(by_address[address]))
        await asyncio.to_thread(target.finish)
    return sums[0], sums[1]


def _head(store: Store, inboxes: Sequence[Inbox], target: Target, form: Format) -> None:
    about = {
        "format": "postern-export",
        "schema_version": metadata.VERSION,
        "postern": __version__,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "mail": form,
        "inboxes": [row.address for row in inboxes],
    }
    _write_json(target.folder / EXPORT, about)
    target.done(target.folder / EXPORT)
    folder = target.folder / "organizations"
    folder.mkdir(mode=0o700)
    for organization in sorted({row.organization_id for row in inboxes}):
        said = store.read_now(partial(metadata.organization_facts, organization=organization))
        _write_json(folder / f"{ORGANIZATION_ID.public(organization)}.json", said)
    target.done(folder)
    (target.folder / "inboxes").mkdir(mode=0o700)


def _beside(store: Store, row: Inbox, folder: Path) -> None:
    _write_json(folder / "inbox.json", metadata.inbox_facts(row))
    _write_lines(folder / "messages.jsonl", metadata.messages(store, row.id))
    _write_lines(folder / "threads.jsonl", metadata.threads(store, row.id))
    with _private(folder / "drafts.jsonl") as out:
        for said, files in metadata.drafts(store, row.id):
            out.write(json.dumps(said, ensure_ascii=False) + "\n")
            for name, content in files:
                place = folder / "drafts" / said["draft_id"]
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
                (place / name).write_bytes(content)


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with _private(path) as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    with _private(path) as out:
        out.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _private(path: Path) -> Any:
    # lone surrogates cannot come from the database, which has none
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")
