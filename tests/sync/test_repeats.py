"""A sender that did not see our 250 sends the same octets once more: no news, and nothing that was done is undone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import imapclient
import pytest

from gateway.sync.rebuild import rebuild
from tests.support.waiting import until_async
from tests.sync.running_sync import RunningSync, mail, running_sync

pytestmark = pytest.mark.anyio
AGENT = "agent@x.test"
DONE = ["\\Seen", "\\Flagged", "done", "$NotReceived"]


async def once_more(one: RunningSync, raw: bytes) -> None:
    """The same octets in another second, so that the trace fields differ."""
    await asyncio.sleep(1.1)
    await one.deliver(AGENT, raw)
    await one.sync.refresh(AGENT)


async def worked_off(one: RunningSync) -> None:
    await one.inbox(AGENT)
    await one.deliver(AGENT, mail(1))

    def work(client: imapclient.IMAPClient) -> None:
        client.select_folder("INBOX")
        client.add_flags([1], DONE)

    await one.person(AGENT, work)
    await until_async(lambda: _is(one, {"done", "starred"}))


async def _is(one: RunningSync, labels: set[str]) -> bool:
    return await one.labels("mail 1") == labels


def flags_in(folder: str) -> Any:
    def look(client: imapclient.IMAPClient) -> list[set[bytes]]:
        client.select_folder(folder, readonly=True)
        uids = client.search("ALL")
        return [set(flags) - {b"\\Recent"} for flags in client.get_flags(uids).values()]

    return look


async def test_a_repeat_undoes_nothing_and_is_no_news(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        await worked_off(one)
        before = await one.rows("SELECT id, thread_id, seen FROM message")
        changes = await one.rows("SELECT count(*) AS n FROM label_change")
        for _ in range(2):
            await once_more(one, mail(1))
            assert await one.labels("mail 1") == {"done", "starred"}
        assert await one.rows("SELECT id, thread_id, seen FROM message") == before
        assert await one.rows("SELECT unread, message_count FROM thread") == [
            {"unread": 0, "message_count": 1}
        ]
        assert await one.rows("SELECT count(*) AS n FROM label_change") == changes
        assert len(await one.rows("SELECT 1 FROM event")) == 1
        copies = await one.person(AGENT, flags_in("INBOX"))
        assert copies == [{flag.encode() for flag in DONE}] * 3  # whichever a person keeps


@pytest.mark.parametrize("when", ["at once", "after a rebuild"])
async def test_a_repeat_stays_worked_off_without_the_first_copy(tmp_path: Path, when: str) -> None:
    async with running_sync(tmp_path) as one:
        await worked_off(one)
        await once_more(one, mail(1))
        if when == "after a rebuild":
            before = await one.rows("SELECT id, thread_id, seen FROM message")
            await one.sync.stop()
            await rebuild(one.store, one.imap, one.parser)
            assert await one.labels("mail 1") == {"done", "starred"}
            assert await one.rows("SELECT id, thread_id, seen FROM message") == before
            await one.sync.start()

        def delete(client: imapclient.IMAPClient) -> None:
            client.select_folder("INBOX")
            client.delete_messages([1])
            client.expunge()

        await one.person(AGENT, delete)
        await one.sync.refresh(AGENT)
        assert await one.labels("mail 1") == {"done", "starred"}
        assert len(await one.rows("SELECT 1 FROM event")) == 1


async def test_a_repeat_that_came_while_nothing_looked_is_a_repeat_after_a_rebuild(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        await worked_off(one)
        await one.sync.stop()
        await asyncio.sleep(1.1)
        await one.deliver(AGENT, mail(1))
        await rebuild(one.store, one.imap, one.parser)
        await one.sync.start()
        await one.sync.refresh(AGENT)
        assert await one.labels("mail 1") == {"done", "starred"}
        assert len(await one.rows("SELECT 1 FROM message")) == 1
        assert len(await one.rows("SELECT 1 FROM event")) == 1


@pytest.mark.parametrize(
    ("folder", "label"), [("Archive", "folder:Archive"), ("Trash", "trash"), ("Work", "folder:Work")]
)
async def test_a_repeat_does_not_move_a_message_back(tmp_path: Path, folder: str, label: str) -> None:
    async with running_sync(tmp_path) as one:
        await worked_off(one)

        def move(client: imapclient.IMAPClient) -> None:
            if not client.folder_exists(folder):
                client.create_folder(folder)
            client.select_folder("INBOX")
            client.move([1], folder)

        await one.person(AGENT, move)
        await until_async(lambda: _is(one, {"done", "starred", label}))
        await once_more(one, mail(1))
        assert await one.labels("mail 1") == {"done", "starred", label}
        assert len(await one.rows("SELECT 1 FROM event")) == 1


async def test_what_is_read_in_one_copy_is_read(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        await one.inbox(AGENT)
        await one.deliver(AGENT, mail(1))
        await until_async(lambda: _is(one, {"received", "unread"}))
        await once_more(one, mail(1))
        assert await one.labels("mail 1") == {"received", "unread"}

        def read(client: imapclient.IMAPClient) -> None:
            client.select_folder("INBOX")
            client.add_flags([1], ["\\Seen"])
            client.add_flags([2], ["todo"])

        await one.person(AGENT, read)
        await until_async(lambda: _is(one, {"received", "todo"}))
