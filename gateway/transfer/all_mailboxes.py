"""Every mailbox of a gateway, opened beside it by commands on its machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from gateway.transfer.maildir_write import write_mailbox
from mailserver.base import ImapLogin
from mailserver.imap import ImapPool

AT_ONCE = 4


class Mailroom:
    """IMAP logins by address, and a pool of connections with them."""

    def __init__(self, logins: Mapping[str, ImapLogin]) -> None:
        self.logins = logins
        self.imap = ImapPool(logins.__getitem__, size=AT_ONCE * 2, threads=AT_ONCE, timeout=120.0, slow=0)

    async def close(self) -> None:
        """Close every connection."""
        await self.imap.close()


async def at_once(addresses: Iterable[str], work: Callable[[str], Awaitable[None]]) -> None:
    """Do ``work`` for each address, a few at a time; the first failure ends all."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(address: str) -> None:
        async with gate:
            await work(address)

    async with asyncio.TaskGroup() as group:
        for address in addresses:
            group.create_task(one(address))


async def copy_all(
    room: Mailroom, into: Path, before: Path | None, on_done: Callable[[str, int], None]
) -> tuple[int, int, int]:
    """Write each mailbox into a directory of its address below ``into``; answers inboxes, messages, octets."""
    sums = [0, 0, 0]

    async def one(address: str) -> None:
        earlier = before / address if before is not None and (before / address).is_dir() else None
        write = partial(write_mailbox, into=into / address, before=earlier)
        messages, octets = await room.imap.run(address, write)
        sums[0], sums[1], sums[2] = sums[0] + 1, sums[1] + messages, sums[2] + octets
        on_done(address, messages)

    await at_once(sorted(room.logins), one)
    return sums[0], sums[1], sums[2]
