"""How many passes run at once, and who may wait without keeping others from running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from mailserver.imap import PATIENCE, Client, ImapPool

T = TypeVar("T")

LENT_OCTETS = 128 * 1024 * 1024
"""Mail that waiting passes may hold in memory; one more would wait in its own slot."""
_WAITING = 24
"""How many passes may wait for the mail server without a place. Each may come back with a batch, which it holds until
it has a place again; one more keeps its own, and the pool of connections ends the one that is silent longest."""


class Slots:
    """``count`` places for passes. One that waits for a slow attachment, or for a silent mail server, lends its place
    to another inbox."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._lent = 0
        self._waiting = 0

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

    async def while_waiting(self, work: Coroutine[Any, Any, T], silent: Callable[[], float]) -> T:
        """Await ``work``; be without the place from when it has heard nothing for a moment until it is done.

        ``silent``: for how many seconds it has heard nothing.
        """
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait([task], timeout=PATIENCE))[0]:
                if self._waiting < _WAITING and silent() >= PATIENCE:
                    return await self._without_place(task)
            return task.result()
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise

    async def _without_place(self, task: asyncio.Future[T]) -> T:
        self._waiting += 1
        self.give()
        try:
            return await task
        finally:
            self._waiting -= 1
            await self.take()


class PassImap:
    """An :class:`ImapPool` as passes use it: whoever waits long for the mail server lends the place of his pass.

    ``held``: the slots that the pass over an inbox has its place of; None where there is no pass.
    """

    def __init__(self, imap: ImapPool, held: Callable[[str], Slots | None]) -> None:
        self._imap, self._held = imap, held

    async def run(self, address: str, work: Callable[[Client], T]) -> T:
        """:meth:`ImapPool.run`."""
        slots = self._held(address)
        if slots is None:
            return await self._imap.run(address, work)
        return await slots.while_waiting(self._imap.run(address, work), lambda: self._imap.silent(address))

    def is_stuck(self, address: str) -> bool:
        """Whether a mailbox did not answer when it was last tried."""
        return self._imap.is_stuck(address)
