"""Large messages wait for memory, in turn by client; nothing is kept when a wait ends otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

import pytest

from mailserver.memory import SMALL, Memory, NoMemory

pytestmark = pytest.mark.anyio
MB = SMALL


def alone(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task that shares no tab with the test."""
    return asyncio.create_task(work, context=Context())


async def order_of(memory: Memory, wanted: list[tuple[str, int]]) -> list[str]:
    """In which order clients get memory that one other holds all of at first."""
    served: list[str] = []

    async def one(client: str, octets: int) -> None:
        async with memory.hold(client, octets):
            served.append(client)
            await asyncio.sleep(0)

    async with memory.hold("first", memory.octets):
        tasks = [alone(one(*each)) for each in wanted]
        await asyncio.sleep(0.01)
        assert served == []
    await asyncio.gather(*tasks)
    assert memory.held == 0
    return served


async def test_clients_are_served_in_turn() -> None:
    served = await order_of(Memory(10 * MB), [("a", 10 * MB)] * 4 + [("b", 10 * MB)] * 2)
    assert served == ["a", "b", "a", "b", "a", "a"]


async def test_what_is_small_never_waits() -> None:
    memory = Memory(2 * MB)
    async with memory.hold("a", 2 * MB), memory.hold("b", SMALL - 1):
        assert memory.held == 2 * MB


async def test_what_is_larger_than_all_of_it_comes_alone() -> None:
    memory = Memory(2 * MB)
    async with memory.hold("a", 5 * MB):
        with pytest.raises(NoMemory):
            await alone(hold(memory, "b", 2 * MB, 0.02))
    assert memory.held == 0


async def hold(memory: Memory, client: str, octets: int, patience: float | None) -> None:
    async with memory.hold(client, octets, patience):
        pass


async def test_a_wait_that_is_given_up_leaves_nothing_behind() -> None:
    memory = Memory(2 * MB)
    async with memory.hold("a", 2 * MB):
        cancelled = alone(hold(memory, "b", 2 * MB, None))
        late = alone(hold(memory, "c", 2 * MB, 0.01))
        await asyncio.sleep(0.05)
        cancelled.cancel()
        outcomes = await asyncio.gather(cancelled, late, return_exceptions=True)
        assert [type(one) for one in outcomes] == [asyncio.CancelledError, NoMemory]
    assert memory.held == 0
    await hold(memory, "d", 2 * MB, 1)


async def test_what_is_needed_inside_what_is_held_does_not_wait_for_itself() -> None:
    memory = Memory(2 * MB)
    with memory.tab("a") as tab:
        await tab.need(2 * MB)
        async with memory.hold("a", 4 * MB, 1):
            assert memory.held == 4 * MB
        await memory.need(3 * MB)
        assert memory.held == 4 * MB
        memory.free()
        assert memory.held == 0
        await memory.need(MB)
    assert memory.held == 0
    await tab.need(2 * MB)  # too late: nobody would give it back
    assert memory.held == 0
