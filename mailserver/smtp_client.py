"""The SMTP and LMTP client: kept connections, a bounded number to each target."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from mailserver.base import RecipientReply
from mailserver.smtp_connection import (
    Broken,
    Connection,
    Recipient,
    Refused,
    Reply,
    Target,
    Timeouts,
    Transaction,
    xtext,
)

__all__ = [
    "Broken",
    "Connection",
    "Pool",
    "Recipient",
    "Refused",
    "Reply",
    "Target",
    "Timeouts",
    "Transaction",
    "deliver",
    "xtext",
]


class Pool:
    """Kept connections by target; at most ``width`` at once to each."""

    def __init__(
        self,
        hostname: str,
        *,
        width: int = 8,
        idle: float = 20.0,
        uses: int = 100,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._hostname = hostname
        self._width = width
        self._idle = idle
        self._uses = uses
        self._times = timeouts or Timeouts()
        self._kept: dict[Target, list[Connection]] = {}
        self._slots: dict[Target, asyncio.Semaphore] = {}

    async def send(self, target: Target, job: Transaction) -> dict[str, RecipientReply]:
        """As :meth:`Connection.send`; a kept connection found dead before DATA is replaced once.

        Raises Refused (greeting, TLS, AUTH) or Broken.
        """
        slot = self._slots.setdefault(target, asyncio.Semaphore(self._width))
        async with slot:
            while True:
                connection, kept = await self._take(target)
                try:
                    answers = await connection.send(job)
                except Broken as error:
                    connection.close()
                    if kept and not error.sent:
                        continue
                    raise
                except BaseException:
                    connection.close()
                    raise
                if connection.transactions >= self._uses or any(r.code == 421 for r in answers.values()):
                    await connection.quit()
                else:
                    self._kept.setdefault(target, []).append(connection)
                return answers

    async def _take(self, target: Target) -> tuple[Connection, bool]:
        kept = self._kept.get(target, [])
        while kept:
            connection = kept.pop()
            if connection.alive and time.monotonic() - connection.used < self._idle:
                return connection, True
            connection.close()
        connection = Connection(target, self._hostname, self._times)
        try:
            await connection.open()
        except BaseException:
            connection.close()
            raise
        return connection, False

    def trim(self) -> None:
        """Close connections idle too long; call now and then."""
        now = time.monotonic()
        for target in list(self._kept):
            fresh = [one for one in self._kept[target] if now - one.used < self._idle]
            for one in self._kept[target]:
                if one not in fresh:
                    one.close()
            if fresh:
                self._kept[target] = fresh
            else:
                del self._kept[target]
                self._slots.pop(target, None) if not self._busy(target) else None

    def _busy(self, target: Target) -> bool:
        slot = self._slots.get(target)
        return slot is not None and (slot.locked() or slot._value < self._width)

    async def close(self) -> None:
        for kept in self._kept.values():
            for connection in kept:
                await connection.quit()
        self._kept.clear()


async def deliver(pool: Pool, target: Target, job: Transaction) -> dict[str, RecipientReply]:
    """As :meth:`Pool.send`, but connection-level failures are replies too (4xx, or the peer's own; ``unknown``
    where the connection was lost after the message went out)."""
    unknown = False
    try:
        return await pool.send(target, job)
    except Refused as error:
        reply = error.reply
    except Broken as error:
        unknown = error.sent
        reply = Reply(451 if error.sent else 421, (f"4.4.2 {error}" if error.sent else f"4.4.1 {error}",))
    except (ValueError, UnicodeError) as error:
        reply = Reply(553, (f"5.1.3 {error}",))
    said = replace(reply.to_recipient(target.label), unknown=unknown)
    return {one.address: said for one in job.recipients}
