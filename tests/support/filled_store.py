"""An index filled without a mail server: for what only reads the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from gateway.core.context import Core
from gateway.events.log import EventLog
from gateway.mime.parse import parse
from gateway.records.folders import FoundCopy
from gateway.records.ids import ORGANIZATION_ID, POD_ID, InboxId, new_ulid, now_us, number_of
from gateway.records.inboxes import Inbox
from gateway.records.mail import Indexed
from gateway.settings import Settings
from gateway.store import index
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.queries.folders import add_unread_folder, folder_named
from gateway.store.queries.inboxes import unscoped_inbox
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from gateway.store.wake_event import WakeEvent
from tests.support.databases import database_url

BASE = 1_700_000_000_000_000


def mail(
    n: int,
    *,
    sender: str = "Ann <ann@far.example>",
    subject: str | None = None,
    text: str = "hello",
    more: str = "",
    to: str = "bot@postern.test",
    message_id: str | None = None,
) -> bytes:
    return (
        f"Received: from far by us; Tue, 14 Nov 2023 22:13:20 +0000\r\nFrom: {sender}\r\nTo: {to}\r\n"
        f"Subject: {subject or f'mail {n}'}\r\nMessage-ID: {message_id or f'<m{n}@far.example>'}\r\n{more}"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()


class FilledStore:
    """A migrated store with one organization, and a Core that can read it. ``url``: of an empty database to use."""

    def __init__(self, path: Path, url: str | None = None) -> None:
        self.store = Store(url or database_url(path / "index.db"))
        migrate(self.store)
        self.store.start()
        self.organization = ORGANIZATION_ID.new()
        self.pod = POD_ID.new()
        self.scope = Scope(self.organization)
        self.uid = 0

    def core(self) -> Core:
        """Must be called on the loop that uses it."""
        missing: Any = None
        return Core(
            Settings(),
            self.store,
            missing,
            missing,
            missing,
            missing,
            EventLog(),
            WakeEvent(),
            b"s" * 32,
            Path("."),
        )

    def inbox(self, address: str, organization: str | None = None, pod: str | None = None) -> Inbox:
        ulid = new_ulid()
        row = {
            "id": ulid,
            "number": number_of(ulid),
            "organization_id": organization or self.organization,
            "pod_id": pod or self.pod,
            "address": address,
            "username": address.split("@")[0],
            "domain": address.split("@")[1],
            "active_at": 0,
            "created_at": BASE,
            "updated_at": BASE,
        }
        self.store.write_now(lambda tx: sql(tx).insert("inbox", row))
        for role, name in (("inbox", "INBOX"), ("junk", "Junk"), ("sent", "Sent")):
            self.store.write_now(
                partial(add_unread_folder, inbox_id=InboxId(ulid), name=name, role=role, uidvalidity=1)
            )
        found = self.store.read_now(lambda tx: unscoped_inbox(tx, InboxId(ulid)))
        assert found is not None
        return found

    def put(
        self,
        inbox: Inbox,
        raw: bytes,
        *,
        at: int | None = None,
        folder: str = "INBOX",
        flags: tuple[str, ...] = (),
        extra: Iterable[str] = (),
    ) -> Indexed:
        parsed = parse(raw)
        if at is not None:
            parsed = msgspec.structs.replace(parsed, received=at, date=at)
        self.uid += 1

        def write(tx: Tx) -> Indexed:
            there = folder_named(tx, inbox.id, folder)
            assert there is not None
            copy = FoundCopy(there.id, there.role, folder, self.uid, flags, at or now_us())
            done = index.index_found(tx, inbox, copy, parsed)
            assert done is not None
            index.add_labels(tx, inbox, done, frozenset(extra))
            return done

        return self.store.write_now(write)

    def close(self) -> None:
        self.store.close()


def run(work: Any) -> Any:
    return asyncio.run(work)
