"""The writer's promises: one transaction per call, neighbours unharmed, durable settings."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from gateway.store.engine import NotUnique, Store
from gateway.store.migrate import SchemaTooNew, known_levels, migrate
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.support.databases import database_url


def _org(name: str) -> dict[str, object]:
    return {"id": name, "name": name, "created_at": 1, "updated_at": 1}


@pytest.mark.anyio
async def test_a_failed_write_leaves_its_neighbours_in_the_group(store: Store) -> None:
    async def one(n: int) -> str:
        def work(tx: Tx) -> None:
            sql(tx).insert("organization", _org(f"o{n}"))
            if n % 3 == 0:
                raise LookupError(n)

        try:
            await store.write(work)
        except LookupError:
            return "failed"
        return "written"

    answers = await asyncio.gather(*(one(n) for n in range(60)))
    assert answers.count("failed") == 20
    assert await store.read(lambda tx: sql(tx).value("SELECT count(*) FROM organization")) == 40


@pytest.mark.anyio
async def test_a_taken_unique_value_says_so_and_writes_nothing(store: Store) -> None:
    await store.write(lambda tx: sql(tx).insert("organization", _org("a")))

    def twice(tx: Tx) -> None:
        sql(tx).insert("organization", _org("b"))
        sql(tx).insert("organization", _org("a"))

    with pytest.raises(NotUnique):
        await store.write(twice)
    assert await store.read(lambda tx: sql(tx).value("SELECT count(*) FROM organization")) == 1


@pytest.mark.anyio
async def test_after_commit_runs_only_for_what_was_committed(store: Store) -> None:
    rung: list[str] = []

    def good(tx: Tx) -> None:
        tx.after_commit.append(lambda: rung.append("good"))

    def bad(tx: Tx) -> None:
        tx.after_commit.append(lambda: rung.append("bad"))
        raise LookupError

    results = await asyncio.gather(store.write(good), store.write(bad), return_exceptions=True)
    assert isinstance(results[1], LookupError)
    assert rung == ["good"]


@pytest.mark.anyio
async def test_what_is_acknowledged_is_synced_in_full(store: Store) -> None:
    def pragmas(tx: Tx) -> tuple[object, object]:
        return sql(tx).value("PRAGMA synchronous"), sql(tx).value("PRAGMA journal_mode")

    if store.postgres:
        assert await store.write(lambda tx: sql(tx).value("SHOW synchronous_commit")) == "on"
    else:
        assert await store.write(pragmas) == (2, "wal")


@pytest.mark.anyio
async def test_a_cancelled_writer_does_not_stop_the_others(store: Store) -> None:
    blocked = threading.Event()
    first = asyncio.create_task(store.write(lambda tx: blocked.wait(5)))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(store.write(lambda tx: sql(tx).insert("organization", _org("second"))))
    third = asyncio.create_task(store.write(lambda tx: sql(tx).insert("organization", _org("third"))))
    await asyncio.sleep(0.05)
    second.cancel()
    blocked.set()
    await first
    await third
    assert (
        await store.read(lambda tx: sql(tx).value("SELECT count(*) FROM organization WHERE id = 'third'"))
        == 1
    )


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    store = Store(database_url(tmp_path / "a.db"))
    assert migrate(store) == sorted(known_levels())
    assert migrate(store) == []
    store.close()


def test_a_newer_database_is_refused_with_words(tmp_path: Path) -> None:
    store = Store(database_url(tmp_path / "a.db"))
    migrate(store)
    store.write_now(
        lambda tx: sql(tx).insert(
            "schema_migration", {"name": "9999_later", "applied": "2030-01-01 00:00:00"}
        )
    )
    with pytest.raises(SchemaTooNew, match="9999_later"):
        migrate(store)
    store.close()


@pytest.mark.anyio
async def test_closing_closes_the_file_for_every_thread(tmp_path: Path) -> None:
    """Also for one that goes on, and looked something up in between."""
    file = tmp_path / "all.db"
    store = Store(f"sqlite:{file}")
    migrate(store)
    store.start()
    looked, may_end = threading.Event(), threading.Event()

    def look_and_stay() -> None:
        store.read_now(lambda tx: sql(tx).value("SELECT 1"))
        looked.set()
        may_end.wait(10)

    other = threading.Thread(target=look_and_stay)
    other.start()
    assert looked.wait(10)
    await asyncio.gather(*(store.read(lambda tx: sql(tx).value("SELECT 1")) for _ in range(8)))
    await store.quick_read(lambda tx: sql(tx).value("SELECT 1"))

    def opened() -> list[str]:
        found = (os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.is_symlink())
        return [one for one in found if one.startswith(str(file))]

    try:
        assert opened()
        await asyncio.to_thread(store.close)
        assert [one for one in opened() if not one.endswith(".migrate")] == []
    finally:
        may_end.set()
        other.join()
