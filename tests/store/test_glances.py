"""Short look-ups: each gets its own answer or error, whatever its neighbours in the group do."""

import asyncio
import threading

import pytest

from gateway.store.engine import Store
from gateway.store.sql import sql
from gateway.store.transaction import Tx

pytestmark = pytest.mark.anyio


async def test_each_gets_its_own_answer_or_error(store: Store) -> None:
    async def one(number: int) -> object:
        def work(tx: Tx) -> int:
            if number % 3 == 0:
                raise LookupError(number)
            return int(sql(tx).value("SELECT CAST(? AS INTEGER)", number))

        try:
            return await store.quick_read(work)
        except LookupError as error:
            return f"error {error}"

    answers = await asyncio.gather(*(one(number) for number in range(30)))
    assert answers == [number if number % 3 else f"error {number}" for number in range(30)]


async def test_it_sees_what_was_written_before_it_and_runs_off_the_loop(store: Store) -> None:
    thread = await store.quick_read(lambda tx: threading.current_thread().name)
    assert thread != threading.current_thread().name
    row = {"id": "a", "name": "a", "created_at": 1, "updated_at": 1}
    await store.write(lambda tx: sql(tx).insert("organization", row))
    assert await store.quick_read(lambda tx: sql(tx).value("SELECT count(*) FROM organization")) == 1


async def test_who_gave_up_waiting_does_not_keep_the_answer_from_the_others(store: Store) -> None:
    go_on = threading.Event()
    slow = asyncio.create_task(store.quick_read(lambda tx: go_on.wait(10)))
    given_up = asyncio.create_task(store.quick_read(lambda tx: 1))
    waiting = asyncio.create_task(store.quick_read(lambda tx: 2))
    await asyncio.sleep(0)
    given_up.cancel()
    go_on.set()
    assert await slow is True
    assert await waiting == 2
    with pytest.raises(asyncio.CancelledError):
        await given_up


async def test_what_was_asked_before_the_end_is_answered(store: Store) -> None:
    asked = [asyncio.create_task(store.quick_read(lambda tx, number=number: number)) for number in range(5)]
    await asyncio.sleep(0)
    await asyncio.to_thread(store.close)
    assert await asyncio.gather(*asked) == list(range(5))
