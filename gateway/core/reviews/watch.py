"""The engine that rejects what nobody decided about in time, and writes to the reviewers."""

from __future__ import annotations

import logging
from functools import partial

from gateway.core.periodic import Periodic
from gateway.core.reviews.decisions import expire
from gateway.core.reviews.notices import notify_reviewers
from gateway.records.ids import now_us
from gateway.store.queries.reviews import unscoped_expired_reviews

_MOST = 100


class ReviewWatch(Periodic):
    """Looks for reviews whose time is over, or whose reviewers know nothing of them. Several processes may look."""

    name, what, log = "review-watch", "reviews", logging.getLogger("postern.reviews")

    async def work(self) -> None:
        """Reject what expired, then write to the reviewers."""
        store = self._core.store
        for review_id in await store.read(partial(unscoped_expired_reviews, now=now_us(), most=_MOST)):
            await store.write(partial(expire, core=self._core, review_id=review_id))
        await notify_reviewers(self._core)
