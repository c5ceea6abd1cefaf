"""The engine that checks the DNS records of every domain from time to time.

A domain is looked at again after an eighth of the time for which DNS has said the same of it, between ten minutes and
``dns.recheck_hours``: often while its owner is publishing records, rarely when all has been well for long. A new
signing key is put to use when its record shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from gateway.core.context import Core
from gateway.core.domains.check import examine
from gateway.core.errors import CoreError
from gateway.records.domains import Domain
from gateway.records.ids import now_us
from gateway.store.dkim_keys import activate_next
from gateway.store.engine import StoreDown
from gateway.store.queries.domains import unscoped_check_times, unscoped_domain
from gateway.store.transaction import Tx
from mailserver.base import MailServerError
from mailserver.dns import Record

log = logging.getLogger("postern.domains")

_PAUSE = 60.0
_LEAST_US = 600_000_000
_HOUR_US = 3_600_000_000
_AT_ONCE = 4


class DomainWatch:
    """Does nothing with ``dns.recheck_hours`` 0."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start looking."""
        if self._core.settings.dns.recheck_hours > 0:
            self._task = asyncio.create_task(self._run(), name="domain-watch")

    async def stop(self) -> None:
        """Stop; what is due is looked at after the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                if self._core.leases.holds(("domains", 0)):
                    await self.check()
            except StoreDown as error:
                log.warning("looking at domains waits for the database: %s", error)
            except Exception:
                log.exception("looking at domains failed; it is tried again")
            await asyncio.sleep(_PAUSE)

    async def check(self) -> None:
        """Look at every domain that is due."""
        most = max(_LEAST_US, int(self._core.settings.dns.recheck_hours * _HOUR_US))
        names = await self._core.store.read(lambda tx: due(tx, now_us(), most))
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str) -> None:
            async with turn:
                try:
                    await self._one(name)
                except (CoreError, MailServerError) as error:
                    log.warning("%s was not checked: %s", name, error)

        await asyncio.gather(*(one(name) for name in names))

    async def _one(self, name: str) -> None:
        core = self._core
        before = await core.store.read(lambda tx: unscoped_domain(tx, name))
        if before is None:
            return
        after, found, _ = await examine(core, name)
        _log_change(before, after, found)
        shown = any(one.purpose == "dkim_next" and one.status == "VALID" for one in found)
        if shown and await core.store.write(lambda tx: activate_next(tx, name)):
            log.info("mail of %s is signed with its new key from now on", name)
            await examine(core, name)


def due(tx: Tx, now: int, most: int) -> list[str]:
    """The domains to check now; times in microseconds, ``most`` is the longest interval."""
    found = []
    for times in unscoped_check_times(tx):
        same_for = now - (times.changed_at or times.created_at)
        interval = min(most, max(_LEAST_US, same_for // 8))
        if (times.checked_at or 0) + interval <= now:
            found.append(times.name)
    return found


def _log_change(before: Domain, after: Domain, found: list[Record]) -> None:
    if before.status == after.status:
        return
    if after.status == "VERIFIED":
        log.info("the DNS records of %s are complete", after.name)
    elif before.status == "VERIFIED":
        wrong = ", ".join(sorted(one.key for one in found if one.status != "VALID"))
        log.warning(
            "the DNS records of %s are not as they should be any more: %s; `postern domain verify %s` says what to do",
            *(after.name, wrong, after.name),
        )
