"""Wake-ups by LISTEN and NOTIFY: who hears what, questions and answers, and a connection that is cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.events.log import EventLog
from gateway.store.wake_event import WakeEvent
from gateway.store.wakeups import PostgresWakeups
from tests.support.postgres_server import PostgresCluster
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def process(url: str) -> AsyncIterator[PostgresWakeups]:
    one = PostgresWakeups(url)
    listening = asyncio.Event()
    one.subscribe("keys", lambda text: listening.set())  # it is told once that it listens
    await one.start()
    async with asyncio.timeout(20):
        await listening.wait()
    try:
        yield one
    finally:
        await one.stop()


async def test_others_hear_what_is_told_and_the_teller_does_not(postgres: PostgresCluster) -> None:
    url = postgres.new_database()
    async with process(url) as one, process(url) as two, process(url) as three:
        heard: dict[int, list[str]] = {1: [], 2: [], 3: []}
        for number, each in ((1, one), (2, two), (3, three)):
            each.subscribe("hint", heard[number].append)
        for n in range(100):
            await asyncio.to_thread(one.notify, "hint", f"{n} größer")
        one.notify("hint", "x" * 9000)  # PostgreSQL takes no such payload: it is left to looking
        one.notify("hint", "end")
        await until_async(lambda: "end" in heard[2] and "end" in heard[3])
        assert heard[2] == heard[3] == [*(f"{n} größer" for n in range(100)), "end"]
        assert heard[1] == []


async def test_a_bell_and_the_log_ring_in_every_process(postgres: PostgresCluster) -> None:
    url = postgres.new_database()
    async with process(url) as one, process(url) as two:
        events = [WakeEvent().shared(each, "outbox") for each in (one, two)]
        logs = [EventLog(each) for each in (one, two)]
        rung: list[int] = []
        for number, each in enumerate(logs):
            each.listen(lambda number=number: rung.append(number))
        events[0].set()
        assert await events[1].wait(20)
        assert await events[0].wait(20)
        assert not await events[1].wait(0.2), "an event that was waited for is cleared"
        logs[1].wake()
        await until_async(lambda: sorted(rung) == [0, 1])


async def test_questions_end_with_the_first_answer_that_says_something(postgres: PostgresCluster) -> None:
    url = postgres.new_database()
    async with process(url) as one, process(url) as two, process(url) as three:

        async def nothing(text: str) -> str:
            return ""

        async def echo(text: str) -> str:
            return f"{text}!"

        async def broken(text: str) -> str:
            raise LookupError(text)

        two.answer("a", nothing)
        three.answer("a", echo)
        two.answer("b", nothing)
        three.answer("b", broken)
        said = await one.ask("a", "who is there", 2, 20)
        assert said[-1] == "who is there!"
        assert await one.ask("b", "anybody", 2, 20) == ["", ""]
        assert await one.ask("c", "nobody answers that", 2, 0.1) == []


async def test_a_connection_that_is_cut_comes_back_and_says_that_something_may_have_been_missed(
    postgres: PostgresCluster,
) -> None:
    url = postgres.new_database()
    name = url.rpartition("/")[2]
    async with process(url) as one, process(url) as two:
        heard: list[str] = []
        two.subscribe("outbox", heard.append)
        postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        await until_async(lambda: heard == [""])
        one.notify("outbox", "again")
        await until_async(lambda: heard[-1] == "again")
