"""How many lanes may be open: few enough to be kind to one endpoint, and a slow endpoint never in others' way.

An endpoint is *slow* from the moment a post to it takes over two seconds until one is quick again. Slow endpoints
get one lane each and count apart, so any number of them up to that second limit takes nothing from the rest.
"""

from __future__ import annotations

from collections import Counter

SLOW_AFTER = 2.0
"""Seconds a post may take before its endpoint counts as slow."""

_SLOW_SHARE = 8


class Slots:
    """Counts open lanes by webhook. ``concurrency``: lanes to endpoints that are not slow; one gets a quarter."""

    def __init__(self, concurrency: int) -> None:
        self._limit = max(1, concurrency)
        self._each = max(1, concurrency // 4)
        self._open: Counter[str] = Counter()
        self._slow: set[str] = set()
        self.crowded: set[str] = set()
        """Webhooks that were refused room since this was last emptied: ask again when a lane closes."""

    def room(self, webhook: str) -> int:
        """How many more lanes of this webhook may open now."""
        slow = webhook in self._slow
        taken = sum(count for hook, count in self._open.items() if (hook in self._slow) == slow)
        limit, each = (self._limit * _SLOW_SHARE, 1) if slow else (self._limit, self._each)
        room = max(0, min(limit - taken, each - self._open[webhook]))
        if not room:
            self.crowded.add(webhook)
        return room

    def enter(self, webhook: str) -> None:
        """A lane opened."""
        self._open[webhook] += 1

    def leave(self, webhook: str) -> None:
        """A lane closed."""
        self._open[webhook] -= 1
        if self._open[webhook] <= 0:
            del self._open[webhook]

    def slow(self, webhook: str) -> None:
        """A post is taking long."""
        self._slow.add(webhook)

    def quick(self, webhook: str) -> None:
        """A post was answered quickly."""
        self._slow.discard(webhook)
