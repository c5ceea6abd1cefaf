"""The gateway's own IMAP sessions, closed while the mail server ends the sessions of certain mailboxes.

Dovecot 2.3 ends a session by ending its process, and with it up to a hundred others, people's and ours. So ours of
these mailboxes go first, in every process of the gateway, and nobody has to be ended where no person is logged in.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from gateway.store.leases import Leases
from gateway.store.wakeups import Wakeups
from gateway.sync.idle import IdleWatch
from mailserver.imap import ImapPool

_QUESTION = "close-sessions"
_ANSWER_SECONDS = 1.0
_HOLD_SECONDS = 2.0
"""How long another process stays away from a mailbox whose sessions end."""
_ASKED = 20
"""For how many mailboxes the other processes are asked; more are removed at once by a repair only."""
_ROLES = ("api", "sync", "outbox", "events")


class OwnSessions:
    """Made on the event loop, before the other processes are asked anything."""

    def __init__(self, imap: ImapPool, idle: IdleWatch, leases: Leases, wakeups: Wakeups) -> None:
        self._imap, self._idle = imap, idle
        self._leases, self._wakeups = leases, wakeups
        self._holding: set[asyncio.Task[None]] = set()
        wakeups.answer(_QUESTION, self._asked)

    @contextlib.asynccontextmanager
    async def closed(self, addresses: Sequence[str]) -> AsyncIterator[None]:
        """Have no session of these mailboxes inside the block; calls for them wait until it ends."""
        async with self._idle.closed(addresses), self._imap.closed(addresses):
            others = max(self._leases.others(role) for role in _ROLES)
            if others:
                await asyncio.gather(
                    *(
                        self._wakeups.ask(_QUESTION, one, others, _ANSWER_SECONDS)
                        for one in addresses[:_ASKED]
                    )
                )
            yield

    async def _asked(self, address: str) -> str:
        """Another process ends the sessions of a mailbox; an empty answer, so that it waits for all of us."""
        closed = asyncio.Event()
        task = asyncio.create_task(self._hold(address, closed), name=f"sessions of {address} closed")
        self._holding.add(task)
        task.add_done_callback(self._holding.discard)
        await closed.wait()
        return ""

    async def _hold(self, address: str, closed: asyncio.Event) -> None:
        try:
            async with self._idle.closed([address]), self._imap.closed([address]):
                closed.set()
                await asyncio.sleep(_HOLD_SECONDS)
        finally:
            closed.set()
