"""How much memory large mails may take at once. Who needs more than is free waits: their octets lie on disk.

Reading, composing, signing and parsing take several times a message's size for a moment. Each client (an
organization, a sender's address) is served in turn, so that one with many large mails holds up nobody for longer
than the one at hand.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from mailserver.allocator import trim

SMALL = 1024 * 1024
"""Octets that are not counted: nearly all mail."""


_CALM = 1.0  # seconds after the last large message before free memory is looked for
_LONGEST = 120.0
"""Seconds after which what is held counts no more: whoever is stuck (a slow URL, a long wait) holds up nobody."""


class NoMemory(Exception):
    """No room was found in time; it may be tried again."""


class Memory:
    """A number of octets that tasks hold a part of.

    Args:
        octets: of all together. Who needs more than this alone waits until nobody holds anything.
    """

    def __init__(self, octets: int) -> None:
        self.octets = octets
        self._held = 0
        self._by_client: Counter[str] = Counter()
        self._trim: asyncio.TimerHandle | None = None
        self._waiting: dict[
            str, deque[tuple[int, asyncio.Future[None]]]
        ] = {}  # by client, longest served first

    @property
    def held(self) -> int:
        """Octets held now."""
        return self._held

    @asynccontextmanager
    async def hold(self, client: str, octets: int, patience: float | None = None) -> AsyncIterator[None]:
        """Have ``octets`` inside the block, waiting for them ``patience`` seconds. Raises NoMemory."""
        with self.tab(client) as tab:
            await tab.need(octets, patience)
            yield

    @contextmanager
    def tab(self, client: str) -> Iterator[Tab]:
        """Open a tab: what is needed inside the block, here or in what it calls, is held until its end."""
        outer = _tab.get()
        if outer is not None and outer.memory is self and not outer.closed:
            yield outer  # a second wait inside the first could wait for itself
            return
        tab = Tab(self, client)
        token = _tab.set(tab)
        try:
            yield tab
        finally:
            _tab.reset(token)
            tab.close()

    async def need(self, octets: int, patience: float | None = None) -> None:
        """:meth:`Tab.need` of the tab that is open here; nothing where none is."""
        tab = _tab.get()
        if tab is not None and tab.memory is self:
            await tab.need(octets, patience)

    def free(self) -> None:
        """:meth:`Tab.free` of the tab that is open here."""
        tab = _tab.get()
        if tab is not None and tab.memory is self:
            tab.free()

    async def take(self, client: str, octets: int, patience: float | None) -> None:
        """Wait for ``octets`` in turn. Raises NoMemory."""
        if not self._waiting and self._fits(octets):
            self._grant(client, octets)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append((octets, turn))
        self._serve()
        try:
            async with asyncio.timeout(patience):
                await asyncio.shield(turn)
        except BaseException as error:
            if turn.done():
                self.give(client, octets)
            else:
                turn.cancel()
                self._serve()
            if isinstance(error, TimeoutError):
                raise NoMemory from None
            raise

    def give(self, client: str, octets: int) -> None:
        """Give back what was taken."""
        self._held -= octets
        self._by_client[client] -= octets
        if self._by_client[client] <= 0:
            del self._by_client[client]
        self._serve()
        if not self._held and self._trim is None:
            self._trim = asyncio.get_running_loop().call_later(_CALM, self._give_back)

    def _give_back(self) -> None:
        """What was used is free by now, in pieces: let the system have it."""
        self._trim = None
        if not self._held:
            asyncio.get_running_loop().run_in_executor(None, trim)

    def _fits(self, octets: int) -> bool:
        return self._held + octets <= self.octets or not self._held

    def _grant(self, client: str, octets: int) -> None:
        self._held += octets
        self._by_client[client] += octets

    def _serve(self) -> None:
        while self._waiting:
            # whoever holds least goes first; among them who was served longest ago (a dict keeps its order)
            client = min(self._waiting, key=lambda one: self._by_client[one])
            turns = self._waiting[client]
            octets, turn = turns[0]
            if not turn.done():
                if not self._fits(octets):
                    return
                self._grant(client, octets)
                turn.set_result(None)
            turns.popleft()
            del self._waiting[client]
            if turns:
                self._waiting[client] = turns


class Tab:
    """What one task holds of a :class:`Memory`, until it is closed. ``client`` may be changed before the first need."""

    def __init__(self, memory: Memory, client: str) -> None:
        self.memory = memory
        self.client = client
        self._octets = 0
        self.closed = False
        self._timer: asyncio.TimerHandle | None = None

    async def need(self, octets: int, patience: float | None = None) -> None:
        """Hold ``octets`` at the least. Waits where nothing is held yet; what is needed beyond is only counted, since
        two that wait for each other's first part would wait for ever. Raises NoMemory after ``patience`` seconds."""
        if octets < SMALL or octets <= self._octets or self.closed:
            return
        if self._octets:
            self.memory._grant(self.client, octets - self._octets)
        else:
            await self.memory.take(self.client, octets, patience)
        self._octets = octets
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LONGEST, self.free)

    def free(self) -> None:
        """Give all of it back; the next need waits again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        octets, self._octets = self._octets, 0
        if octets:
            self.memory.give(self.client, octets)

    def close(self) -> None:
        """Give all of it back; nothing is taken from then on."""
        self.closed = True
        self.free()


_tab: ContextVar[Tab | None] = ContextVar("memory tab", default=None)
