"""A message that cannot be sent just now waits in the queue, with nothing counted against it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.core.sending.send import SendRequest, send
from gateway.outbox import engine
from gateway.outbox.destination_limits import DestinationLimits
from tests.outbox.running_outbox import SCOPE, running_outbox
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio
REQUEST = SendRequest(to=["bob@world.test"], subject="s", text="t")


async def test_a_destination_that_is_slow_and_awaited_by_others_is_come_back_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = [True]
    monkeypatch.setattr(DestinationLimits, "congested", lambda self, hop: slow[0])
    monkeypatch.setattr(engine, "_ASIDE_US", (10_000, 20_000))
    async with running_outbox(tmp_path) as r:
        sent = await send(r.core, SCOPE, await r.inbox(), REQUEST)

        async def put_back() -> bool:
            row = (await r.rows("SELECT created_at, next_at FROM outbox"))[0]
            return bool(row["next_at"] > row["created_at"])

        await until_async(put_back)
        assert not r.sink.copies("bob@world.test")
        slow[0] = False
        assert set((await r.settled(sent.message_id)).values()) == {"delivered"}
        assert len(r.sink.copies("bob@world.test")) == 1


async def test_a_fault_of_our_own_while_sending_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transmit, faults = engine.Outbox._transmit, [True]

    async def broken(self: engine.Outbox, *rest: Any) -> object:
        if faults:
            faults.pop()
            raise RuntimeError("a fault")
        return await transmit(self, *rest)

    monkeypatch.setattr(engine.Outbox, "_transmit", broken)
    monkeypatch.setattr(engine, "_UNPLANNED_US", 10_000)
    async with running_outbox(tmp_path) as r:
        sent = await send(r.core, SCOPE, await r.inbox(), REQUEST)
        assert set((await r.settled(sent.message_id)).values()) == {"delivered"}
        assert not faults
        assert len(r.sink.copies("bob@world.test")) == 1
