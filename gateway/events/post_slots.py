"""Who may post now: a fair part of all posts for each organization and each host, so that endpoints that hang, drip or
answer slowly hold up nobody else's.

A *slot* is one post at a time. There are three pools of them:

- the **prompt** pool: posts of endpoints that nothing is known against, in their first second. Endpoints that never
  took anything yet have half of it at the most.
- the **suspects'** pool, an eighth as large: endpoints whose last posts failed or took long, and new endpoints of an
  organization at a host where that organization's posts fail. They keep their slots until they answer.
- the **late** pool, as large as the prompt one: posts that have taken more than a second already. When it is full, the
  longest post of the organization with most of them is cut off: it counts as unanswered and is tried again.

So whatever any number of organizations' endpoints do, a slot of the prompt pool is free again within a second. Of all
its posts together an organization has a quarter of the pool at the most, half of that at one host; all organizations
together have half of the prompt pool at one host.

Used on the event loop; ``room`` and ``refuses`` may be asked from another thread, as estimates.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar
from urllib.parse import urlsplit

K = TypeVar("K")

GRACE = 1.0
"""Seconds after which a post is late."""

PER_WEBHOOK = 8
"""Posts to one webhook at a time; one to a slow webhook."""

_SUSPECTED = 600.0
_REMEMBERED = 10_000


class Standing(Enum):
    """What is known of an endpoint."""

    PROVEN = "proven"
    NEW = "new"
    SUSPECT = "suspect"


@dataclass(eq=False, slots=True)
class Slot:
    """One post at a time, held by a lane. ``post``: the one under way; ``late``: it took more than ``GRACE`` seconds;
    ``cut``: it was cut off for others."""

    lane: str
    organization: str
    host: str
    webhook: str
    standing: Standing
    late: bool = False
    cut: bool = False
    post: asyncio.Task[object] | None = field(default=None, repr=False)


class Slots:
    """``total``: the size of the prompt pool."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._suspects = max(2, total // 8)
        self._share = max(4, total // 4)
        self._pools: Counter[Standing] = Counter()
        self._late: dict[Slot, None] = {}
        self._organizations: Counter[str] = Counter()
        self._suspects_of: Counter[str] = Counter()
        self._hosts: Counter[str] = Counter()
        self._hosts_of: Counter[tuple[str, str]] = Counter()
        self._webhooks: Counter[str] = Counter()
        self._slow: OrderedDict[tuple[str, ...], float] = OrderedDict()

    @property
    def most(self) -> int:
        """All slots of all pools."""
        return 2 * self._total + self._suspects

    def standing(
        self, organization: str, host: str, webhook: str, *, failing: bool, succeeded: bool
    ) -> Standing:
        """What is known of a webhook's endpoint; ``failing`` and ``succeeded`` as its row says."""
        if failing or self._is_slow(webhook):
            return Standing.SUSPECT
        if succeeded:
            return Standing.PROVEN
        return Standing.SUSPECT if self._is_slow(organization, host) else Standing.NEW

    def suspect(self, organization: str, host: str, webhook: str) -> None:
        """Note that a post failed without an answer, or took long."""
        for key in ((webhook,), (organization, host)):
            self._slow[key] = time.monotonic() + _SUSPECTED
            self._slow.move_to_end(key)
        while len(self._slow) > _REMEMBERED:
            self._slow.popitem(last=False)

    def clear(self, organization: str, host: str, webhook: str) -> None:
        """Note that an endpoint took a post in time."""
        self._slow.pop((webhook,), None)
        self._slow.pop((organization, host), None)

    def _is_slow(self, *key: str) -> bool:
        return self._slow.get(key, 0.0) > time.monotonic()

    def held(self, organization: str) -> int:
        """The slots of an organization."""
        return self._organizations[organization]

    def room(self, organization: str) -> int:
        """How many more slots an organization may have."""
        return self._share - self._organizations[organization]

    def full_webhooks(self) -> list[str]:
        """The webhooks that have all the slots they may have."""
        return [hook for hook, held in list(self._webhooks.items()) if held >= self._width(hook)]

    def _width(self, webhook: str) -> int:
        return 1 if self._is_slow(webhook) else PER_WEBHOOK

    def refuses(self, slot: Slot) -> bool:
        """Whether there is no place for a slot now."""
        if self._organizations[slot.organization] >= self._share:
            return True
        if self._hosts_of[slot.organization, slot.host] >= self._share // 2:
            return True
        if self._webhooks[slot.webhook] >= self._width(slot.webhook):
            return True
        if slot.standing is Standing.SUSPECT:
            mine = self._suspects_of[slot.organization]
            return self._pools[Standing.SUSPECT] >= self._suspects or mine >= max(1, self._suspects // 4)
        half = max(1, self._total // 2)
        if self._hosts[slot.host] >= half:
            return True
        if slot.standing is Standing.NEW and self._pools[Standing.NEW] >= half:
            return True
        return self._pools[Standing.NEW] + self._pools[Standing.PROVEN] >= self._total

    def take(self, slot: Slot) -> None:
        """Count a slot that is not refused."""
        self._organizations[slot.organization] += 1
        self._hosts_of[slot.organization, slot.host] += 1
        self._webhooks[slot.webhook] += 1
        self._pools[slot.standing] += 1
        if slot.standing is Standing.SUSPECT:
            self._suspects_of[slot.organization] += 1
        else:
            self._hosts[slot.host] += 1

    def delay(self, slot: Slot) -> None:
        """Move a slot of the prompt pool, whose post took ``GRACE`` seconds, to the late ones; cut one off if they are
        too many."""
        if slot.standing is Standing.SUSPECT or slot.late:
            return
        slot.late = True
        self._pools[slot.standing] -= 1
        _less(self._hosts, slot.host)
        self._late[slot] = None
        if len(self._late) > self._total:
            held = Counter(one.organization for one in self._late)
            longest = max(
                self._late, key=lambda one: held[one.organization]
            )  # of equals the first, the oldest
            longest.cut = True
            self._late.pop(longest)
            if longest.post is not None:
                longest.post.cancel()

    def give_back(self, slot: Slot) -> None:
        """Free a slot that was taken."""
        _less(self._organizations, slot.organization)
        _less(self._hosts_of, (slot.organization, slot.host))
        _less(self._webhooks, slot.webhook)
        if slot.standing is Standing.SUSPECT:
            self._pools[Standing.SUSPECT] -= 1
            _less(self._suspects_of, slot.organization)
        elif slot.late:
            self._late.pop(slot, None)
        else:
            self._pools[slot.standing] -= 1
            _less(self._hosts, slot.host)


def host_of(url: str) -> str:
    """The host of a webhook's URL; empty for none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _less(counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
