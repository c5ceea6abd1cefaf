"""Attachments are read before their mail is written: nothing else waits for a slow one, nothing is read twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from imapclient import IMAPClient

from gateway.extract.pool import ExtractPool
from gateway.store.json_columns import load
from gateway.store.sql import sql
from gateway.sync.rebuild import rebuild
from gateway.sync.scan_slots import LENT_OCTETS, Slots
from tests.extract import files
from tests.support.waiting import until_async
from tests.sync.running_sync import RunningSync, mail, running_sync

pytestmark = pytest.mark.anyio

PDF: files.File = ("invoice.pdf", "application/pdf", files.pdf("Invoice 4711"))
SLOW: files.File = ("slow.pdf", "application/pdf", files.slow_pdf(300_000))


async def subjects(one: RunningSync, address: str) -> list[str]:
    """What an inbox was told of, in order."""
    rows = await one.rows(
        "SELECT message.subject FROM event JOIN message ON message.id = event.message_id "
        "WHERE event.inbox_id = ? ORDER BY event.seq",
        one.inboxes[address].id,
    )
    return [row["subject"] for row in rows]


async def texts(one: RunningSync) -> dict[tuple[str, str], str | None]:
    rows = await one.rows("SELECT message_id, attachment_id, method, text FROM attachment_text")
    assert {row["method"] for row in rows} <= {"pdf"}
    return {(row["message_id"], row["attachment_id"]): row["text"] for row in rows}


async def test_a_slow_attachment_lends_its_slot(tmp_path: Path) -> None:
    """With one pass at a time, an inbox that waits for an attachment still lets another be read."""
    async with ExtractPool(1) as pool, running_sync(tmp_path, concurrency=1, extractor=pool) as one:
        await one.inbox("slow@x.test")
        await one.inbox("agent@x.test")
        await one.deliver("slow@x.test", files.mail(SLOW, to="slow@x.test", subject="slow"))
        await until_async(lambda: _busy(pool))
        await one.deliver("agent@x.test", mail(1))
        await until_async(lambda: subjects(one, "agent@x.test"))
        assert await subjects(one, "slow@x.test") == []
        await until_async(lambda: subjects(one, "slow@x.test"))


async def _told(one: RunningSync, count: int) -> bool:
    return len(await subjects(one, "agent@x.test")) >= count


async def _busy(pool: ExtractPool) -> bool:
    return bool(pool._processes)


async def test_mail_before_a_slow_one_is_told_of_at_once_and_mail_after_it_in_order(tmp_path: Path) -> None:
    """One batch: it is written in pieces, and the cursor goes with each."""
    # the slow one is slow, and not given up, on a busy machine too
    async with ExtractPool(1, deadline=120) as pool, running_sync(tmp_path, extractor=pool) as one:
        inbox = await one.inbox("agent@x.test")
        await one.sync.stop()
        for raw in (mail(1), files.mail(PDF, subject="pdf"), files.mail(SLOW, subject="slow"), mail(2)):
            await one.deliver("agent@x.test", raw)
        await one.sync.start()
        await until_async(
            lambda: _told(one, 2)
        )  # in one piece, or in two where reading the PDF took its time
        assert await subjects(one, "agent@x.test") == ["mail 1", "pdf"]
        (row,) = await one.rows("SELECT uidnext FROM folder WHERE inbox_id = ? AND role = 'inbox'", inbox.id)
        assert row["uidnext"] == 3
        assert list((await texts(one)).values()) == ["Invoice 4711"]
        # a crash here: what was not written is read again, what was is not told of again
        await one.sync.stop()
        await one.sync.start()
        await one.sync.refresh("agent@x.test")
        assert await subjects(one, "agent@x.test") == ["mail 1", "pdf", "slow", "mail 2"]
        assert sorted((await texts(one)).values(), key=str) == ["", "Invoice 4711"]


async def test_a_move_reads_nothing_again_and_a_deletion_takes_the_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with ExtractPool(1) as pool, running_sync(tmp_path, extractor=pool) as one:
        await one.inbox("agent@x.test")
        await one.deliver("agent@x.test", files.mail(PDF))
        await until_async(lambda: subjects(one, "agent@x.test"))
        before = await texts(one)
        await pool.close()  # from here on reading would fail, and be logged

        def move(client: IMAPClient) -> None:
            client.select_folder("INBOX")
            client.move([1], "Junk")

        await one.person("agent@x.test", move)
        await one.sync.refresh("agent@x.test")
        (folder,) = await one.rows("SELECT folder.name FROM location JOIN folder ON folder.id = folder_id")
        assert folder["name"] == "Junk"
        assert await texts(one) == before
        assert "could not be read" not in caplog.text

        def delete(client: IMAPClient) -> None:
            client.select_folder("Junk")
            client.delete_messages([1])
            client.expunge()

        await one.person("agent@x.test", delete)
        await one.sync.refresh("agent@x.test")
        assert await one.rows("SELECT id FROM message") == []
        assert await texts(one) == {}


async def test_a_rebuild_keeps_what_was_read_and_reads_what_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with ExtractPool(1) as pool, running_sync(tmp_path, extractor=pool) as one:
        inbox = await one.inbox("agent@x.test")
        for n in range(3):
            await one.deliver("agent@x.test", files.mail(PDF, subject=f"pdf {n}"))
        await until_async(lambda: _count(one, 3))
        before = await texts(one)
        assert set(before.values()) == {"Invoice 4711"}
        await one.sync.stop()
        gone = {
            "inbox_id": inbox.id,
            "message_id": "gone",
            "attachment_id": "a",
            "method": "pdf",
            "text": "x",
        }
        await one.store.write(lambda tx: sql(tx).insert("attachment_text", gone))
        await rebuild(
            one.store, one.imap, one.parser, extractor=ExtractPool()
        )  # not open: it must not be asked
        assert "could not be read" not in caplog.text
        assert await texts(one) == before
        await one.store.write(lambda tx: sql(tx).run("DELETE FROM attachment_text"))
        await rebuild(one.store, one.imap, one.parser, extractor=pool)
        assert await texts(one) == before


async def _count(one: RunningSync, wanted: int) -> bool:
    return len(await one.rows("SELECT id FROM message")) == wanted


async def test_a_defect_in_reading_keeps_no_mail_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_sync(tmp_path, extractor=ExtractPool()) as one:  # it was never started
        await one.inbox("agent@x.test")
        await one.deliver("agent@x.test", files.mail(PDF))
        await until_async(lambda: subjects(one, "agent@x.test"))
        assert await texts(one) == {}
    assert "could not be read" in caplog.text


async def test_with_reading_switched_off_attachments_are_unsupported(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        await one.inbox("agent@x.test")
        await one.deliver("agent@x.test", files.mail(PDF))
        await until_async(lambda: subjects(one, "agent@x.test"))
        (event,) = await one.rows("SELECT payload_json FROM event")
        (shown,) = load(event["payload_json"])["message"]["attachments"]
        assert shown["extraction_method"] == "unsupported"
        assert "parsed_text" not in shown


async def test_a_slot_is_lent_only_while_memory_lasts() -> None:
    slots = Slots(1)
    await slots.take()
    async with slots.lent(LENT_OCTETS):
        await asyncio.wait_for(slots.take(), 5)
        async with slots.lent(1):  # no more: this one waits in its own slot
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(slots.take(), 0.01)
        slots.give()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(slots.take(), 0.01)
