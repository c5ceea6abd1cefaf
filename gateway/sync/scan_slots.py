"""How many scans run at once, and which may wait without keeping others from running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from mailserver.imap import PATIENCE, Client, ImapPool

T = TypeVar("T")

LENT_OCTETS = 128 * 1024 * 1024
"""Mail that waiting scans may hold in memory; one more would wait in its own slot."""
_WAITING = 24
"""How many scans may wait for the mail server without a slot. Each may come back with a batch, which it holds until it
has a slot again; one more keeps its own, and the pool of connections ends the one that is silent longest."""


class Slots:
    """``count`` slots for scans. One that waits for a slow attachment, or for a silent mail server, lends its slot to
    another inbox."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._lent = 0
        self._waiting = 0

    async def take(self) -> None:
        """Wait for a slot."""
        await self._free.acquire()

    def give(self) -> None:
        """Give the slot back."""
        self._free.release()

    @asynccontextmanager
    async def lent(self, octets: int) -> AsyncIterator[None]:
        """Be without the slot inside the block, while ``octets`` of mail are held."""
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

    async def while_waiting(self, work: Coroutine[Any, Any, T], silent: Callable[[], float]) -> T:
        """Await ``work``; be without the slot from when it has heard nothing for a moment until it is done.

        ``silent``: for how many seconds it has heard nothing.
        """
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait([task], timeout=PATIENCE))[0]:
                if self._waiting < _WAITING and silent() >= PATIENCE:
                    return await self._without_slot(task)
            return task.result()
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise

    async def _without_slot(self, task: asyncio.Future[T]) -> T:
        self._waiting += 1
        self.give()
        try:
            return await task
        finally:
            self._waiting -= 1
            await self.take()


class ScanImap:
    """An :class:`ImapPool` as a scan uses it: while it waits long for the mail server, it lends its slot."""

    def __init__(self, imap: ImapPool, slots: Slots) -> None:
        self._imap, self.slots = imap, slots

    async def run(self, address: str, work: Callable[[Client], T]) -> T:
        """:meth:`ImapPool.run`."""
        return await self.slots.while_waiting(
            self._imap.run(address, work), lambda: self._imap.silent(address)
        )
