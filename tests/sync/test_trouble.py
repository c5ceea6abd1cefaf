"""One broken mailbox delays no other; hostile mail is listed and harms nothing."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any, cast

import pytest
from imapclient import IMAPClient

from gateway.store.sql import sql
from gateway.sync import fetch
from gateway.sync.scan import Scan, ScanRequest
from mailserver.base import Hint
from tests.support.waiting import until_async
from tests.sync.running_sync import RunningSync, mail, running_sync

pytestmark = pytest.mark.anyio


async def test_a_mailbox_that_cannot_be_opened_delays_no_other(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        await one.inbox("broken@x.test")
        await one.inbox("agent@x.test")
        await one.deliver("broken@x.test", mail("before"))
        await until_async(lambda: one.rows("SELECT 1 FROM message WHERE subject = 'mail before'"))
        homes = [
            path
            for path in cast(Any, one.mail).settings.data_dir.rglob("*")
            if path.name.startswith("broken@x.test")
        ]
        assert homes
        mode = homes[0].stat().st_mode
        await one.imap.drop("broken@x.test")
        os.rename(homes[0], homes[0].with_name("away"))
        homes[0].write_text("not a directory")
        for _ in range(3):
            one.sync.hint(_hint("broken@x.test"))
            await asyncio.sleep(0.05)
        await one.deliver("agent@x.test", mail("after"))
        await until_async(lambda: one.rows("SELECT 1 FROM message WHERE subject = 'mail after'"), 3.0)
        homes[0].unlink()
        os.rename(homes[0].with_name("away"), homes[0])
        os.chmod(homes[0], mode)
        await one.deliver("broken@x.test", mail("mended"))
        await until_async(lambda: one.rows("SELECT 1 FROM message WHERE subject = 'mail mended'"), 60.0)


async def test_a_mailbox_that_is_deleted_while_it_is_read_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_sync(tmp_path) as one:
        await one.inbox("agent@x.test")
        run = Scan.run

        async def too_late(scan: Scan, request: ScanRequest) -> bool:
            homes = [
                path
                for path in cast(Any, one.mail).settings.data_dir.rglob("*")
                if path.name.startswith("agent@x.test")
            ]
            await one.imap.drop("agent@x.test")
            shutil.rmtree(homes[0])
            homes[0].write_text("not a directory")
            await one.store.write(lambda tx: sql(tx).run("UPDATE inbox SET status = 'deleting'"))
            return await run(scan, request)

        monkeypatch.setattr(Scan, "run", too_late)
        one.sync.hint(_hint("agent@x.test"))
        await until_async(lambda: asyncio.sleep(0, "agent@x.test" not in one.sync._mailboxes))
        assert not [record for record in caplog.records if record.name == "postern.sync"]


@pytest.mark.parametrize("step", ["status", "read"])
async def test_a_folder_that_vanishes_while_the_mailbox_is_scanned_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    """After LIST has named it: before STATUS, or before SELECT."""
    async with running_sync(tmp_path, push=False) as one:
        await one.inbox("agent@x.test")
        await one.person("agent@x.test", lambda client: client.create_folder("Work"))
        ask, left = getattr(fetch, step), [True]

        def late(client: Any, name: str, *rest: Any, **named: Any) -> Any:
            if name == "Work" and left:
                left.clear()
                one.person_now("agent@x.test", lambda client: client.delete_folder("Work"))
            return ask(client, name, *rest, **named)

        monkeypatch.setattr(fetch, step, late)
        await one.deliver("agent@x.test", mail(1))
        await one.sync.refresh("agent@x.test")
        assert not left
        assert [row["subject"] for row in await one.rows("SELECT subject FROM message")] == ["mail 1"]
        assert not [record for record in caplog.records if record.name == "postern.sync"]


async def test_imap_commands_in_a_message_id_stay_text(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        await one.inbox("agent@x.test")
        await one.deliver("agent@x.test", mail(1))
        evil = (
            b"From: e@world.test\r\nSubject: evil\r\n"
            b"Message-ID: =?utf-8?q?=3Ca=0D=0AX1_UID_STORE_1=3A*_+FLAGS_=5CDeleted=0D=0AX2_EXPUNGE=3E?=\r\n"
            b"In-Reply-To: =?utf-8?q?=3Ca=0D=0AX1_EXPUNGE=3E?=\r\n\r\nx\r\n"
        )
        await one.deliver("agent@x.test", evil)
        await one.deliver("agent@x.test", mail(2))
        await until_async(lambda: one.rows("SELECT 1 FROM message WHERE subject = 'mail 2'"))
        await until_async(lambda: one.rows("SELECT 1 FROM message WHERE subject = 'evil'"))

        def look(client: IMAPClient) -> dict[int, tuple[bytes, ...]]:
            client.select_folder("INBOX")
            return client.get_flags(client.search("ALL"))

        flags = await one.person("agent@x.test", look)
        assert len(flags) == 3
        assert not any(b"\\Deleted" in one for one in flags.values())


async def test_mail_with_a_reused_message_id_is_shown(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        await one.inbox("agent@x.test")
        await one.deliver("agent@x.test", mail(1, body="one"))
        await one.deliver("agent@x.test", mail(1, body="two"))
        await one.deliver("agent@x.test", mail(1, body="two"))  # a sender that missed the 250
        await until_async(lambda: _count(one, 2))
        await one.sync.refresh("agent@x.test")
        assert await _count(one, 2)
        assert len(await one.rows("SELECT 1 FROM event")) == 2


async def _count(one: RunningSync, n: int) -> bool:
    return len(await one.rows("SELECT 1 FROM message")) == n


def _hint(address: str) -> Hint:
    return Hint(address)
