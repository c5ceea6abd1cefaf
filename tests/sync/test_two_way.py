"""What a person does in a mail client shows in the index (DESIGN §1.10)."""

from pathlib import Path

import pytest
from imapclient import IMAPClient

from gateway.store.sql import Row
from tests.support.waiting import until_async
from tests.sync.running_sync import RunningSync, mail, running_sync

pytestmark = pytest.mark.anyio


async def test_flags_moves_and_deletions_by_a_person(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        await one.inbox("agent@x.test")
        for n in range(4):
            await one.deliver("agent@x.test", mail(n))
        before = await until_async(lambda: _all(one, 4))
        assert await one.labels("mail 0") == {"received", "unread"}

        def act(client: IMAPClient) -> None:
            client.select_folder("INBOX")
            client.add_flags([1], ["\\Seen", "\\Flagged", "todo"])
            client.move([2], "Junk")
            client.create_folder("Projekte/Ä")
            client.move([3], "Projekte/Ä")
            client.delete_messages([4])
            client.expunge([4])

        await one.person("agent@x.test", act)
        await until_async(lambda: _is(one, "mail 0", {"received", "starred", "todo"}))
        await until_async(lambda: _is(one, "mail 1", {"received", "unread", "spam"}))
        await until_async(lambda: _is(one, "mail 2", {"received", "unread", "folder:Projekte/Ä"}))
        await until_async(lambda: _gone(one, "mail 3"))
        after = await one.rows("SELECT id, subject FROM message ORDER BY subject")
        assert after == [row for row in before if row["subject"] != "mail 3"]
        assert len(await one.rows("SELECT 1 FROM event")) == 4  # nothing was announced twice

        def back(client: IMAPClient) -> None:
            client.select_folder("Junk")
            client.move(client.search("ALL"), "INBOX")

        await one.person("agent@x.test", back)
        await until_async(lambda: _is(one, "mail 1", {"received", "unread"}))
        assert await one.rows("SELECT id, subject FROM message ORDER BY subject") == after


async def test_a_folder_made_anew_keeps_the_ids(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        await one.inbox("agent@x.test")
        for n in range(3):
            await one.deliver("agent@x.test", mail(n))
        await until_async(lambda: _all(one, 3))
        move = "SELECT id, thread_id, subject FROM message ORDER BY subject"
        before = await one.rows(move)

        def to_work(client: IMAPClient) -> None:
            client.create_folder("Work")
            client.select_folder("INBOX")
            client.move([1, 2, 3], "Work")

        await one.person("agent@x.test", to_work)
        await until_async(lambda: _is(one, "mail 2", {"received", "unread", "folder:Work"}))

        def anew(client: IMAPClient) -> None:
            client.select_folder("Work")
            kept = [row[b"BODY[]"] for row in client.fetch([1, 2, 3], ["BODY.PEEK[]"]).values()]
            client.unselect_folder()
            client.delete_folder("Work")
            client.create_folder("Work")
            for raw in kept:
                client.append("Work", raw)

        await one.person("agent@x.test", anew)
        await until_async(lambda: _same(one, move, before))
        await one.sync.refresh("agent@x.test")
        assert await one.rows(move) == before
        assert len(await one.rows("SELECT 1 FROM event")) == 3


@pytest.mark.parametrize("way", ["the copy is deleted", "its folder is deleted", "its folder is made anew"])
async def test_a_message_is_labelled_by_the_copy_that_is_left(tmp_path: Path, way: str) -> None:
    async with running_sync(tmp_path) as one:
        await one.inbox("agent@x.test")
        await one.deliver("agent@x.test", mail(0))
        await until_async(lambda: _is(one, "mail 0", {"received", "unread"}))

        def copy(client: IMAPClient) -> None:
            client.create_folder("Work")
            client.select_folder("INBOX")
            client.copy([1], "Work")
            client.select_folder("Work")
            client.add_flags([1], ["\\Seen"])

        await one.person("agent@x.test", copy)
        await until_async(lambda: _is(one, "mail 0", {"received", "folder:Work"}))
        assert await one.rows("SELECT unread FROM thread") == [{"unread": 0}]

        def delete(client: IMAPClient) -> None:
            if way == "the copy is deleted":
                client.select_folder("Work")
                client.delete_messages([1])
                client.expunge()
            else:
                client.delete_folder("Work")
            if way == "its folder is made anew":
                client.create_folder("Work")

        await one.person("agent@x.test", delete)
        await until_async(lambda: _is(one, "mail 0", {"received", "unread"}))
        assert await one.rows("SELECT unread FROM thread") == [{"unread": 1}]
        assert len(await one.rows("SELECT 1 FROM event")) == 1


async def test_a_persons_own_sent_mail_is_outbound(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        await one.inbox("agent@x.test")
        raw = (
            b"From: agent@x.test\r\nTo: bob@world.test\r\nSubject: by hand\r\n"
            b"Message-ID: <h@x.test>\r\n\r\nhi\r\n"
        )
        await one.person("agent@x.test", lambda client: client.append("Sent", raw, ["\\Seen"]))
        row = (await until_async(lambda: one.rows("SELECT * FROM message WHERE subject = 'by hand'")))[0]
        assert row["direction"] == "outbound"
        assert row["status"] == "sent"
        assert await one.rows("SELECT 1 FROM event") == []


async def _all(one: RunningSync, n: int) -> list[Row] | None:
    rows = await one.rows("SELECT id, subject FROM message ORDER BY subject")
    return rows if len(rows) == n else None


async def _is(one: RunningSync, subject: str, labels: set[str]) -> bool:
    return await one.labels(subject) == labels


async def _gone(one: RunningSync, subject: str) -> bool:
    return not await one.rows("SELECT 1 FROM message WHERE subject = ?", subject)


async def _same(one: RunningSync, sql: str, rows: object) -> bool:
    return await one.rows(sql) == rows
