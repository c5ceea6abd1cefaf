"""When the gateway says that it lives: while its event loop turns and its database answers.

A database that refuses (full disk, locked, gone) has answered: a restart would not mend it, and ``/ready`` shows it.
One that says nothing for half of the time that systemd allows is a hung gateway: no sign of life, and systemd ends
and restarts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from gateway.service.notify import Manager
from gateway.store.engine import Store, StoreDown
from gateway.store.queries.inboxes import unscoped_inbox_total
from gateway.store.queries.outbox import unscoped_waiting_count
from gateway.store.queries.totals import database_answers
from gateway.store.transaction import Tx

log = logging.getLogger("postern.service")

_STATUS_SECONDS = 30.0


@asynccontextmanager
async def ping_watchdog(manager: Manager, store: Store) -> AsyncIterator[None]:
    """Give them while the block runs, where systemd waits for them."""
    async with _running(_give_signs(manager, store) if manager.watchdog_seconds else None):
        yield


@asynccontextmanager
async def report_status(manager: Manager, store: Store) -> AsyncIterator[None]:
    """Keep what ``systemctl status`` shows up to date while the block runs."""
    async with _running(_send_status(manager, store) if manager.there else None):
        yield


@asynccontextmanager
async def _running(job: Coroutine[None, None, None] | None) -> AsyncIterator[None]:
    task = asyncio.create_task(job, name="watchdog") if job is not None else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _give_signs(manager: Manager, store: Store) -> None:
    while True:
        try:
            async with asyncio.timeout(manager.watchdog_seconds / 2):
                with contextlib.suppress(StoreDown):
                    await store.write(database_answers)  # takes the write lock; writes nothing
        except TimeoutError:
            log.error(
                "the database has not answered for %g s: without an answer systemd restarts the gateway",
                manager.watchdog_seconds / 2,
            )
            continue
        manager.alive()
        await asyncio.sleep(manager.watchdog_seconds / 4)


async def _send_status(manager: Manager, store: Store) -> None:
    while True:
        with contextlib.suppress(StoreDown):
            manager.status(await store.read(_status))
        await asyncio.sleep(_STATUS_SECONDS)


def _status(tx: Tx) -> str:
    inboxes = unscoped_inbox_total(tx)
    return f"running: {inboxes} inboxes, {unscoped_waiting_count(tx)} messages to send"
