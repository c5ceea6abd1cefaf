"""A person who moves or deletes mail while a pass reads it: a move is never a deletion, a deletion is never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imapclient
import pytest

from gateway.records.ids import MessageId
from gateway.records.inboxes import Inbox
from gateway.store.transaction import Tx
from gateway.sync import apply, fetch, scan
from gateway.sync.fetch import Delta
from mailserver.base import MailServerDown
from tests.support.waiting import until_async
from tests.sync.running_sync import RunningSync, mail, running_sync

pytestmark = pytest.mark.anyio
AGENT = "agent@x.test"


def meddle(patch: pytest.MonkeyPatch, before: Callable[[str], Any]) -> None:
    """Have ``before`` called with a folder's name, in a pool thread, just before a pass reads it."""
    read = fetch.read

    def meddled(client: Any, name: str, *rest: Any, **named: Any) -> Delta:
        before(name)
        return read(client, name, *rest, **named)

    patch.setattr(fetch, "read", meddled)


def mover(one: RunningSync, source: str, target: str) -> Callable[[], None]:
    def move(client: imapclient.IMAPClient) -> None:
        client.select_folder(source)
        client.move("1:*", target)

    return lambda: one.person_now(AGENT, move)


def delete(client: imapclient.IMAPClient) -> None:
    client.select_folder("INBOX")
    client.delete_messages([1])
    client.expunge([1])


async def told(one: RunningSync) -> list[str]:
    return [row["type"] for row in await one.rows("SELECT type FROM event ORDER BY seq")]


async def settled(one: RunningSync, folder: str, count: int = 1) -> None:
    """All mail stands in ``folder`` and nowhere else."""

    async def there() -> bool:
        rows = await one.rows(
            "SELECT folder.name FROM location JOIN folder ON folder.id = folder_id WHERE message_id <> ''"
        )
        return [row["name"] for row in rows] == [folder] * count

    await until_async(there)


def once(work: Callable[[], None], at: str) -> Callable[[str], None]:
    """Do it before the folder ``at`` is read for the first time."""
    left = [work]

    def before(name: str) -> None:
        if name == at and left:
            left.pop()()

    return before


async def test_a_move_behind_the_reader_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """INBOX was read, then the mail came there from the folder that is read next."""
    async with running_sync(tmp_path, push=False) as one:
        inbox = await one.inbox(AGENT)
        await one.person(AGENT, lambda client: client.create_folder("Later"))
        await one.deliver(AGENT, mail(1))
        await one.sync.refresh(AGENT)
        await asyncio.to_thread(mover(one, "INBOX", "Later"))
        await one.sync.refresh(AGENT)
        await settled(one, "Later")
        await one.block(inbox)
        await one.deliver(AGENT, mail(2))  # so that INBOX is read at all
        await one.person(
            AGENT, lambda client: (client.select_folder("Later"), client.add_flags([1], ["\\Flagged"]))
        )
        meddle(monkeypatch, once(mover(one, "Later", "INBOX"), "Later"))
        await one.sync.refresh(AGENT)
        await one.sync.refresh(AGENT)
        await settled(one, "INBOX", count=2)
        assert "blocked" not in await one.labels("mail 1")
        assert await told(one) == ["message.received", "message.received.blocked"]


async def test_a_move_back_and_forth_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_sync(tmp_path, push=False) as one:
        inbox = await one.inbox(AGENT)
        await one.deliver(AGENT, mail(1))
        await one.sync.refresh(AGENT)
        await one.block(inbox)
        await asyncio.to_thread(mover(one, "INBOX", "Junk"))
        meddle(monkeypatch, once(mover(one, "Junk", "INBOX"), "Junk"))
        await one.sync.refresh(AGENT)
        await one.sync.refresh(AGENT)
        await settled(one, "INBOX")
        assert "blocked" not in await one.labels("mail 1")
        assert await told(one) == ["message.received"]


async def test_mail_that_keeps_coming_only_puts_a_deletion_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_sync(tmp_path, push=False) as one:
        await one.inbox(AGENT)
        await one.deliver(AGENT, mail(1))
        await one.sync.refresh(AGENT)

        await one.person(AGENT, delete)
        count = [0]
        folders = fetch.list_folders

        def never_still(client: Any) -> Any:
            if count[0] < 40:
                count[0] += 1
                one.person_now(AGENT, lambda person: person.append("Sent", mail(f"n{count[0]}")))
            return folders(client)

        monkeypatch.setattr(fetch, "list_folders", never_still)
        await one.sync.refresh(AGENT)
        await until_async(lambda: _none(one, "mail 1"))
        assert count[0] == 40
        assert len(await one.rows("SELECT id FROM message")) == 40


async def _none(one: RunningSync, subject: str) -> bool:
    return not await one.rows("SELECT 1 FROM message WHERE subject = ?", subject)


@pytest.mark.parametrize("how", ["the index is away", "the process ends"])
async def test_a_deletion_outlives_a_pass_that_ends_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    async with running_sync(tmp_path, push=False) as one:
        await one.inbox(AGENT)
        await one.deliver(AGENT, mail(1))
        await one.sync.refresh(AGENT)

        await one.person(AGENT, delete)
        write, failed = apply.write_vanished, asyncio.Event()
        loop = asyncio.get_running_loop()

        def fails(tx: Tx, *rest: Any, **named: Any) -> Any:
            loop.call_soon_threadsafe(failed.set)
            raise MailServerDown("the pass ends here")

        monkeypatch.setattr(apply, "write_vanished", fails)
        looking = asyncio.create_task(one.sync.refresh(AGENT))
        await failed.wait()
        if how == "the process ends":
            await one.sync.stop()
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        monkeypatch.setattr(apply, "write_vanished", write)
        if how == "the process ends":
            await one.sync.start()
            await one.sync.refresh(AGENT)
        else:
            await looking
        assert await one.rows("SELECT id FROM message") == []


async def test_a_folder_made_anew_while_the_pass_fails_leaves_no_ghost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UIDVALIDITY is another, and the pass that finds it ends before what stood there is forgotten."""
    async with running_sync(tmp_path, push=False) as one:
        await one.inbox(AGENT)
        await one.person(AGENT, lambda client: client.create_folder("Work"))
        await one.person(AGENT, lambda client: client.append("Work", mail(1)))
        await one.sync.refresh(AGENT)
        assert len(await one.rows("SELECT id FROM message")) == 1

        def anew(client: imapclient.IMAPClient) -> None:
            client.delete_folder("Work")
            client.create_folder("Work")

        await one.person(AGENT, anew)
        remove_orphans, left = scan._remove_orphans, [True]

        def fails(tx: Tx, inbox: Inbox) -> list[MessageId]:
            if left:
                left.clear()
                raise MailServerDown("the pass ends here")
            return remove_orphans(tx, inbox)

        monkeypatch.setattr(scan, "_remove_orphans", fails)
        await one.sync.refresh(AGENT)
        assert not left
        assert await one.rows("SELECT id FROM message") == []


async def test_a_folder_made_anew_between_two_looks_leaves_no_ghost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was away at the first look of a pass, and there again, with another UIDVALIDITY, at the second."""
    async with running_sync(tmp_path, push=False) as one:
        await one.inbox(AGENT)

        def make(*numbers: int) -> Callable[[imapclient.IMAPClient], None]:
            def work(client: imapclient.IMAPClient) -> None:
                client.create_folder("Work")
                for n in numbers:
                    client.append("Work", mail(n))

            return work

        await one.person(AGENT, make(1, 2, 3))
        await one.sync.refresh(AGENT)
        await one.person(AGENT, lambda client: client.delete_folder("Work"))
        folders, looks = fetch.list_folders, [0]

        def anew_after_the_first(client: Any) -> Any:
            looks[0] += 1
            if looks[0] == 2:
                one.person_now(AGENT, make(4))
            return folders(client)

        monkeypatch.setattr(fetch, "list_folders", anew_after_the_first)
        await one.sync.refresh(AGENT)
        assert looks[0] >= 2
        assert await one.rows("SELECT subject FROM message") == [{"subject": "mail 4"}]
        threads = await one.rows("SELECT message_count FROM thread")
        assert [row["message_count"] for row in threads] == [1]


async def test_a_pass_that_ends_after_a_folder_was_made_anew_leaves_no_ghost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new UIDVALIDITY is written, and the pass ends before it comes to what is gone."""
    async with running_sync(tmp_path, push=False) as one:
        await one.inbox(AGENT)
        await one.person(AGENT, lambda client: client.create_folder("Work"))
        await one.person(AGENT, lambda client: client.append("Work", mail(1)))
        await one.sync.refresh(AGENT)

        def anew(client: imapclient.IMAPClient) -> None:
            client.delete_folder("Work")
            client.create_folder("Work")

        await one.person(AGENT, anew)
        remove_gone, left = scan.Scan.remove_gone, [True]

        async def fails(one: scan.Scan) -> bool:
            if left:
                left.clear()
                raise MailServerDown("the pass ends here")
            return await remove_gone(one)

        monkeypatch.setattr(scan.Scan, "remove_gone", fails)
        await one.sync.refresh(AGENT)
        assert not left
        assert await one.rows("SELECT id FROM message") == []
