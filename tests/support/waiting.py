"""Wait for what another thread, process or task does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


def until(probe: Callable[[], T | None], timeout: float = 20.0, why: str = "", pause: float = 0.05) -> T:
    """The first true answer of ``probe``; fails with ``why`` and the last answer after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{why or 'waited in vain'} ({timeout:g} s): last answer {found!r}")
        time.sleep(pause)


async def until_async(check: Callable[[], object], timeout: float = 20.0) -> Any:
    """As :func:`until`, while the event loop goes on. ``check`` may be a coroutine function."""
    end = time.monotonic() + timeout
    while True:
        found = check()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"it did not happen in {timeout:g} s: last answer {found!r}")
        await asyncio.sleep(0.01)
