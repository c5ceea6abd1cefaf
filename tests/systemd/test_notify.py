"""What systemd hears, and that nothing is said without it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.service.notify import Manager
from tests.systemd.manager import Datagrams, short_directory

pytestmark = pytest.mark.anyio


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Datagrams]:
    made = Datagrams(short_directory(tmp_path) / "notify")
    yield made
    made.close()


async def test_a_start_and_a_stop_are_told(systemd: Datagrams) -> None:
    manager = Manager(str(systemd.path))
    manager.status("starting:\nthe database")
    manager.ready()
    manager.alive()
    manager.stopping()
    told = await systemd.until("STOPPING")
    assert told == ["STATUS=starting: the database", "READY=1", "WATCHDOG=1", "STOPPING=1"]
    manager.close()


async def test_more_time_is_asked_for_as_long_as_it_takes(systemd: Datagrams) -> None:
    manager = Manager(str(systemd.path))
    async with manager.busy():
        assert await systemd.until("EXTEND_TIMEOUT_USEC=30000000")
    async with manager.busy(most=0):
        manager.ready()
    assert await systemd.until("READY") == ["READY=1"]
    manager.close()


async def test_the_environment_says_where_and_is_not_handed_on(systemd: Datagrams) -> None:
    pid = str(os.getpid())
    environ = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": pid, "A": "b"}
    manager = Manager.of(environ)
    assert manager.watchdog_seconds == 3.0
    assert environ == {"A": "b"}
    manager.close()
    others = Manager.of({"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"})
    assert others.watchdog_seconds == 0
    others.close()


async def test_a_name_in_the_abstract_namespace_is_one(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0postern-test-{os.getpid()}")
        manager = Manager(f"@postern-test-{os.getpid()}")
        manager.ready()
        assert listener.recv(100) == b"READY=1"
        manager.close()


async def test_without_systemd_nothing_happens(tmp_path: Path) -> None:
    manager = Manager.of({})
    assert not manager.there
    manager.ready()
    async with manager.busy():
        manager.alive()
    gone = Manager(str(tmp_path / "nobody"))
    gone.ready()  # logged, not raised
    gone.close()
