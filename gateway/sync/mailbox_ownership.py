"""Which process scans a mailbox: where several share the database, each scans the mailboxes it has leased.

What the mail server says of another's mailbox is forwarded to all; the one that scans it takes it. Every transaction of
a scan is fenced, so that a process that was taken for dead, and goes on, writes nothing (``store.leases``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import msgspec

from gateway.store.engine import Store
from gateway.store.leases import Leases, LocalLeases, Share, share_of
from gateway.store.transaction import Tx
from gateway.store.wakeups import LocalWakeups, Wakeups
from mailserver.base import Hint

T = TypeVar("T")

_ASK_SECONDS = 5.0
_decode = msgspec.json.Decoder(Hint).decode


class Write(Protocol):
    """Runs a function in a transaction: ``Store.write``, or ``MailboxOwnership.write`` of one mailbox."""

    def __call__(self, work: Callable[[Tx], T], /) -> Awaitable[T]: ...


class MailboxOwnership:
    """The mailboxes of this process, by address (lower case). Without other processes: all."""

    def __init__(self, store: Store, leases: Leases | None = None, wakeups: Wakeups | None = None) -> None:
        self._store = store
        self.leases: Leases = leases or LocalLeases()
        self.wakeups: Wakeups = wakeups or LocalWakeups()

    def share(self, address: str) -> Share:
        """The share of the work that a mailbox falls into."""
        return share_of("mailboxes", address)

    def owns(self, address: str) -> bool:
        """Whether this process scans the mailbox now."""
        return self.leases.alone or self.leases.holds(self.share(address))

    async def write(self, address: str, work: Callable[[Tx], T]) -> T:
        """``Store.write`` for a scan of a mailbox. Raises LeaseLost too."""
        share = self.share(address)

        def fenced(tx: Tx) -> T:
            self.leases.fence(tx, share)
            return work(tx)

        return await self._store.write(work if self.leases.alone else fenced)

    def forward(self, hint: Hint) -> None:
        """Send a hint to the process that scans the mailbox."""
        self.wakeups.notify("hint", msgspec.json.encode(hint).decode())

    def on_forwarded(self, call: Callable[[Hint | None], None]) -> None:
        """Have ``call`` called with what others forward; None when some may have been missed."""
        self.wakeups.subscribe("hint", lambda text: call(_decode(text) if text else None))

    async def refresh(self, address: str) -> None:
        """Have another process scan a mailbox and return when it was read. It may take for ever."""
        while True:
            others = self.leases.others("sync")
            if any(await self.wakeups.ask("refresh", address, others, _ASK_SECONDS)) or self.owns(address):
                return
            await asyncio.sleep(0.2)
