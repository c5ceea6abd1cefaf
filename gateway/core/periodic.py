"""Work that is done again and again in the background, as long as the gateway runs."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import ClassVar

from gateway.core.context import Core
from gateway.store.engine import StoreDown


class Periodic(ABC):
    """Does its ``work`` when it starts, and ``every`` seconds after each end of it.

    ``name``: of its task. ``what``: the work, for the log, such as ``mails about webhooks``. What goes wrong is
    logged, and tried again the next time.
    """

    name: ClassVar[str]
    what: ClassVar[str]
    every: ClassVar[float] = 5.0
    log: ClassVar[logging.Logger]

    def __init__(self, core: Core) -> None:
        self._core = core
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def work(self) -> None:
        """Do what is due. May raise StoreDown."""

    async def start(self) -> None:
        """Start; what became due while nothing ran is done at once."""
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        """Stop at once: what is due is done after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self.work()
            except StoreDown as error:
                self.log.warning("%s wait for the database: %s", self.what, error)
            except Exception:
                self.log.exception("%s failed; it is tried again", self.what)
            await asyncio.sleep(self.every)
