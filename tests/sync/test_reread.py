"""Mail that no parser process lived to read is shown by its header block, and read again later."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.core.drafts.from_mailbox import MailboxDrafts
from gateway.events.log import EventLog
from gateway.settings import Settings
from gateway.store import reread
from gateway.store.sql import sql
from gateway.sync.scan import Scanner
from gateway.sync.schedule import Sync
from tests.support.waiting import until_async
from tests.sync.running_sync import RunningSync, mail, running_sync

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def parsers_that_die(one: RunningSync, mark: bytes) -> AsyncIterator[None]:
    """Whichever parser process has a message with ``mark`` is killed."""

    async def kill() -> None:
        while True:
            for process in list(one.parser._processes):
                if process.job is not None and mark in process.job.payload:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.child.pid, signal.SIGKILL)
            await asyncio.sleep(0.0005)

    killer = asyncio.create_task(kill())
    try:
        yield
    finally:
        killer.cancel()
        await asyncio.wait([killer])


def large(n: int) -> bytes:
    """A mail that a process is at for a moment."""
    return mail(
        n, extra="Content-Type: text/html\r\n", body="<p>hello <b>there</b> " + "<b><a href=x></a>" * 30_000
    )


@pytest.mark.parametrize("how", ["its time came", "the gateway was started"])
async def test_it_is_read_again_and_keeps_its_id(tmp_path: Path, how: str) -> None:
    async with running_sync(tmp_path) as one:
        inbox = await one.inbox("agent@x.test")
        query = (
            "SELECT message.id, seq, subject, text, defects_json FROM message "
            "JOIN message_body ON message_body.message_id = message.id ORDER BY subject"
        )
        async with parsers_that_die(one, b"Subject: mail 1"):
            await one.deliver("agent@x.test", large(1))
            await one.deliver("agent@x.test", mail(2))
            (before, other) = await until_async(lambda: two(one, query), 60)
            assert (before["text"], before["defects_json"]) == (None, '["parser process died"]')
            assert (other["text"].strip(), other["defects_json"]) == ("hello 2", "[]")
            assert len(await one.rows("SELECT 1 FROM reread")) == 1
            await one.store.write(lambda tx: sql(tx).run("UPDATE reread SET due_at = 1"))
            await one.sync.refresh("agent@x.test", 60)
            assert await one.rows("SELECT 1 FROM reread WHERE tries > 0"), "tried, and put off"
        sync = one.sync
        if how == "its time came":
            await one.store.write(lambda tx: sql(tx).run("UPDATE reread SET due_at = 1"))
        else:
            await one.sync.stop()
            settings, drafts = Settings(), MailboxDrafts(one.store)
            scanner = Scanner(one.store, one.imap, one.parser, EventLog(), drafts, settings)
            sync = Sync(one.store, one.mail, scanner, settings)
            await sync.start()
        await sync.refresh("agent@x.test", 60)
        (after, _) = await one.rows(query)
        assert after["text"].startswith("hello there")
        assert (after["id"], after["seq"], after["defects_json"]) == (before["id"], before["seq"], "[]")
        assert await one.rows("SELECT 1 FROM reread") == []
        assert len(await one.rows("SELECT 1 FROM event WHERE message_id = ?", after["id"])) == 1
        assert await one.store.read(lambda tx: reread.due(tx, inbox.id, 5, everything=True)) == []
        if sync is not one.sync:
            await sync.stop()


async def two(one: RunningSync, query: str) -> list[object] | None:
    rows = await one.rows(query)
    return list(rows) if len(rows) == 2 else None
