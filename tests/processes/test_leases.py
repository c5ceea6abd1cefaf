"""Leases: work is shared evenly, taken over from the dead, and fenced against those who do not know that they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.app.roles import ROLES, join_group
from gateway.datadir import DataDirInUse
from gateway.store import leases
from gateway.store.engine import Store, StoreDown
from gateway.store.leases import LeaseLost, PostgresLeases, Share, living_processes, share_of
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from gateway.store.wakeups import LocalWakeups
from gateway.sync.mailbox_ownership import MailboxOwnership
from mailserver.notifications import NotificationListener
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

ALL = 64


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "TTL", 1.5)
    monkeypatch.setattr(leases, "BEAT", 0.1)


@asynccontextmanager
async def process(store: Store, roles: Collection[str] = ROLES) -> AsyncIterator[PostgresLeases]:
    one = PostgresLeases(store, LocalWakeups(), roles)
    await one.start()
    await one.take_part()
    try:
        yield one
    finally:
        await one.stop()


def held(one: PostgresLeases) -> set[Share]:
    return {("mailboxes", n) for n in range(ALL) if one.holds(("mailboxes", n))}


def _silence(one: PostgresLeases) -> None:
    """As SIGKILL would: it says nothing any more."""
    assert one._task is not None
    one._task.cancel()


async def test_work_is_split_evenly_and_given_back_at_the_end(store: Store) -> None:
    async with process(store) as one:
        assert len(held(one)) == ALL
        async with process(store) as two, process(store, {"api"}) as other:
            await until_async(lambda: len(held(one)) == len(held(two)) == ALL // 2)
            assert not held(one) & held(two)
            assert not held(other)
            await until_async(
                lambda: (one.others("sync"), one.others("api"), other.others("sync")) == (1, 2, 2)
            )
            assert sum(each.holds(("drafts", 0)) for each in (one, two, other)) == 1
        await until_async(lambda: len(held(one)) == ALL)
    assert await store.read(living_processes) == []


async def test_a_process_that_is_still_starting_takes_nothing_and_costs_others_nothing(store: Store) -> None:
    async with process(store) as one:
        two = PostgresLeases(store, LocalWakeups(), ROLES)
        await two.start()
        assert one.first
        assert not two.first
        await asyncio.sleep(0.5)
        assert len(held(one)) == ALL
        await two.stop()


async def test_what_a_dead_process_held_is_taken_over_with_a_new_token(store: Store) -> None:
    gained: list[Share] = []
    async with process(store) as one, process(store) as two:
        await until_async(lambda: len(held(one)) == len(held(two)) == ALL // 2)
        two.on_gain(gained.extend)
        mine = held(one)
        _silence(one)
        await until_async(lambda: len(held(two)) == ALL)
        assert mine <= set(gained)
        assert held(one) == set(), "it does not trust its shares longer than others respect them"
        for share in mine:
            with pytest.raises(LeaseLost):
                await store.write(lambda tx, share=share: one.fence(tx, share))
            await store.write(lambda tx, share=share: two.fence(tx, share))


async def test_a_process_that_lost_a_mailbox_writes_nothing_of_it(store: Store) -> None:
    address = "agent@x.test"

    def work(tx: Tx) -> None:
        sql(tx).insert("organization", {"id": "late", "name": "late", "created_at": 1, "updated_at": 1})

    async with process(store) as one:
        ownership = MailboxOwnership(store, one)
        _silence(one)
        async with process(store) as two:
            await until_async(lambda: two.holds(share_of("mailboxes", address)))
            assert not ownership.owns(address)
            with pytest.raises(LeaseLost):
                await ownership.write(address, work)
            assert await store.read(lambda tx: sql(tx).value("SELECT count(*) FROM organization")) == 0
            await MailboxOwnership(store, two).write(address, work)
            assert await store.read(lambda tx: sql(tx).value("SELECT count(*) FROM organization")) == 1


async def test_a_share_is_given_away_only_when_nothing_of_it_is_under_way(store: Store) -> None:
    async with process(store) as one:
        busy = {("mailboxes", n) for n in range(ALL)}
        one.while_busy(lambda share: share in busy)
        async with process(store) as two:
            await until_async(lambda: len(held(one)) == ALL // 2)
            await asyncio.sleep(0.5)
            assert held(two) == set()
            busy.clear()
            await until_async(lambda: len(held(two)) == ALL // 2)


async def test_a_database_that_is_away_ends_every_trust_and_its_return_renews_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with process(store) as one:
        away = True

        def renew(tx: Tx, free: Collection[Share]) -> leases._Beat:
            if away:
                raise StoreDown("away")
            return PostgresLeases._renew(one, tx, free)

        monkeypatch.setattr(one, "_renew", renew)
        await until_async(lambda: held(one) == set())
        away = False
        await until_async(lambda: len(held(one)) == ALL)


async def test_a_command_that_must_be_alone_is_told_who_else_runs(store: Store) -> None:
    async with process(store):
        with pytest.raises(DataDirInUse, match=r"the gateway runs on this database \(process \d+ on "):
            async with join_group(store, None):
                pass
    async with join_group(store, None) as alone:
        assert alone.leases.alone


async def test_a_neighbour_that_was_killed_is_not_waited_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "TTL", 600.0)
    async with process(store) as one:
        _silence(one)
        dead = await asyncio.create_subprocess_exec("true")
        await dead.wait()
        await store.write(lambda tx: sql(tx).update("process", "id", one.process, {"pid": dead.pid}))
        async with process(store) as two:
            await until_async(lambda: len(held(two)) == ALL)


async def test_two_processes_take_notifications_on_one_port() -> None:
    heard: list[str] = []
    listeners = [NotificationListener(lambda hint: heard.append(hint.address), secret="s", share=True)]
    await listeners[0].start()
    listeners.append(
        NotificationListener(
            lambda hint: heard.append(hint.address), port=listeners[0].port, secret="s", share=True
        )
    )
    await listeners[1].start()
    push = {"user": "a@x.test", "events": [{"event": "MessageNew", "mailbox": "INBOX"}]}
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(listeners[0].url, json=push)
    await listeners[0].stop()
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(listeners[1].url, json=push)
    await listeners[1].stop()
    assert heard == ["a@x.test", "a@x.test"]


async def test_what_was_written_before_the_clock_was_set_back_holds_nothing(store: Store) -> None:
    """A process and its share that would expire a day from now by the database's clock: nobody renews them."""
    day = 86_400_000_000

    def dead(tx: Tx) -> None:
        later = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint + ?"
        sql(tx).run(
            "INSERT INTO process (id, roles, host, pid, place, started_at, expires_at) "
            f"VALUES ('dead', 'outbox', 'h', 1, 'elsewhere', 0, {later})",
            day,
        )
        sql(tx).run(f"UPDATE lease SET holder = 'dead', expires_at = {later} WHERE kind = 'drafts'", day)

    async with process(store, {"outbox"}) as one:
        await asyncio.to_thread(store.write_now, dead)
        await until_async(lambda: one.holds(("drafts", 0)))
        assert [living.id for living in await store.read(living_processes)] == [one.process]
