"""PostgreSQL falls and comes back, under the store and under a whole gateway; and what only PostgreSQL does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.store.engine import NotUnique, Store, StoreDown
from gateway.store.migrate import migrate
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.processes.fleet import fleet
from tests.support.mails import deliver, new_mail
from tests.support.postgres_server import PostgresCluster, postgres_cluster
from tests.support.waiting import until


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresCluster]:
    """A cluster to kill."""
    with postgres_cluster(tmp_path_factory.mktemp("own")) as cluster:
        yield cluster


def _organization(name: str) -> dict[str, object]:
    return {"id": name, "name": name, "created_at": 1, "updated_at": 1}


@pytest.mark.anyio
async def test_the_store_says_when_it_is_down_and_works_when_it_is_back(own: PostgresCluster) -> None:
    store = Store(own.new_database(), connections=4)
    migrate(store)
    store.start()
    try:
        await asyncio.gather(
            *(store.read(lambda tx: sql(tx).value("SELECT pg_sleep(0.05)")) for _ in range(8))
        )
        await store.write(lambda tx: sql(tx).insert("organization", _organization("before")))
        await asyncio.to_thread(own.kill)
        for down in (
            store.read(lambda tx: sql(tx).value("SELECT 1")),
            store.write(lambda tx: sql(tx).value("SELECT 1")),
        ):
            with pytest.raises(StoreDown):
                await down
        await asyncio.to_thread(own.start)
        await asyncio.gather(
            *(
                store.write(lambda tx, n=n: sql(tx).insert("organization", _organization(f"n{n}")))
                for n in range(20)
            )
        )
        # connections that idled through a restart: nobody who asks next is told of it
        await asyncio.to_thread(own.stop)
        await asyncio.to_thread(own.start)
        asked = [store.read(lambda tx: sql(tx).value("SELECT count(*) FROM organization")) for _ in range(8)]
        assert await asyncio.gather(*asked) == [21] * 8
        await store.write(lambda tx: sql(tx).insert("organization", _organization("after")))
    finally:
        store.close()


def test_a_gateway_goes_on_after_an_outage(own: PostgresCluster, tmp_path: Path) -> None:
    with fleet(own, tmp_path) as gateways:
        one = gateways.member("only", "all")
        one.begin()
        one.wait()
        _, key = gateways.key()
        inbox = one.call("POST", "/api/v0/inboxes", key, json={"username": "agent"})
        path = f"/api/v0/inboxes/{inbox['inbox_id']}"
        own.kill()
        headers = {"Authorization": f"Bearer {key}"}
        refused = httpx.get(one.base_url + path, headers=headers, trust_env=False, timeout=30)
        assert refused.status_code == 503
        deliver(gateways.smtp_port, new_mail(inbox["email"], "during the outage"), inbox["email"])
        own.start()

        def listed() -> bool:
            answer = httpx.get(f"{one.base_url}{path}/messages", headers=headers, trust_env=False, timeout=30)
            return answer.is_success and "during the outage" in answer.text

        until(listed, 40, "the mail is there")
        sent = one.call(
            "POST",
            f"{path}/messages/send",
            key,
            json={"to": inbox["email"], "subject": "and on", "text": "x"},
        )
        assert sent["message_id"]
        until(lambda: "and on" in str(one.call("GET", f"{path}/messages", key)), 40, "it came")


@pytest.mark.anyio
class TestTransactions:
    @pytest.fixture
    async def pair(self, store: Store) -> Store:
        await store.write(lambda tx: [sql(tx).insert("organization", _organization(one)) for one in "ab"])
        return store

    async def test_one_that_was_ended_for_anothers_sake_runs_again(self, pair: Store) -> None:
        meet = threading.Barrier(2, timeout=10)
        runs: list[str] = []

        def work(tx: Tx, first: str, second: str) -> None:
            runs.append(first)
            sql(tx).run("UPDATE organization SET name = name || ? WHERE id = ?", first, first)
            if len(runs) <= 2:
                meet.wait()
            sql(tx).run("UPDATE organization SET name = name || ? WHERE id = ?", first, second)

        await asyncio.gather(
            pair.write(lambda tx: work(tx, "a", "b")), pair.write(lambda tx: work(tx, "b", "a"))
        )
        assert len(runs) == 3, "one of them ran twice"
        rows = await pair.read(lambda tx: sql(tx).rows("SELECT name FROM organization ORDER BY id"))
        assert sorted(map(sorted, (row["name"] for row in rows))) == [["a", "a", "b"], ["a", "b", "b"]]

    async def test_a_lock_shows_what_who_had_it_before_has_written(self, pair: Store) -> None:
        def count(tx: Tx) -> None:
            tx.lock("the count")
            n = sql(tx).value("SELECT count(*) FROM organization")
            sql(tx).insert("organization", _organization(f"n{n}"))

        await asyncio.gather(*(pair.write(count) for _ in range(20)))
        assert await pair.read(lambda tx: sql(tx).value("SELECT count(*) FROM organization")) == 22

    async def test_text_with_a_nul_is_found_nowhere_and_breaks_nothing(self, pair: Store) -> None:
        assert (
            await pair.read(lambda tx: sql(tx).row("SELECT * FROM organization WHERE id = ?", "a\x00"))
            is None
        )

    async def test_what_is_taken_says_so(self, pair: Store) -> None:
        with pytest.raises(NotUnique):
            await pair.write(lambda tx: sql(tx).insert("organization", _organization("a")))
        assert (
            await pair.write(lambda tx: sql(tx).insert("organization", _organization("a"), ignore=True)) == 0
        )
