"""``postern rebuild``: all as it was; nothing is announced again, and what was not announced yet is."""

from functools import partial
from pathlib import Path

import pytest
from imapclient import IMAPClient

from gateway.records.folders import FolderRole
from gateway.records.inboxes import Inbox
from gateway.store.queries.mailbox_index import forget_inbox
from gateway.store.sql import Row, sql
from gateway.store.transaction import Tx
from gateway.sync import apply, fetch
from gateway.sync.rebuild import rebuild
from tests.support.waiting import until_async
from tests.sync.running_sync import RunningSync, mail, running_sync

pytestmark = pytest.mark.anyio

_FACTS = (
    "SELECT id, thread_id, direction, subject, rfc_message_id, timestamp, seen, hidden, size, preview, "
    "traits_json "
    "FROM message ORDER BY id"
)
_THREADS = "SELECT id, subject, message_count, last_message_id, unread, timestamp FROM thread ORDER BY id"
_LABELS = "SELECT message_id, label FROM label ORDER BY message_id, label"


async def _facts(one: RunningSync) -> list[list[Row]]:
    return [await one.rows(sql) for sql in (_FACTS, _THREADS, _LABELS)]


async def test_a_rebuild_finds_everything_as_it_was(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        await one.inbox("agent@x.test")
        for n in range(12):
            extra = f"In-Reply-To: <m{n - 1}@world.test>\r\n" if n % 3 else ""
            await one.deliver("agent@x.test", mail(n, extra=extra))
        await until_async(lambda: _count(one, 12))

        def act(client: IMAPClient) -> None:
            client.select_folder("INBOX")
            client.add_flags([1, 5], ["\\Seen"])
            client.add_flags([2], ["=c3=a4nder=20es", "todo"])
            client.move([3], "Junk")
            client.append(
                "Sent",
                b"From: agent@x.test\r\nTo: ann@world.test\r\nSubject: s\r\nIn-Reply-To: <m0@world.test>\r\n\r\nx\r\n",
            )

        await one.person("agent@x.test", act)
        await until_async(lambda: _count(one, 13))
        await one.deliver("agent@x.test", mail(12))
        await until_async(lambda: _count(one, 14))
        await one.sync.refresh("agent@x.test")
        before = await _facts(one)
        assert any(row["label"] == "änder es" for row in before[2])
        strangers = [row["subject"] for row in before[0] if '"address":true' in row["traits_json"]]
        assert sorted(strangers) == sorted(f"mail {n}" for n in range(12))  # until it was written to
        events = await one.rows("SELECT id FROM event ORDER BY id")
        await one.sync.stop()
        seen: list[tuple[int, int]] = []
        done = await rebuild(
            one.store, one.imap, one.parser, on_progress=lambda address, n, total: seen.append((n, total))
        )
        assert done == 14
        assert seen[-1] == (14, 14)
        assert await _facts(one) == before
        await one.sync.start()
        await one.sync.refresh("agent@x.test")
        assert await _facts(one) == before
        assert await one.rows("SELECT id FROM event ORDER BY id") == events


async def _count(one: RunningSync, n: int) -> bool:
    return len(await one.rows("SELECT 1 FROM message")) == n


_CONVERSATION = (
    mail("a"),
    mail("b", extra="In-Reply-To: <mx@world.test>\r\n"),
    mail("x", extra="In-Reply-To: <ma@world.test>\r\n"),
)
"""Two halves of a conversation, and the mail that connects them."""

_TIMES = "SELECT id, created_at, updated_at, root, senders_json FROM thread ORDER BY id"
_ROOTS = "SELECT thread_id, root, since, current_id FROM thread_root ORDER BY thread_id"


async def test_a_rebuild_finds_joined_threads_and_their_times_as_they_were(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        await one.inbox("agent@x.test")
        for n, raw in enumerate((*_CONVERSATION, mail("alone"))):
            await one.deliver("agent@x.test", raw)
            await until_async(partial(_count, one, n + 1))
        merged = await one.rows("SELECT type FROM event WHERE type = 'thread.merged'")
        assert len(merged) == 1

        def act(client: IMAPClient) -> None:
            client.select_folder("INBOX")
            client.add_flags([1], ["\\Seen"])

        await one.person("agent@x.test", act)
        await one.sync.refresh("agent@x.test")

        async def facts() -> list[list[Row]]:
            rows = [await one.rows(query) for query in (_TIMES, _ROOTS)]
            return [*await _facts(one), *rows]

        before = await facts()
        assert [len(rows) for rows in before[3:]] == [2, 2]
        await one.sync.stop()
        await rebuild(one.store, one.imap, one.parser)
        assert await facts() == before
        await one.store.write(lambda tx: sql(tx).run("DELETE FROM thread_root"))
        await rebuild(one.store, one.imap, one.parser)
        assert await facts() == before


async def test_halves_stay_joined_without_the_mail_that_joined_them(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        await one.inbox("agent@x.test")
        for n, raw in enumerate(_CONVERSATION):
            await one.deliver("agent@x.test", raw)
            await until_async(partial(_count, one, n + 1))

        def delete(client: IMAPClient) -> None:
            client.select_folder("INBOX")
            client.delete_messages([3])
            client.expunge()

        await one.person("agent@x.test", delete)
        await until_async(lambda: _count(one, 2))
        before = await _facts(one)
        assert len(before[1]) == 1
        await one.sync.stop()
        await rebuild(one.store, one.imap, one.parser)
        assert await _facts(one) == before


async def test_mail_of_one_second_keeps_its_order_wherever_it_is_moved(tmp_path: Path) -> None:
    async with running_sync(tmp_path, push=False) as one:
        await one.inbox("agent@x.test")
        for n in range(8):
            await one.deliver("agent@x.test", mail(n))
        await one.sync.refresh("agent@x.test")
        await one.sync.stop()
        order = "SELECT subject FROM message ORDER BY timestamp, seq"
        before = await one.rows(order)
        assert before == [{"subject": f"mail {n}"} for n in range(8)]

        def lose(tx: Tx) -> None:  # as a copy of the database does that is older than the mail
            sql(tx).run("DELETE FROM listing_time")

        def move(client: IMAPClient) -> None:
            client.select_folder("INBOX")
            client.move([6, 2], "Junk")

        await one.store.write(lose)
        await rebuild(one.store, one.imap, one.parser)
        assert await one.rows(order) == before
        assert len(await one.rows("SELECT DISTINCT timestamp FROM message")) == 8
        await one.person("agent@x.test", move)
        await rebuild(one.store, one.imap, one.parser)
        assert await one.rows(order) == before


async def test_a_rebuild_keeps_what_was_decided_on_arrival(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        inbox = await one.inbox("agent@x.test")
        await one.deliver("agent@x.test", mail("before"))
        await until_async(lambda: _count(one, 1))
        await one.block(inbox)
        await one.deliver("agent@x.test", mail("under the rule"))
        await until_async(lambda: _count(one, 2))

        def back_and_forth(client: IMAPClient) -> None:
            client.select_folder("INBOX")
            client.move([1], "Junk")
            client.select_folder("Junk")
            client.move([1], "INBOX")

        await one.person("agent@x.test", back_and_forth)
        await one.sync.refresh("agent@x.test")
        await one.store.write(lambda tx: sql(tx).run("DELETE FROM list_entry"))
        before = await _facts(one)
        assert "blocked" in await one.labels("mail under the rule")
        assert "blocked" not in await one.labels("mail before")
        await one.sync.stop()
        await rebuild(one.store, one.imap, one.parser)
        assert await _facts(one) == before


async def test_mail_that_was_not_announced_yet_is_announced_after_a_rebuild(tmp_path: Path) -> None:
    async with running_sync(tmp_path, push=False) as one:
        await one.inbox("agent@x.test")
        for n in range(3):
            await one.deliver("agent@x.test", mail(n))
        await one.sync.refresh("agent@x.test")
        before = await one.rows("SELECT id, message_id FROM event ORDER BY seq")
        await one.sync.stop()
        for n in range(3, 23):
            await one.deliver("agent@x.test", mail(n))
        assert await rebuild(one.store, one.imap, one.parser, read=one.scanner.read) == 23
        assert len(await one.rows("SELECT 1 FROM message")) == 23
        events = await one.rows("SELECT id, message_id FROM event ORDER BY seq")
        assert events[:3] == before
        assert len(events) == 23
        await one.sync.start()
        await one.sync.refresh("agent@x.test")
        assert await one.rows("SELECT id, message_id FROM event ORDER BY seq") == events


@pytest.mark.parametrize("cursors", ["kept", "lost", "of a rebuild that was killed"])
async def test_a_rebuild_leaves_what_is_new_to_the_sync(tmp_path: Path, cursors: str) -> None:
    """Events, blocked senders, and mail that was moved before anybody saw it; and nothing is announced twice."""
    async with running_sync(tmp_path, push=False) as one:
        inbox = await one.inbox("agent@x.test")
        await one.deliver("agent@x.test", mail("old"))
        await one.sync.refresh("agent@x.test")
        await one.person("agent@x.test", lambda client: client.create_folder("Work"))
        await one.person("agent@x.test", lambda client: client.append("Work", mail("filed by hand")))
        await one.sync.refresh("agent@x.test")
        before = await one.rows("SELECT id FROM event")
        assert len(before) == 1
        await one.sync.stop()
        await one.deliver("agent@x.test", mail("moved"))

        def move(client: IMAPClient) -> None:
            client.select_folder("INBOX")
            client.move([2], "Work")

        await one.person("agent@x.test", move)
        await one.block(inbox)
        await one.deliver("agent@x.test", mail("blocked"))
        if cursors == "lost":  # as a restored backup has them
            await one.store.write(lambda tx: forget_inbox(tx, inbox.id))
        elif cursors != "kept":
            await one.store.write(lambda tx: forget_inbox(tx, inbox.id))
            await one.store.write(lambda tx: _half_read(tx, inbox))
        await rebuild(one.store, one.imap, one.parser)
        subjects = [row["subject"] for row in await one.rows("SELECT subject FROM message ORDER BY subject")]
        assert subjects == ["mail filed by hand", "mail old"]
        assert await one.rows("SELECT id FROM event") == before
        await one.sync.start()
        await one.sync.refresh("agent@x.test")
        types = "SELECT event.type, message.subject FROM event JOIN message ON message.id = event.message_id"
        assert sorted((row["subject"], row["type"]) for row in await one.rows(types)) == [
            ("mail blocked", "message.received.blocked"),
            ("mail moved", "message.received.blocked"),  # the sender is blocked when we first see it
            ("mail old", "message.received"),
        ]
        assert await one.labels("mail old") == {"received", "unread"}
        assert await one.labels("mail filed by hand") == {"received", "unread", "folder:Work"}


def _half_read(tx: Tx, inbox: Inbox) -> None:
    known: tuple[tuple[str, FolderRole], ...] = (("INBOX", "inbox"), ("Work", "other"))
    for name, role in known:
        state = fetch.FolderState(name, role, 1, 1, 0)
        apply.save_folder(tx, inbox.id, state, 1, 0)


async def test_a_rebuild_forgets_drafts_that_are_gone(tmp_path: Path) -> None:
    async with running_sync(tmp_path, push=False) as one:
        await one.inbox("agent@x.test")
        await one.person("agent@x.test", lambda client: client.append("Drafts", mail(1)))
        await one.person("agent@x.test", lambda client: client.append("Drafts", mail(2)))
        await one.sync.refresh("agent@x.test")
        assert len(await one.rows("SELECT id FROM draft")) == 2
        await one.sync.stop()

        def delete(client: IMAPClient) -> None:
            client.select_folder("Drafts")
            client.delete_messages([1])
            client.expunge()

        await one.person("agent@x.test", delete)
        await rebuild(one.store, one.imap, one.parser, read=one.scanner.read)
        assert len(await one.rows("SELECT id FROM draft")) == 1


async def test_a_database_of_an_hour_ago_lists_all_and_announces_the_same_events(tmp_path: Path) -> None:
    """As restored from a copy: its cursors, its events and its messages end an hour ago."""
    async with running_sync(tmp_path, push=False) as one:
        inbox = await one.inbox("agent@x.test")
        await one.deliver("agent@x.test", mail(1))
        await one.sync.refresh("agent@x.test")
        tables = ("folder", "location", "message", "message_body", "thread", "thread_ref", "label", "event")
        kept = {name: await one.rows(f'SELECT * FROM "{name}"') for name in tables}
        for n in range(2, 6):
            await one.deliver("agent@x.test", mail(n))
        await one.sync.refresh("agent@x.test")
        facts, events = await _facts(one), await one.rows("SELECT id, message_id FROM event ORDER BY id")
        await one.sync.stop()

        def put_back(tx: Tx) -> None:
            forget_inbox(tx, inbox.id)
            sql(tx).run("DELETE FROM event")
            for name, rows in kept.items():
                for row in rows:
                    sql(tx).insert(name, row)

        await one.store.write(put_back)
        await one.sync.start()
        await one.sync.refresh("agent@x.test")
        assert await _facts(one) == facts
        assert await one.rows("SELECT id, message_id FROM event ORDER BY id") == events
