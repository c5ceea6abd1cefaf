"""IDLE alone, on a server without push: a lost connection is noticed and opened again, whatever ends it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import imapclient
import pytest

from gateway.sync import idle_connection
from tests.support.waiting import until_async
from tests.sync.imap_proxy import Connection
from tests.sync.running_sync import RunningSync, mail, running_sync

pytestmark = pytest.mark.anyio

ADDRESSES = [f"agent{n}@x.test" for n in range(6)]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """IDLE is asked for anew twice a second, and every answer has a second."""
    monkeypatch.setattr(idle_connection, "ANSWER", 1.0)
    monkeypatch.setattr(idle_connection, "RENEW", 0.5)


async def _watched(one: RunningSync, count: int) -> None:
    await until_async(lambda: asyncio.sleep(0, one.idle.watching == count and not one.idle.waiting))


async def _arrives(one: RunningSync, address: str, name: str) -> None:
    await one.deliver(address, mail(name))
    await until_async(
        lambda: one.rows(
            "SELECT 1 FROM message JOIN inbox ON inbox.id = message.inbox_id "
            "WHERE inbox.address = ? AND subject = ?",
            address,
            f"mail {name}",
        )
    )


def _losses(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(vars(record)["inbox"]) for record in caplog.records if "is lost" in record.getMessage()]


async def test_resets_in_a_row_cost_no_growing_wait(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "postern.idle")
    async with running_sync(tmp_path, push=False, idle=10, proxied=True) as one:
        for address in ADDRESSES:
            await one.inbox(address)
        await _watched(one, 6)
        for turn in range(6):
            lost = len(_losses(caplog))
            one.proxy.reset_all()
            await until_async(lambda lost=lost: asyncio.sleep(0, len(_losses(caplog)) == lost + 6))
            await _watched(one, 6)
            assert all(watch.failures == 0 for watch in one.idle._watched.values())
            await _arrives(one, ADDRESSES[turn], f"after {turn}")
        assert sorted(_losses(caplog)) == sorted(ADDRESSES * 6)  # once a loss, with the inbox


async def test_a_server_that_is_away_for_long_is_found_again(tmp_path: Path) -> None:
    async with running_sync(tmp_path, push=False, idle=10, proxied=True) as one:
        for address in ADDRESSES:
            await one.inbox(address)
        await _watched(one, 6)
        one.proxy.refused = True
        one.proxy.reset_all()
        await until_async(
            lambda: asyncio.sleep(0, all(w.failures >= 5 for w in one.idle._watched.values())), 60
        )
        assert (one.idle.watching, one.idle.waiting) == (0, 6)
        one.proxy.refused = False
        await _watched(one, 6)
        await _arrives(one, ADDRESSES[0], "back")


@pytest.mark.parametrize("answer", ["BYE", "BYE and the end", "NO", "nothing", "OK, ended", "Still here"])
async def test_whatever_answers_idle_the_inbox_is_watched_again(
    tmp_path: Path, short: None, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("gateway.sync.idle._REFUSED_FIRST", 1.0)
    chatter: set[asyncio.Task[None]] = set()

    async def still_here(connection: Connection) -> None:
        while not connection.client.is_closing():
            connection.say(b"* OK Still here")
            await asyncio.sleep(0.05)

    async def on_idle(connection: Connection, tag: bytes) -> bool:
        if answer == "BYE":
            connection.say(b"* BYE not today")  # and the connection stays open
        elif answer == "BYE and the end":
            connection.say(b"* BYE not today")
            connection.client.close()
        elif answer == "NO":
            connection.say(tag + b" NO not today")
        elif answer == "OK, ended":
            connection.say(b"+ idling")
            connection.say(tag + b" OK that was enough")
        elif answer == "Still here":
            connection.say(b"+ idling")
            connection.deaf = True
            chatter.add(asyncio.create_task(still_here(connection)))  # DONE gets no answer
        return True

    async with running_sync(tmp_path, push=False, idle=10, proxied=True) as one:
        one.proxy.on_idle = on_idle
        await one.inbox("agent@x.test")
        for _ in range(2):
            asked = sum(connection.idles for connection in one.proxy.connections) + one.proxy.made
            await until_async(lambda asked=asked: asyncio.sleep(0, one.proxy.made > asked), 30)
        one.proxy.on_idle = None
        for task in chatter:
            task.cancel()
        await _watched(one, 1)
        await _arrives(one, "agent@x.test", "now")


async def test_a_connection_into_nothing_is_noticed(tmp_path: Path, short: None) -> None:
    async with running_sync(tmp_path, push=False, idle=10, proxied=True) as one:
        for address in ADDRESSES:
            await one.inbox(address)
        await _watched(one, 6)
        one.proxy.swallowed.add(ADDRESSES[0])
        await until_async(lambda: asyncio.sleep(0, (one.idle.watching, one.idle.waiting) == (5, 1)))
        await _arrives(one, ADDRESSES[1], "beside it")
        one.proxy.swallowed.clear()
        await _watched(one, 6)


async def test_mail_between_done_and_the_next_idle_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_connection, "RENEW", 0.03)
    async with running_sync(tmp_path, push=False, idle=10) as one:
        await one.inbox("agent@x.test")
        await _watched(one, 1)
        for n in range(150):
            await _arrives(one, "agent@x.test", str(n))
            await asyncio.sleep(random.uniform(0, 0.05))
        assert not one.idle.waiting


async def test_the_end_of_one_mailbox_disturbs_no_other(tmp_path: Path) -> None:
    async with running_sync(tmp_path, push=False, idle=10, proxied=True) as one:
        for address in ADDRESSES:
            await one.inbox(address)
        await _watched(one, 6)
        end = one.mail.access().imap
        with imapclient.IMAPClient(end.host, end.port, ssl=False) as person:
            await asyncio.to_thread(person.login, ADDRESSES[1], "secret")
            others = {id(c) for c in one.proxy.connections if c.user != ADDRESSES[0] and c.idles}
            assert len(others) == 5
            await one.mail.set_password(ADDRESSES[0], "another")
            await _watched(one, 6)
            await one.mail.remove_mailbox(ADDRESSES[0])
            assert others <= {id(c) for c in one.proxy.connections}
            assert await asyncio.to_thread(person.noop)
        await _arrives(one, ADDRESSES[2], "still")


async def test_a_person_is_logged_out_when_the_password_changes(tmp_path: Path) -> None:
    async with running_sync(tmp_path, push=False, idle=10, proxied=True) as one:
        for address in ADDRESSES:
            await one.inbox(address)
        await _watched(one, 6)
        end = one.mail.access().imap
        person = imapclient.IMAPClient(end.host, end.port, ssl=False)
        await asyncio.to_thread(person.login, ADDRESSES[0], "secret")
        await one.mail.set_password(ADDRESSES[0], "another")
        with pytest.raises((imapclient.exceptions.IMAPClientError, OSError)):
            await asyncio.to_thread(person.noop)
        person.shutdown()
        await _watched(one, 6)  # those in the same process are back
        for n, address in enumerate(ADDRESSES):
            await _arrives(one, address, f"again {n}")


async def test_a_new_inbox_is_watched_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sync.idle._REVIEW", 3600.0)
    async with running_sync(tmp_path, push=False, idle=10) as one:
        await asyncio.sleep(0.2)  # the first review found none
        await one.inbox("agent@x.test")
        await _watched(one, 1)
        await _arrives(one, "agent@x.test", "first")
