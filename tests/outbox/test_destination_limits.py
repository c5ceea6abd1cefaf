"""Places: bounded, per destination, and given back exactly once."""

from __future__ import annotations

import asyncio

import pytest

from gateway.outbox import destination_limits as places
from gateway.outbox.destination_limits import DestinationLimits
from gateway.outbox.queue import return_path, token_in, token_of
from gateway.records.ids import MessageId
from mailserver.base import Hop

pytestmark = pytest.mark.anyio


async def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "SLOW", 60.0)
    limits = DestinationLimits(4)
    running: dict[str, int] = {}
    most: dict[str, int] = {}

    async def one(key: str) -> None:
        async with limits.place(Hop("mx", key, ("a@b.test",))):
            for name in (key, "all"):
                running[name] = running.get(name, 0) + 1
                most[name] = max(most.get(name, 0), running[name])
            await asyncio.sleep(0.005)
            running[key] -= 1
            running["all"] -= 1

    await asyncio.gather(*(one(f"d{n % 3}") for n in range(60)))
    assert most["all"] == 4
    assert all(most[f"d{n}"] <= 3 for n in range(3))
    assert not limits._destinations
    assert limits._far._value == 4


async def test_slow_ones_stand_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "SLOW", 0.03)
    limits = DestinationLimits(1)
    slow, fast = Hop("mx", "slow", ("a@b.test",)), Hop("mx", "fast", ("a@c.test",))

    async def crawl() -> None:
        async with limits.place(slow):
            await asyncio.sleep(0.4)

    tasks = [asyncio.create_task(crawl()) for _ in range(4)]
    await asyncio.sleep(0.06)
    assert limits.congested(slow)
    assert not limits.congested(fast)
    async with asyncio.timeout(0.2), limits.place(fast):
        pass
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not limits._destinations
    assert limits._far._value == 1


async def test_tokens() -> None:
    token = token_of(b"k", MessageId("01m7y91w1a0hxkcs74jhrs9527"))
    assert token != token_of(b"other", MessageId("01m7y91w1a0hxkcs74jhrs9527"))
    path = return_path("agent+x@x.test", token)
    assert token_in(f"<{path.upper()}>") == token
    assert token_in("agent@x.test") is None
    assert token_in(None) is None
    long = "a" * 60 + "@x.test"
    assert return_path(long, token) == long
