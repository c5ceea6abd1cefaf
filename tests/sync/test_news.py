"""Each mail is announced once, wherever it is by the time we see it; what was not delivered here is no news."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import imapclient
import pytest

from gateway.store.labels import IMPORTED
from gateway.sync import fetch
from tests.sync.running_sync import RunningSync, mail, running_sync

pytestmark = pytest.mark.anyio
AGENT = "agent@x.test"
Work = Callable[[imapclient.IMAPClient], Any]


def move(source: str, target: str) -> Work:
    def work(client: imapclient.IMAPClient) -> None:
        if not client.folder_exists(target):
            client.create_folder(target)
        client.select_folder(source)
        client.move(client.search("ALL"), target)

    return work


async def events(one: RunningSync) -> list[str]:
    await one.sync.refresh(AGENT)
    return [row["type"] for row in await one.rows("SELECT type FROM event ORDER BY seq")]


@pytest.mark.parametrize("folder", ["Work", "Archive/2026", "Junk"])
async def test_mail_moved_before_we_saw_it_is_announced_once(tmp_path: Path, folder: str) -> None:
    kind = "message.received.spam" if folder == "Junk" else "message.received"
    async with running_sync(tmp_path, push=False) as one:
        await one.inbox(AGENT)
        await one.deliver(AGENT, mail(1))
        await one.person(AGENT, move("INBOX", folder))
        assert await events(one) == [kind]
        for source, target in ((folder, "INBOX"), ("INBOX", "Trash"), ("Trash", "Work"), ("Work", "INBOX")):
            await one.person(AGENT, move(source, target))
            assert await events(one) == [kind]


async def test_what_was_in_trash_first_is_announced_when_it_comes_out(tmp_path: Path) -> None:
    async with running_sync(tmp_path, push=False) as one:
        await one.inbox(AGENT)
        await one.deliver(AGENT, mail(1))
        await one.person(AGENT, move("INBOX", "Trash"))
        assert await events(one) == []
        assert await one.labels("mail 1") == {"received", "unread", "trash"}
        await one.person(AGENT, move("Trash", "INBOX"))
        assert await events(one) == ["message.received"]
        await one.person(AGENT, move("INBOX", "Trash"))
        await one.person(AGENT, move("Trash", "INBOX"))
        assert await events(one) == ["message.received"]


async def test_mail_of_a_blocked_sender_that_was_moved_is_blocked(tmp_path: Path) -> None:
    async with running_sync(tmp_path, push=False) as one:
        inbox = await one.inbox(AGENT)
        await one.block(inbox)
        await one.deliver(AGENT, mail(1))
        await one.person(AGENT, move("INBOX", "Work"))
        assert await events(one) == ["message.received.blocked"]
        assert "blocked" in await one.labels("mail 1")

        def keywords(client: imapclient.IMAPClient) -> Any:
            client.select_folder("Work", readonly=True)
            return client.get_flags([1])[1]

        assert b"blocked" in await one.person(AGENT, keywords)  # a rebuild finds it


async def test_what_a_mail_program_or_a_migration_files_is_no_news(tmp_path: Path) -> None:
    """Into folders of a person's own, by APPEND, as a migration does."""
    now = datetime.now(UTC)
    before = now - timedelta(days=3)

    def trace(to: str, when: datetime) -> str:
        by = f"from a.test by b.test with LMTP id x for <{to}>; {format_datetime(when)}"
        return f"Delivered-To: {to}\r\nReceived: {by}\r\n"

    filed = {
        "written by hand": ("", now),
        "of another account": (trace("me@elsewhere.test", now), now),
        "older than the inbox": (trace(AGENT, before), before),
        "older than the inbox, filed without its date": (trace(AGENT, before), now),
    }
    async with running_sync(tmp_path, push=False) as one:
        await one.inbox(AGENT)

        def file(client: imapclient.IMAPClient) -> None:
            client.create_folder("Old")
            for n, (head, when) in enumerate(filed.values()):
                client.append("Old", head.encode() + mail(n), [], when)
            client.append("Old", trace(AGENT, now).encode() + mail(9), [IMPORTED], now)

        await one.person(AGENT, file)
        assert await events(one) == []
        assert len(await one.rows("SELECT 1 FROM message")) == len(filed) + 1


async def test_mail_that_is_moved_while_it_is_read_is_never_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is open, and another session moves the mail away before its text is asked for."""
    async with running_sync(tmp_path, push=False) as one:
        await one.inbox(AGENT)
        for n in range(8):
            await one.deliver(AGENT, mail(n))
        whole, left = fetch._whole, [True]

        def late(client: Any, name: str, *rest: Any) -> Any:
            if name == "INBOX" and left:
                left.clear()
                one.person_now(AGENT, move("INBOX", "Work"))
                time.sleep(0.1)
            return whole(client, name, *rest)

        monkeypatch.setattr(fetch, "_whole", late)
        await one.sync.refresh(AGENT)
        assert not left
        assert await one.rows("SELECT 1 FROM message WHERE subject = ''") == []
        assert await events(one) == ["message.received"] * 8
        found = await one.rows("SELECT subject FROM message ORDER BY subject")
        assert [row["subject"] for row in found] == [f"mail {n}" for n in range(8)]
        places = await one.rows("SELECT DISTINCT name FROM location JOIN folder ON folder.id = folder_id")
        assert [row["name"] for row in places] == ["Work"]
