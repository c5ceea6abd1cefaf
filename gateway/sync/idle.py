"""IMAP IDLE (RFC 2177) as a doorbell: the most recently active inboxes keep a connection in IDLE.

aioimaplib does SELECT and IDLE and nothing else here: every await is bounded and the connection is thrown
away on any doubt (it answers BYE to IDLE with silence, and a lost connection fails nothing that waits).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from aioimaplib import IMAP4, IMAP4_SSL

from gateway.settings import Settings
from gateway.store.engine import Store, StoreDown
from mailserver.base import Hint, MailServer, OnHint
from mailserver.own_address import OwnIdle

log = logging.getLogger("postern.idle")
logging.getLogger("aioimaplib").setLevel(logging.WARNING)  # it logs whole mail at DEBUG

_REIDLE = 9 * 60.0
_ANSWER = 15.0
_REVIEW = 20.0


class IdleWatch:
    """Keeps up to ``sync.idle_connections`` inboxes in IDLE; a push on INBOX becomes a hint. ``mine``: whose they are,
    where several processes share them."""

    def __init__(
        self,
        store: Store,
        mail: MailServer,
        on_hint: OnHint,
        settings: Settings,
        mine: Callable[[str], bool] = lambda address: True,
    ) -> None:
        self._store, self._mail, self._hint = store, mail, on_hint
        self._mine = mine
        self._most = settings.sync.idle_connections
        self._watched: dict[str, asyncio.Task[None]] = {}
        self._review: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start watching, unless ``sync.idle_connections`` is 0."""
        if self._most > 0:
            self._review = asyncio.create_task(self._reviewing(), name="idle-review")

    async def stop(self) -> None:
        """Close every IDLE connection."""
        tasks = [*self._watched.values()] + ([self._review] if self._review else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watched.clear()

    @property
    def watching(self) -> int:
        """How many inboxes are watched now."""
        return len(self._watched)

    def consider(self, address: str) -> None:
        """A new inbox: watch it at once if there is room."""
        if self._review is not None and len(self._watched) < self._most and address not in self._watched:
            self._watched[address] = asyncio.create_task(self._watch(address), name=f"idle-{address}")

    async def _reviewing(self) -> None:
        while True:
            try:
                rows = await self._store.read(
                    lambda tx: tx.rows(
                        "SELECT address FROM inbox WHERE status = 'active' ORDER BY active_at DESC LIMIT ?",
                        self._most,
                    )
                )
            except StoreDown as error:
                log.warning("cannot review the watched inboxes: %s", error)
                rows = []
            wanted = {row["address"] for row in rows if self._mine(row["address"])}
            for address in [one for one in self._watched if one not in wanted]:
                self._watched.pop(address).cancel()
            for address in wanted - self._watched.keys():
                self._watched[address] = asyncio.create_task(self._watch(address), name=f"idle-{address}")
                await asyncio.sleep(0.01)  # no storm of logins
            await asyncio.sleep(_REVIEW)

    async def _watch(self, address: str) -> None:
        failures = 0
        while True:
            try:
                await self._session(address)
                failures = 0
            except Exception as error:
                failures += 1
                if failures in (1, 10):
                    log.info("IDLE of %s: %s: %s; it is opened again", address, type(error).__name__, error)
            self._hint(Hint(address))  # what happened while nobody watched
            await asyncio.sleep(min(60.0, 0.5 * 2 ** min(failures, 7)) * random.uniform(0.5, 1.5))  # noqa: S311

    async def _session(self, address: str) -> None:
        login = self._mail.imap_login(address)
        lost = asyncio.Event()
        kind = IMAP4_SSL if login.endpoint.tls == "implicit" else OwnIdle
        client = kind(host=login.endpoint.host, port=login.endpoint.port, timeout=_ANSWER)
        try:
            async with asyncio.timeout(_ANSWER):
                await client.wait_hello_from_server()
                client.protocol.conn_lost_cb = lambda _error: lost.set()
                answer = await client.login(login.user, login.secret)
                if answer.result != "OK":
                    raise ConnectionError(f"login refused: {answer.lines!r}")
                answer = await client.select("INBOX")
                if answer.result != "OK":
                    raise ConnectionError(f"SELECT refused: {answer.lines!r}")
            self._hint(Hint(address, "INBOX"))
            while not lost.is_set():
                async with asyncio.timeout(_ANSWER):
                    idle = await client.idle_start(timeout=_REIDLE + _ANSWER)
                try:
                    await self._idle(client, address, lost)
                finally:
                    client.idle_done()
                async with asyncio.timeout(_ANSWER):
                    await idle
        finally:
            for task in list(client.tasks):  # a command that waits for a dead connection waits for ever
                task.cancel()
            transport = client.protocol.transport if client.protocol else None
            if transport is not None:
                transport.abort()

    async def _idle(self, client: IMAP4, address: str, lost: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _REIDLE
        while not lost.is_set() and loop.time() < until:
            push = asyncio.ensure_future(client.wait_server_push(timeout=until - loop.time()))
            gone = asyncio.ensure_future(lost.wait())
            try:
                await asyncio.wait(
                    {push, gone}, timeout=until - loop.time(), return_when=asyncio.FIRST_COMPLETED
                )
                if not push.done():
                    return
                lines = push.result()
            except TimeoutError:
                return
            finally:
                push.cancel()
                gone.cancel()
                await asyncio.gather(push, gone, return_exceptions=True)
            if not isinstance(lines, list):
                return
            for line in lines:
                upper = bytes(line).upper()
                if upper.endswith(b"EXISTS"):
                    self._hint(Hint(address, "INBOX", "new"))
                elif b"EXPUNGE" in upper or b"VANISHED" in upper:
                    self._hint(Hint(address, "INBOX", "expunge"))
                elif b"FETCH" in upper:
                    self._hint(Hint(address, "INBOX", "flags"))
