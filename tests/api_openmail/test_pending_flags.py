"""A thread is read the moment its answer is accepted, whatever the mail server does: the flags are owed to it, no
pass undoes them, and a rebuild finds the same state (B1).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from imapclient import IMAPClient

from gateway.core.drafts.from_mailbox import MailboxDrafts
from gateway.core.mail.read_state import mark_thread, note_answered
from gateway.core.mail.relabel import Change, change_labels
from gateway.core.sending.thread_reply import ThreadReply, reply_in_thread
from gateway.store import index
from gateway.store.pending_flags import add_pending
from gateway.store.sql import Row, sql
from gateway.sync.rebuild import rebuild
from gateway.sync.scan import Scanner
from gateway.sync.schedule import Sync
from mailserver.base import Endpoint, ImapLogin
from mailserver.imap import ImapPool
from tests.support.mail_api import MailApi, mail_api
from tests.support.mails import new_mail
from tests.support.waiting import until_async

ADDRESS = "agent@postern.test"

pytestmark = pytest.mark.anyio


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[MailApi]:
    async with mail_api(tmp_path) as one:
        await one.inbox(ADDRESS)
        yield one


async def thread_of_two(running: MailApi) -> Row:
    """A thread of two unread mails."""
    first = new_mail(ADDRESS, "Hello")
    second = new_mail(ADDRESS, "Re: Hello", In_Reply_To=str(first["Message-ID"]))
    for mail in (first, second):
        await running.deliver(ADDRESS, mail.as_bytes())
    rows: list[Row] = await until_async(
        lambda: rows_of(running, "SELECT * FROM thread WHERE message_count = 2")
    )
    assert rows[0]["unread"] == 1
    return rows[0]


async def rows_of(running: MailApi, query: str, *args: object) -> list[Row]:
    return await running.core.store.read(lambda tx: sql(tx).rows(query, *args))


async def unread(running: MailApi, thread: Row) -> int:
    (row,) = await rows_of(running, "SELECT unread FROM thread WHERE id = ?", thread["id"])
    return int(row["unread"])


async def seen(running: MailApi) -> int:
    """How many mails bear \\Seen on the mail server."""

    def look(client: IMAPClient) -> int:
        client.open("INBOX", readonly=True)
        return len(client.search("SEEN"))

    return await running.core.imap.run(ADDRESS, look)


async def answered(running: MailApi, thread: Row) -> None:
    """What accepting an answer writes; the flags are not brought to the mail server."""
    inbox = running.inboxes[ADDRESS]
    await running.core.store.write(lambda tx: note_answered(tx, inbox, thread["id"]))


async def passes(running: MailApi, count: int = 1) -> None:
    """What a gateway that starts anew does: whole passes over the inbox."""
    core = running.core
    scanner = Scanner(
        core.store, core.imap, core.parser, core.events, MailboxDrafts(core.store), core.settings
    )
    sync = Sync(core.store, running.server, scanner, core.settings)
    await sync.start()
    try:
        for _ in range(count):
            await sync.refresh(ADDRESS)
    finally:
        await sync.stop()


async def test_an_answer_is_accepted_and_marks_read_while_imap_is_down(running: MailApi) -> None:
    thread = await thread_of_two(running)
    dead = ImapPool(lambda address: ImapLogin(Endpoint("127.0.0.1", 1), address, "x"))
    core = replace(running.core, imap=dead)
    try:
        answer = ThreadReply(to="ann@abroad.test", text="thanks")
        sent = await reply_in_thread(
            core, running.scope, running.inboxes[ADDRESS], f"thr_{thread['id']}", answer
        )
    finally:
        await dead.close()
    assert sent.thread_id == thread["id"]
    assert await unread(running, thread) == 0
    await running.sync.refresh(ADDRESS)
    assert await unread(running, thread) == 0
    assert await seen(running) == 2
    assert await rows_of(running, "SELECT * FROM flags_owed") == []


async def test_old_flags_do_not_undo_what_is_owed(running: MailApi) -> None:
    thread = await thread_of_two(running)
    await running.sync.stop()
    await answered(running, thread)
    inbox = running.inboxes[ADDRESS]
    for row in await rows_of(running, "SELECT id FROM message"):
        await running.core.store.write(lambda tx, row=row: index.apply_locations(tx, inbox, row["id"]))
    assert await rows_of(running, "SELECT * FROM label WHERE label = 'unread'") == []
    assert len(await rows_of(running, "SELECT * FROM flags_owed")) == 2
    assert await seen(running) == 0


async def test_what_is_owed_is_paid_wherever_the_message_went(running: MailApi) -> None:
    thread = await thread_of_two(running)
    await running.sync.stop()
    await answered(running, thread)

    def move(client: IMAPClient) -> None:
        client.create_folder("Kept")
        client.open("INBOX")
        client.move(client.search("ALL")[:1], "Kept")
        client.add_flags(client.search("ALL"), [b"\\Flagged"])

    await running.core.imap.run(ADDRESS, move)
    await passes(running, 2)  # the first one learns where it is, the next one pays
    assert await unread(running, thread) == 0
    assert await rows_of(running, "SELECT * FROM flags_owed") == []
    assert await rows_of(running, "SELECT flags FROM location WHERE flags NOT LIKE '%Seen%'") == []


async def test_a_later_wish_cancels_what_is_owed(running: MailApi) -> None:
    thread = await thread_of_two(running)
    await running.sync.stop()
    await answered(running, thread)
    first, second = await rows_of(running, "SELECT id FROM message ORDER BY seq")
    await change_labels(running.core, running.scope, ADDRESS, f"msg_{second['id']}", Change(add=["unread"]))
    assert [row["message_id"] for row in await rows_of(running, "SELECT * FROM flags_owed")] == [first["id"]]
    await passes(running)
    assert await unread(running, thread) == 1
    assert await seen(running) == 1


async def test_a_flag_that_the_mail_server_does_not_take_holds_up_no_other(running: MailApi) -> None:
    thread = await thread_of_two(running)
    await running.sync.stop()
    await answered(running, thread)
    first, _ = await rows_of(running, "SELECT id FROM message ORDER BY seq")
    inbox = running.inboxes[ADDRESS]
    await running.core.store.write(lambda tx: add_pending(tx, inbox.id, first["id"], add=["\\Bogus"]))
    await passes(running)
    assert await seen(running) == 1
    assert [row["message_id"] for row in await rows_of(running, "SELECT * FROM flags_owed")] == [first["id"]]
    assert await unread(running, thread) == 0


async def test_a_deleted_message_is_owed_nothing(running: MailApi) -> None:
    thread = await thread_of_two(running)
    await running.sync.stop()
    await answered(running, thread)

    def clear(client: IMAPClient) -> None:
        client.open("INBOX")
        uids = client.search("ALL")
        client.delete_messages(uids)
        client.uid_expunge(uids)

    await running.core.imap.run(ADDRESS, clear)
    await passes(running)
    assert await rows_of(running, "SELECT * FROM flags_owed") == []
    assert await rows_of(running, "SELECT * FROM thread") == []


async def test_a_rebuild_finds_the_same_read_state(running: MailApi) -> None:
    thread = await thread_of_two(running)
    await running.deliver(ADDRESS, new_mail(ADDRESS, "unread").as_bytes())
    await running.deliver(ADDRESS, new_mail(ADDRESS, "read").as_bytes())
    own = {"to": ["bob@abroad.test"], "text": "b"}
    for subject in ("own", "own, unread"):
        answer = await running.api.post(
            f"/api/v0/inboxes/{ADDRESS}/messages/send", json={**own, "subject": subject}
        )
        assert answer.status_code == 200, answer.text
    await until_async(
        lambda: rows_of(running, "SELECT 1 FROM inbox WHERE (SELECT count(*) FROM location) = 6")
    )
    by_subject = {row["subject"]: row for row in await rows_of(running, "SELECT * FROM thread")}
    await mark_thread(running.core, running.scope, by_subject["read"]["id"], read=True)
    await mark_thread(running.core, running.scope, by_subject["own, unread"]["id"], read=False)
    await running.sync.stop()
    await answered(running, thread)
    shown = "SELECT id, subject, unread, message_count, hidden_count FROM thread ORDER BY id"
    before = await rows_of(running, shown)
    assert {row["subject"]: row["unread"] for row in before} == {
        "Hello": 0, "unread": 1, "read": 0, "own": 0, "own, unread": 1,
    }  # fmt: skip
    assert await rebuild(running.core.store, running.core.imap, running.core.parser) == 6
    assert await rows_of(running, shown) == before
    assert await seen(running) == 1
    await passes(running)
    assert await rows_of(running, shown) == before
    assert await seen(running) == 3
