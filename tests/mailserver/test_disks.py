"""Asking how much room is left, while the process is busy."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from mailserver.disks import Disks

pytestmark = pytest.mark.anyio


async def test_the_answer_does_not_wait_for_what_other_threads_do(tmp_path: Path) -> None:
    over = threading.Event()
    # more than the event loop has threads for
    others = [asyncio.create_task(asyncio.to_thread(over.wait, 60)) for _ in range(64)]
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(30):
            assert await Disks({"data": tmp_path}, 1).short() is None
    finally:
        over.set()
        await asyncio.gather(*others)


async def test_callers_at_the_same_time_share_one_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disks, looks = Disks({"data": tmp_path}, 1), 0
    look = disks.look

    def counted() -> object:
        nonlocal looks
        looks += 1
        return look()

    monkeypatch.setattr(disks, "look", counted)
    found = await asyncio.gather(*(disks.rooms() for _ in range(50)))
    assert looks == 1
    assert all([one.name for one in rooms] == ["data"] for rooms in found)
