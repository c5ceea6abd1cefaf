"""A daemon of ours that somebody kills while it starts is started again; one that ends by itself is not."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from pathlib import Path

import pytest

from mailserver.machine import run_dir_for
from mailserver.process import Child, below
from tests.support.servers import data_directory, dovecot_missing, embedded_server
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


def script(path: Path, text: str) -> list[str]:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(path)]


def child(tmp_path: Path, text: str) -> Child:
    async def ready() -> bool:
        return (tmp_path / "ready").exists()

    text = f"echo >> {tmp_path}/starts; {text}"
    return Child("thing", script(tmp_path / "thing", text), ready, first_pause=0.05)


def starts(tmp_path: Path) -> int:
    return len((tmp_path / "starts").read_text().splitlines())


async def test_killed_twice_it_is_there_at_the_third_start(tmp_path: Path) -> None:
    third = f"test $(wc -l < {tmp_path}/starts) -ge 3 || kill -9 $$; touch {tmp_path}/ready; exec sleep 60"
    one = child(tmp_path, third)
    assert await one.start()
    assert one.pid is not None
    assert starts(tmp_path) == 3
    await one.stop()
    assert one.pid is None


async def test_killed_every_time_it_is_given_up(tmp_path: Path) -> None:
    assert not await child(tmp_path, "kill -9 $$").start()
    assert starts(tmp_path) == 4


async def test_what_ends_by_itself_is_not_tried_again(tmp_path: Path) -> None:
    assert not await child(tmp_path, "exit 89").start()
    assert starts(tmp_path) == 1


async def test_dovecot_killed_during_the_start_does_not_end_the_start(tmp_path: Path) -> None:
    if reason := dovecot_missing():
        pytest.skip(reason)
    kills = 0
    with data_directory(tmp_path) as data:
        run = run_dir_for(data)

        async def kill_what_starts() -> None:
            nonlocal kills
            while kills < 2:
                for pid in (await asyncio.to_thread(below, run))[:1]:
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
                    await asyncio.sleep(0.3)
                await asyncio.sleep(0.005)

        killer = asyncio.create_task(kill_what_starts())
        async with embedded_server(tmp_path, data_dir=data) as server:
            await asyncio.wait_for(killer, 30)

            async def there() -> bool:
                return (await server.health())["dovecot"].ok

            await until_async(there, 60)
    assert kills == 2
