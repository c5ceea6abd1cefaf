"""Finishing what a process that died left half done, while others go on.

Alone, a gateway does that when it starts (``inboxes.finish_deletions``). Among others it may meet what another is just
making: so it finishes what two passes in a row found half done.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from gateway.core.context import Core
from gateway.core.inboxes import inboxes
from gateway.store.engine import StoreDown
from mailserver.base import MailServerError

log = logging.getLogger("postern.repair")

_EVERY = 60.0


class Repair:
    """Does nothing where there is one process."""

    def __init__(self, core: Core, every: float = _EVERY) -> None:
        self._core, self._every = core, every
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the passes."""
        if not self._core.leases.alone:
            self._task = asyncio.create_task(self._run(), name="repair")

    async def stop(self) -> None:
        """Stop; what is under way is found again."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        seen: set[str] = set()
        while True:
            try:
                now: set[str] = set()
                if self._core.leases.holds(("repair", 0)):
                    now = set(await self._core.store.read(inboxes.half_done))
                    await inboxes.finish_deletions(self._core, now & seen)
                seen = now
            except (StoreDown, MailServerError) as error:
                log.warning("half-made inboxes wait: %s", error)
            except Exception:
                log.exception("finishing half-made inboxes failed; it is tried again")
            await asyncio.sleep(self._every)
