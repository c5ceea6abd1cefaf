"""How many passes run at once, and who may wait without keeping others from running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LENT_OCTETS = 128 * 1024 * 1024
"""Mail that waiting passes may hold in memory; one more would wait in its own slot."""


class Slots:
    """``count`` places for passes. One that waits for a slow attachment lends its place to another inbox."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._lent = 0

    async def take(self) -> None:
        """Wait for a place."""
        await self._free.acquire()

    def give(self) -> None:
        """Give the place back."""
        self._free.release()

    @asynccontextmanager
    async def lent(self, octets: int) -> AsyncIterator[None]:
        """Be without the place inside the block, while ``octets`` of mail are held."""
        if self._lent + octets > LENT_OCTETS:
            yield
            return
        self._lent += octets
        self.give()
        try:
            yield
        finally:
            self._lent -= octets
            await self.take()
