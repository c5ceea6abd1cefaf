"""Mailboxes that do not answer keep no other from being read: by passes, by calls of the API, by look-ups."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from mailserver.base import Endpoint, Hint, ImapLogin
from mailserver.imap import Client, ImapPool, MailboxStuck
from tests.support.waiting import until_async
from tests.sync.imap_proxy import imap_proxy
from tests.sync.running_sync import RunningSync, mail, running_sync

pytestmark = pytest.mark.anyio

STUCK = [f"stuck{n}@x.test" for n in range(10)]
WELL = [f"well{n}@x.test" for n in range(10)]


async def _arrived(one: RunningSync, n: str, addresses: list[str]) -> bool:
    rows = await one.rows(
        "SELECT inbox.address FROM message JOIN inbox ON inbox.id = message.inbox_id WHERE subject = ?",
        f"mail {n}",
    )
    return {row["address"] for row in rows} >= set(addresses)


async def test_ten_stuck_mailboxes_of_twenty_keep_no_neighbour_waiting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_sync(tmp_path, proxied=True, imap_timeout=8.0) as one:
        for address in STUCK + WELL:
            await one.inbox(address)
        one.proxy.swallowed.update(STUCK)
        for address in STUCK:
            await one.deliver(address, mail("stuck"))
        # none has failed yet: each holds the connection, and says nothing
        assert not one.imap.stuck()
        for address in WELL:
            await one.deliver(address, mail("first"))
        await until_async(lambda: _arrived(one, "first", WELL))
        assert not one.imap.stuck(), "the neighbours' mail came while all ten still hung"

        # from their first failure on they are named, and share a few places
        await until_async(lambda: asyncio.sleep(0, set(one.imap.stuck()) == set(STUCK)), 60)
        named = [record for record in caplog.records if "did not answer for" in record.getMessage()]
        assert {record.inbox for record in named if hasattr(record, "inbox")} >= set(STUCK)
        for address in WELL:
            await one.deliver(address, mail("second"))
        await until_async(lambda: _arrived(one, "second", WELL))
        assert set(one.imap.stuck()) == set(STUCK)
        assert one.sync.lag() < 60

        one.proxy.swallowed.clear()
        await until_async(lambda: _arrived(one, "stuck", STUCK), 60)
        await until_async(lambda: asyncio.sleep(0, not one.imap.stuck()))


async def test_calls_of_the_api_wait_for_no_other_mailbox(tmp_path: Path) -> None:
    async with running_sync(tmp_path, proxied=True, imap_timeout=8.0) as one:
        for address in STUCK + WELL:
            await one.inbox(address)
        one.proxy.swallowed.update(STUCK)
        calls = [asyncio.create_task(one.imap.run(address, _look)) for address in STUCK for _ in range(3)]
        try:
            for address in WELL:
                assert await one.imap.run(address, _look) >= 4
            assert not any(call.done() for call in calls)
            for call in calls:  # the first is in vain, and those behind it need not try
                with pytest.raises(MailboxStuck):
                    await call
            for address in STUCK:
                with pytest.raises(MailboxStuck, match=address):
                    await one.imap.run(address, _look)
        finally:
            for call in calls:
                call.cancel()


async def test_more_stuck_mailboxes_than_places_are_ended_one_by_one(tmp_path: Path) -> None:
    async with running_sync(tmp_path) as one:
        for address in ("well@x.test", *STUCK):
            await one.inbox(address)
        async with imap_proxy(one.mail.access().imap) as proxy:

            def login(address: str) -> ImapLogin:
                direct = one.mail.imap_login(address)
                return ImapLogin(proxy.endpoint, direct.user, direct.secret)

            pool = ImapPool(login, threads=2, slow=3, timeout=3600.0)
            for address in STUCK:
                await pool.run(address, _look)
            proxy.swallowed.update(STUCK)
            calls = [asyncio.create_task(pool.run(address, _look)) for address in STUCK]
            await asyncio.sleep(0)
            # an hour is what each may be silent: only that others need their places ends them
            assert await pool.run("well@x.test", _look) >= 4
            assert pool.stuck()
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            await pool.close()


async def test_a_cancelled_call_lets_go_of_a_connection_that_hangs(tmp_path: Path) -> None:
    async with running_sync(tmp_path, proxied=True, imap_timeout=3600.0) as one:
        await one.inbox("agent@x.test")
        one.proxy.swallowed.add("agent@x.test")
        call = asyncio.create_task(one.imap.run("agent@x.test", _look))
        await until_async(lambda: asyncio.sleep(0, bool(one.imap._jobs)))
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        one.proxy.swallowed.clear()
        assert await one.imap.run("agent@x.test", _look) >= 4


async def test_a_hint_brings_the_next_try_forward(tmp_path: Path) -> None:
    async with running_sync(tmp_path, proxied=True) as one:
        await one.inbox("agent@x.test")
        one.proxy.refused = True
        one.proxy.reset_all()
        mailbox = one.sync._mailboxes["agent@x.test"]
        one.sync.hint(Hint("agent@x.test"))
        await until_async(lambda: asyncio.sleep(0, mailbox.failures >= 1))
        assert mailbox.retry is not None
        one.sync._retry_at("agent@x.test", mailbox, asyncio.get_running_loop().time() + 3600)
        one.proxy.refused = False
        await one.deliver("agent@x.test", mail(1))  # its push is news of the server
        await until_async(lambda: _arrived(one, "1", ["agent@x.test"]))


async def test_nobody_listens_where_the_mail_server_should_be() -> None:
    pool = ImapPool(lambda address: ImapLogin(Endpoint("127.0.0.1", 1), address, "x"))
    with pytest.raises(Exception, match="refused"):
        await pool.run("agent@x.test", _look)
    assert not pool.stuck()  # it is down, for all alike
    await pool.close()


def _look(client: Client) -> int:
    return len(client.list_folders())


async def test_work_that_goes_on_keeps_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a slow first reading of many mailboxes would hold many batches of mail at once."""
    monkeypatch.setattr("mailserver.imap.PATIENCE", 2.0)
    async with running_sync(tmp_path) as one:
        await one.inbox("agent@x.test")
        await one.inbox("other@x.test")
        pool = ImapPool(one.mail.imap_login, threads=1, slow=4)
        enough = threading.Event()

        def long_work(client: Client) -> int:
            n = 0
            while not enough.wait(0.005):
                client.noop()
                n += 1
            return n

        long = asyncio.create_task(pool.run("agent@x.test", long_work))
        await until_async(lambda: asyncio.sleep(0, bool(pool._jobs)))
        waiting = asyncio.create_task(pool.run("other@x.test", _look))
        done, _ = await asyncio.wait([waiting, long], timeout=5)
        assert not done
        assert not pool._slow
        enough.set()
        assert await long > 0
        assert await waiting >= 4
        await pool.close()
