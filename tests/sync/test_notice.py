"""Each way to notice a change brings mail in alone: push, IDLE, the periodic scan."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import until_async
from tests.sync.running_sync import RunningSync, mail, running_sync

pytestmark = pytest.mark.anyio


async def _two_arrive(tmp_path: Path, timeout: float, **ways: Any) -> None:
    async with running_sync(tmp_path, **ways) as one:
        inbox = await one.inbox("agent@x.test")
        if ways.get("idle"):
            import asyncio

            await asyncio.sleep(1.0)  # the IDLE connection is up
        for n in (1, 2):
            await one.deliver("agent@x.test", mail(n))
            await until_async(
                lambda n=n: one.rows("SELECT 1 FROM message WHERE subject = ?", f"mail {n}"), timeout
            )
        events = await one.rows("SELECT * FROM event WHERE inbox_id = ?", inbox.id)
        assert [row["type"] for row in events] == ["message.received"] * 2


async def test_push_alone(tmp_path: Path) -> None:
    await _two_arrive(tmp_path, 3.0, push=True, idle=0, catch_up=3600.0)


async def test_idle_alone(tmp_path: Path) -> None:
    await _two_arrive(tmp_path, 5.0, push=False, idle=10, catch_up=3600.0)


async def test_catch_up_alone(tmp_path: Path) -> None:
    await _two_arrive(tmp_path, 10.0, push=False, idle=0, catch_up=1.0)


async def test_push_and_idle_together_announce_once(tmp_path: Path) -> None:
    async with running_sync(tmp_path, push=True, idle=10, catch_up=1.0) as one:
        await one.inbox("agent@x.test")
        for n in range(30):
            await one.deliver("agent@x.test", mail(n))
        await until_async(lambda: _count(one, 30))
        await one.sync.refresh("agent@x.test")
        assert len(await one.rows("SELECT 1 FROM event")) == 30


async def _count(one: RunningSync, n: int) -> bool:
    return len(await one.rows("SELECT 1 FROM message")) == n
