"""The engine that rejects what nobody decided about in time, and writes to the reviewers."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from gateway.core.context import Core
from gateway.core.reviews.decisions import expire
from gateway.core.reviews.notices import notify_reviewers
from gateway.records.ids import now_us
from gateway.store.engine import StoreDown
from gateway.store.queries.reviews import unscoped_expired_reviews

log = logging.getLogger("postern.reviews")

_EVERY = 5.0
_MOST = 100


class ReviewWatch:
    """Looks for reviews whose time is over, or whose reviewers know nothing of them. Several processes may look."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start; what expired while nothing ran is rejected at once."""
        self._task = asyncio.create_task(self._run(), name="review-watch")

    async def stop(self) -> None:
        """Stop at once: what is due is done after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._expire()
                await notify_reviewers(self._core)
            except StoreDown as error:
                log.warning("reviews wait for the database: %s", error)
            except Exception:
                log.exception("looking after reviews failed; it is tried again")
            await asyncio.sleep(_EVERY)

    async def _expire(self) -> None:
        store = self._core.store
        for review_id in await store.read(partial(unscoped_expired_reviews, now=now_us(), most=_MOST)):
            await store.write(partial(expire, core=self._core, review_id=review_id))
