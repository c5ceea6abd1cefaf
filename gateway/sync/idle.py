"""IMAP IDLE: the most recently active inboxes have a connection that reports new mail (``idle_connection``).

A lost connection is opened again at once; while the server cannot be reached, every few seconds, so that a mailbox is
watched again within seconds of its return. What happened meanwhile is found by a scan.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from functools import partial

from gateway.settings import Settings
from gateway.store.engine import Store, StoreDown
from gateway.store.queries.inboxes import unscoped_busiest_addresses
from gateway.store.wake_event import WakeEvent
from gateway.sync.idle_connection import ConnectionRefused, IdleConnection
from mailserver.base import Hint, ImapLogin, MailServerError, OnHint

log = logging.getLogger("postern.idle")

_REVIEW = 20.0
_APART = 1.0
"""Seconds from one connection of an inbox to its next, at least."""
_LOST_FIRST, _LOST_MOST = 0.25, 4.0
"""Seconds to the next try while the server cannot be reached."""
_REFUSED_FIRST, _REFUSED_MOST = 15.0, 60.0
"""Seconds to the next try where the server answers, and refuses: no storm of logins."""
_PUSH = re.compile(rb"\d+ (EXISTS|EXPUNGE|FETCH)\b|(VANISHED)\b", re.IGNORECASE)


@dataclass(slots=True)
class _Watch:
    """One watched inbox."""

    task: asyncio.Task[None] | None = None
    since: float = 0.0  # when it was lost; 0 while IDLE is on
    failures: int = 0  # since IDLE was on


class IdleWatch:
    """Keeps up to ``sync.idle_connections`` inboxes in IDLE; what the server reports of INBOX becomes a hint.

    ``login``: how a mailbox is opened. ``owns``: whether this process scans a mailbox. ``made`` wakes it when an inbox
    was made.
    """

    def __init__(
        self,
        store: Store,
        login: Callable[[str], ImapLogin],
        on_hint: OnHint,
        settings: Settings,
        owns: Callable[[str], bool] = lambda address: True,
        made: WakeEvent | None = None,
    ) -> None:
        self._store, self._login, self._hint = store, login, on_hint
        self._owns, self._made = owns, made
        self._most = settings.sync.idle_connections
        self._watched: dict[str, _Watch] = {}
        self._closed: dict[str, int] = {}
        self._review: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start watching, unless ``sync.idle_connections`` is 0."""
        if self._most > 0:
            self._made = self._made or WakeEvent()
            self._review = asyncio.create_task(self._reviewing(self._made), name="idle-review")

    async def stop(self) -> None:
        """Close every IDLE connection."""
        if self._review is not None:
            self._review.cancel()
            await asyncio.gather(self._review, return_exceptions=True)
        await self._leave(list(self._watched))

    @property
    def watching(self) -> int:
        """How many inboxes are in IDLE now."""
        return sum(not one.since for one in self._watched.values())

    @property
    def waiting(self) -> int:
        """How many inboxes wait for their IDLE to be opened, or opened again."""
        return len(self._watched) - self.watching

    @contextlib.asynccontextmanager
    async def closed(self, addresses: Collection[str]) -> AsyncIterator[None]:
        """Have no connection of these inboxes inside the block."""
        ours = set(addresses)
        for address in ours:
            self._closed[address] = self._closed.get(address, 0) + 1
        try:
            await self._leave([one for one in self._watched if one in ours])
            yield
        finally:
            for address in ours:
                self._closed[address] -= 1
                if not self._closed[address]:
                    del self._closed[address]
            if self._made is not None:
                self._made.set()  # those that are still there are watched again

    async def _leave(self, addresses: list[str]) -> None:
        tasks = [task for one in addresses if (task := self._watched.pop(one).task) is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _reviewing(self, made: WakeEvent) -> None:
        while True:
            try:
                busiest = await self._store.read(partial(unscoped_busiest_addresses, most=self._most))
            except StoreDown as error:
                log.warning("cannot review the watched inboxes: %s", error)
            else:
                await self._watch_only({address for address in busiest if self._owns(address)})
            await made.wait(_REVIEW)

    async def _watch_only(self, wanted: set[str]) -> None:
        await self._leave([one for one in self._watched if one not in wanted])
        for address in wanted - self._watched.keys():
            if address in self._closed:
                continue
            watch = self._watched[address] = _Watch(since=time.monotonic())
            watch.task = asyncio.create_task(self._watch(address, watch), name=f"idle-{address}")
            await asyncio.sleep(0.01)  # no storm of logins

    async def _watch(self, address: str, watch: _Watch) -> None:
        while True:
            begun = time.monotonic()
            try:
                await self._session(address, watch)
            except (OSError, TimeoutError, ConnectionRefused, MailServerError) as error:
                pause = self._lost(address, watch, error, isinstance(error, ConnectionRefused))
            except Exception as error:
                log.exception("the watch of %s failed; it is opened again", address, extra={"inbox": address})
                pause = self._lost(address, watch, error, refused=True)
            self._hint(Hint(address))  # what happened while nobody watched
            await asyncio.sleep(max(pause, begun + _APART - time.monotonic()))

    def _lost(self, address: str, watch: _Watch, error: Exception, refused: bool) -> float:
        """Note a loss, and answer the seconds to the next try."""
        watch.since = watch.since or time.monotonic()
        watch.failures += 1
        first, most = (_REFUSED_FIRST, _REFUSED_MOST) if refused else (_LOST_FIRST, _LOST_MOST)
        if watch.failures == 1:
            log.warning(
                "the IDLE connection of %s is lost (%s: %s): it is opened again, and until then new mail waits for the "
                "mail server's push or the next scan",
                address,
                type(error).__name__,
                error,
                extra={"inbox": address},
            )
        longest: float = min(most, first * 2.0 ** min(watch.failures - 1, 10))
        return longest * random.uniform(0.6, 1.0)  # noqa: S311

    async def _session(self, address: str, watch: _Watch) -> None:
        connection = IdleConnection(self._login(address), lambda line: self._on_line(address, line))
        try:
            await connection.open()
            await connection.idle(lambda: self._accepted(address, watch))
        finally:
            connection.close()

    def _accepted(self, address: str, watch: _Watch) -> None:
        if not watch.since:
            return  # asked for anew, in time
        if watch.failures:
            log.info(
                "%s is in IDLE again, after %.1f s",
                address,
                time.monotonic() - watch.since,
                extra={"inbox": address},
            )
        watch.since, watch.failures = 0.0, 0
        self._hint(Hint(address, "INBOX"))  # what came before IDLE was on is not reported

    def _on_line(self, address: str, line: bytes) -> None:
        found = _PUSH.match(line)
        if found is None:
            return
        word = (found[1] or found[2]).upper()
        if word == b"EXISTS":
            self._hint(Hint(address, "INBOX", "new"))
        elif word == b"FETCH":
            self._hint(Hint(address, "INBOX", "flags"))
        else:
            self._hint(Hint(address, "INBOX", "expunge"))
