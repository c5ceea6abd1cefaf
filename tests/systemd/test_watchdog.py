"""Signs of life come from a gateway whose database answers, with whatever it answers, and from no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import peewee
import pytest

from gateway.service.notify import Manager
from gateway.service.watchdog import ping_watchdog, report_status
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.transaction import Tx
from tests.support.waiting import until
from tests.systemd.manager import Datagrams, short_directory

pytestmark = pytest.mark.anyio


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Datagrams]:
    made = Datagrams(short_directory(tmp_path) / "notify")
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:{tmp_path / 'postern.db'}")
    migrate(made)
    made.start()
    yield made
    made.close()


async def test_signs_stop_while_a_write_hangs_and_come_again(
    systemd: Datagrams, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def hang(tx: Tx) -> None:
        begun.set()
        go_on.wait(30)

    manager = Manager(str(systemd.path), watchdog_seconds=0.2)
    try:
        async with ping_watchdog(manager, store):
            await systemd.until("WATCHDOG=1")
            hanging = asyncio.create_task(store.write(hang))
            await asyncio.to_thread(begun.wait, 10)
            while systemd.take() is not None:
                pass
            await asyncio.to_thread(
                until, lambda: "has not answered" in caplog.text, 20
            )  # it asked and gave up
            assert systemd.take() is None
            go_on.set()
            await hanging
            await systemd.until("WATCHDOG=1")
    finally:
        go_on.set()
        manager.close()


async def test_a_database_that_refuses_has_answered(systemd: Datagrams, store: Store) -> None:
    def full(*_: object) -> None:
        raise peewee.OperationalError("database or disk is full")

    store.db.execute_sql = full
    manager = Manager(str(systemd.path), watchdog_seconds=0.2)
    async with ping_watchdog(manager, store):
        await systemd.until("WATCHDOG=1")
    manager.close()
    del store.db.execute_sql


async def test_the_status_says_what_there_is(systemd: Datagrams, store: Store) -> None:
    manager = Manager(str(systemd.path))
    async with report_status(manager, store):
        assert await systemd.until("STATUS") == ["STATUS=running: 0 inboxes, 0 messages to send"]
    manager.close()
