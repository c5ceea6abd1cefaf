"""A clock that is set back holds up nothing for as long as it was ahead."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.core.sending.send import SendRequest, send
from gateway.outbox import engine
from gateway.records import ids
from gateway.settings import Outbox as OutboxSettings
from tests.outbox.running_outbox import SCOPE, running_outbox
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

DAY = 86_400 * 1_000_000_000


def set_clock(monkeypatch: pytest.MonkeyPatch, ahead: int) -> None:
    """Have every time that Postern reckons with be ``ahead`` ns of the machine's."""
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: time.time_ns() + ahead))


@pytest.mark.parametrize("restarted", [False, True])
async def test_retries_go_on_after_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    monkeypatch.setattr(engine, "_CHECK_SECONDS", 0.2)
    monkeypatch.setattr(engine, "_LOOK_AGAIN", 0.2)
    set_clock(monkeypatch, DAY)
    async with running_outbox(tmp_path, outbox=OutboxSettings(retry_scale=1.0)) as r:
        r.sink.down = True
        inbox = await r.inbox()
        first = await send(r.core, SCOPE, inbox, SendRequest(to=["bob@world.test"], text="t"))

        async def waits() -> bool:
            return bool(await r.value("SELECT 1 FROM outbox WHERE claimed_until IS NULL AND attempts = 1"))

        await until_async(waits)
        if restarted:
            await r.outbox.stop()
        r.sink.down = False
        set_clock(monkeypatch, 0)
        if restarted:
            await r.outbox.start()
        second = await send(r.core, SCOPE, inbox, SendRequest(to=["bob@world.test"], text="t"))
        for one in (first, second):
            assert set((await r.settled(one.message_id)).values()) == {"delivered"}
        assert len(r.sink.copies("bob@world.test")) == 2


async def test_what_waits_for_its_time_is_left_alone(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, outbox=OutboxSettings(retry_scale=1.0)) as r:
        r.sink.down = True
        inbox = await r.inbox()
        await send(r.core, SCOPE, inbox, SendRequest(to=["bob@world.test"], text="t"))

        async def waits() -> bool:
            return bool(await r.value("SELECT 1 FROM outbox WHERE claimed_until IS NULL AND attempts = 1"))

        await until_async(waits)
        await r.outbox._recover()
        assert await waits()
        assert int(await r.value("SELECT next_at FROM outbox")) > ids.now_us()
