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
from tests.api_mail.house import House, house
from tests.e2e.world import letter

ADDRESS = "agent@postern.test"

pytestmark = pytest.mark.anyio


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as one:
        await one.inbox(ADDRESS)
        yield one


async def thread_of_two(home: House) -> Row:
    """A thread of two unread mails."""
    first = letter(ADDRESS, "Hello")
    second = letter(ADDRESS, "Re: Hello", In_Reply_To=str(first["Message-ID"]))
    for mail in (first, second):
        await home.deliver(ADDRESS, mail.as_bytes())
    rows: list[Row] = await home.until(lambda: rows_of(home, "SELECT * FROM thread WHERE message_count = 2"))
    assert rows[0]["unread"] == 1
    return rows[0]


async def rows_of(home: House, query: str, *args: object) -> list[Row]:
    return await home.core.store.read(lambda tx: sql(tx).rows(query, *args))


async def unread(home: House, thread: Row) -> int:
    (row,) = await rows_of(home, "SELECT unread FROM thread WHERE id = ?", thread["id"])
    return int(row["unread"])


async def seen(home: House) -> int:
    """How many mails bear \\Seen on the mail server."""

    def look(client: IMAPClient) -> int:
        client.open("INBOX", readonly=True)  # type: ignore[attr-defined]
        return len(client.search("SEEN"))

    return await home.core.imap.run(ADDRESS, look)


async def answered(home: House, thread: Row) -> None:
    """What accepting an answer writes; the flags are not brought to the mail server."""
    inbox = home.inboxes[ADDRESS]
    await home.core.store.write(lambda tx: note_answered(tx, inbox, thread["id"]))


async def passes(home: House, count: int = 1) -> None:
    """What a gateway that starts anew does: whole passes over the inbox."""
    core = home.core
    scanner = Scanner(
        core.store, core.imap, core.parser, core.events, MailboxDrafts(core.store), core.settings
    )
    sync = Sync(core.store, home.server, scanner, core.settings)
    await sync.start()
    try:
        for _ in range(count):
            await sync.refresh(ADDRESS)
    finally:
        await sync.stop()


async def test_an_answer_is_accepted_and_marks_read_while_imap_is_down(home: House) -> None:
    thread = await thread_of_two(home)
    dead = ImapPool(lambda address: ImapLogin(Endpoint("127.0.0.1", 1), address, "x"))
    core = replace(home.core, imap=dead)
    try:
        answer = ThreadReply(to="ann@abroad.test", text="thanks")
        sent = await reply_in_thread(core, home.scope, home.inboxes[ADDRESS], f"thr_{thread['id']}", answer)
    finally:
        await dead.close()
    assert sent.thread_id == thread["id"]
    assert await unread(home, thread) == 0
    await home.sync.refresh(ADDRESS)
    assert await unread(home, thread) == 0
    assert await seen(home) == 2
    assert await rows_of(home, "SELECT * FROM flags_owed") == []


async def test_old_flags_do_not_undo_what_is_owed(home: House) -> None:
    thread = await thread_of_two(home)
    await home.sync.stop()
    await answered(home, thread)
    inbox = home.inboxes[ADDRESS]
    for row in await rows_of(home, "SELECT id FROM message"):
        await home.core.store.write(lambda tx, row=row: index.apply_locations(tx, inbox, row["id"]))
    assert await rows_of(home, "SELECT * FROM label WHERE label = 'unread'") == []
    assert len(await rows_of(home, "SELECT * FROM flags_owed")) == 2
    assert await seen(home) == 0


async def test_what_is_owed_is_paid_wherever_the_message_went(home: House) -> None:
    thread = await thread_of_two(home)
    await home.sync.stop()
    await answered(home, thread)

    def move(client: IMAPClient) -> None:
        client.create_folder("Kept")
        client.open("INBOX")  # type: ignore[attr-defined]
        client.move(client.search("ALL")[:1], "Kept")
        client.add_flags(client.search("ALL"), [b"\\Flagged"])

    await home.core.imap.run(ADDRESS, move)
    await passes(home, 2)  # the first one learns where it is, the next one pays
    assert await unread(home, thread) == 0
    assert await rows_of(home, "SELECT * FROM flags_owed") == []
    assert await rows_of(home, "SELECT flags FROM location WHERE flags NOT LIKE '%Seen%'") == []


async def test_a_later_wish_cancels_what_is_owed(home: House) -> None:
    thread = await thread_of_two(home)
    await home.sync.stop()
    await answered(home, thread)
    first, second = await rows_of(home, "SELECT id FROM message ORDER BY seq")
    await change_labels(home.core, home.scope, ADDRESS, f"msg_{second['id']}", Change(add=["unread"]))
    assert [row["message_id"] for row in await rows_of(home, "SELECT * FROM flags_owed")] == [first["id"]]
    await passes(home)
    assert await unread(home, thread) == 1
    assert await seen(home) == 1


async def test_a_flag_that_the_mail_server_does_not_take_holds_up_no_other(home: House) -> None:
    thread = await thread_of_two(home)
    await home.sync.stop()
    await answered(home, thread)
    first, _ = await rows_of(home, "SELECT id FROM message ORDER BY seq")
    inbox = home.inboxes[ADDRESS]
    await home.core.store.write(lambda tx: add_pending(tx, inbox.id, first["id"], add=["\\Bogus"]))
    await passes(home)
    assert await seen(home) == 1
    assert [row["message_id"] for row in await rows_of(home, "SELECT * FROM flags_owed")] == [first["id"]]
    assert await unread(home, thread) == 0


async def test_a_deleted_message_is_owed_nothing(home: House) -> None:
    thread = await thread_of_two(home)
    await home.sync.stop()
    await answered(home, thread)

    def clear(client: IMAPClient) -> None:
        client.open("INBOX")  # type: ignore[attr-defined]
        uids = client.search("ALL")
        client.delete_messages(uids)
        client.uid_expunge(uids)

    await home.core.imap.run(ADDRESS, clear)
    await passes(home)
    assert await rows_of(home, "SELECT * FROM flags_owed") == []
    assert await rows_of(home, "SELECT * FROM thread") == []


async def test_a_rebuild_finds_the_same_read_state(home: House) -> None:
    thread = await thread_of_two(home)
    await home.deliver(ADDRESS, letter(ADDRESS, "unread").as_bytes())
    await home.deliver(ADDRESS, letter(ADDRESS, "read").as_bytes())
    own = {"to": ["bob@abroad.test"], "text": "b"}
    for subject in ("own", "own, unread"):
        answer = await home.api.post(
            f"/api/v0/inboxes/{ADDRESS}/messages/send", json={**own, "subject": subject}
        )
        assert answer.status_code == 200, answer.text
    await home.until(lambda: rows_of(home, "SELECT 1 FROM inbox WHERE (SELECT count(*) FROM location) = 6"))
    by_subject = {row["subject"]: row for row in await rows_of(home, "SELECT * FROM thread")}
    await mark_thread(home.core, home.scope, by_subject["read"]["id"], read=True)
    await mark_thread(home.core, home.scope, by_subject["own, unread"]["id"], read=False)
    await home.sync.stop()
    await answered(home, thread)
    shown = "SELECT id, subject, unread, message_count, hidden_count FROM thread ORDER BY id"
    before = await rows_of(home, shown)
    assert {row["subject"]: row["unread"] for row in before} == {
        "Hello": 0, "unread": 1, "read": 0, "own": 0, "own, unread": 1,
    }  # fmt: skip
    assert await rebuild(home.core.store, home.core.imap, home.core.parser) == 6
    assert await rows_of(home, shown) == before
    assert await seen(home) == 1
    await passes(home)
    assert await rows_of(home, shown) == before
    assert await seen(home) == 3
