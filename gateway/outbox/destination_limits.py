"""Who may transmit now: a bound on all transactions, one per destination, and slow ones wait aside.

A transaction that runs longer than ``SLOW`` seconds gives its place among all to the next one (it keeps its place
at its destination), so a few dead servers cannot hold up the rest.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mailserver.base import Hop

SLOW = 2.0
_WAITING_WHEN_SLOW = 2


@dataclass(slots=True)
class _Destination:
    places: asyncio.Semaphore
    waiting: int = 0
    running: deque[float] = field(default_factory=deque)
    last: float = 0.0  # seconds the last transaction took

    @property
    def slow(self) -> bool:
        if not self.running:
            return False
        return time.monotonic() - self.running[0] > SLOW or self.last > SLOW


class _Held:
    """A place that is given back once."""

    def __init__(self, everyone: asyncio.Semaphore) -> None:
        self._everyone: asyncio.Semaphore | None = everyone

    def give(self) -> None:
        everyone, self._everyone = self._everyone, None
        if everyone is not None:
            everyone.release()


class DestinationLimits:
    """``concurrency`` transactions at once towards our own mail server, and as many towards the world."""

    def __init__(self, concurrency: int) -> None:
        self._most = max(1, concurrency)
        self._near = asyncio.Semaphore(self._most)
        self._far = asyncio.Semaphore(self._most)
        self._destinations: dict[str, _Destination] = {}

    def congested(self, hop: Hop) -> bool:
        """Whether this destination is slow and others already wait for it: come back later."""
        destination = self._destinations.get(_key(hop))
        return destination is not None and destination.slow and destination.waiting >= _WAITING_WHEN_SLOW

    @asynccontextmanager
    async def place(self, hop: Hop) -> AsyncIterator[None]:
        """Wait for a place towards ``hop`` and hold it."""
        key = _key(hop)
        destination = self._destinations.get(key)
        if destination is None:
            share = max(1, self._most * 3 // 4) if hop.kind in ("mx", "simulator") else self._most
            destination = self._destinations[key] = _Destination(asyncio.Semaphore(share))
        everyone = self._far if hop.kind in ("mx", "smarthost", "simulator") else self._near
        destination.waiting += 1
        waits = True
        try:
            async with destination.places:
                await everyone.acquire()
                destination.waiting -= 1
                waits = False
                begun = time.monotonic()
                destination.running.append(begun)
                held = _Held(everyone)
                aside = asyncio.get_running_loop().call_later(SLOW, held.give)
                try:
                    yield
                finally:
                    aside.cancel()
                    held.give()
                    destination.running.remove(begun)
                    destination.last = time.monotonic() - begun
        finally:
            destination.waiting -= waits
            if not destination.waiting and not destination.running:
                self._destinations.pop(key, None)


def _key(hop: Hop) -> str:
    return f"{hop.kind}:{hop.key}"
