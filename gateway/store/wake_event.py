"""An event that any thread sets and one task waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.store.wakeups import Topic, Wakeups


class WakeEvent:
    """Made on the event loop that waits. It is not counted: a waiter that was busy is woken once."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._notify_others: Callable[[], None] = lambda: None

    def shared(self, wakeups: Wakeups, topic: Topic) -> WakeEvent:
        """Set it in every process: ours wakes theirs, theirs wakes ours."""
        self._notify_others = lambda: wakeups.notify(topic)
        wakeups.subscribe(topic, lambda text: self._event.set())
        return self

    def set(self) -> None:
        """Wake the waiter; safe from any thread, harmless after the loop has closed."""
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:
            pass
        self._notify_others()

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set or ``timeout`` seconds have passed, and clear it; answers whether it was set."""
        try:
            async with asyncio.timeout(timeout):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True
