"""Slows down password guessing: counts failed logins by network and by account, in limited memory.

The answer to a login is delayed, never refused because of the counts, so nobody can lock an account's owner out:

* a network (an IPv4 address, or the /64 of an IPv6 one, which is one customer's) waits longer with each failure;
* an account that many networks try waits a few seconds for whoever comes from a network it is not known from;
* an account that has logged in from a network before waits only for what it failed itself from there.

Beyond a few, logins in progress count like failures, so parallel attempts are no faster. Counts halve every ten
minutes, and start anew when the gateway does.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass, field

from mailserver.networks import client_of

FREE, FREE_ACCOUNT, FREE_AT_ONCE = 3, 10, 8
LONGEST, LONGEST_ACCOUNT = 15.0, 5.0
"""Seconds; a mail program waits at least 30 for its login's answer."""
HALF_LIFE = 600.0
LASTS = 30.0
"""Seconds that a login can be under way."""
MAX_UNDER_WAY = 64
MAX_KEPT = 5_000
"""Of networks, of accounts and of pairs each; the one that was quiet longest goes first."""


@dataclass(slots=True)
class _Count:
    failed: float = 0.0
    at: float = 0.0
    known: bool = False  # of a pair: it has logged in
    begun: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_UNDER_WAY))

    def under_way(self, now: float) -> int:
        """How many are tried right now. Of one whose client hung up nobody hears the end: it counts no longer than it
        could last."""
        while self.begun and now - self.begun[0] > LASTS:
            self.begun.popleft()
        return len(self.begun)

    def failures(self, now: float) -> float:
        return self.failed * math.exp2((self.at - now) / HALF_LIFE)

    def add(self, now: float) -> None:
        self.failed, self.at = self.failures(now) + 1, now


class Guesses:
    """Used on the event loop only. ``exempt``: addresses and accounts that never wait, the gateway's own. ``free``:
    failures of a network before anything waits; ``longest``: seconds that it waits at the most."""

    def __init__(self, exempt: Collection[str] = (), *, free: int = FREE, longest: float = LONGEST) -> None:
        self._exempt = frozenset(exempt)
        self._free, self._longest = free, longest
        self._all = _Count(begun=deque())
        self._kept: OrderedDict[tuple[str, str], _Count] = OrderedDict()

    def begin(self, address: str, account: str, now: float | None = None) -> float:
        """A login is tried; answers how many seconds its answer has to wait. ``end`` follows, if it can."""
        if address in self._exempt or account in self._exempt:
            return 0.0
        now = time.monotonic() if now is None else now
        counts = [self._count(key) for key in _keys(address, account)]
        for one in counts:
            one.begun.append(now)
        self._all.under_way(now)  # forgets the old ones
        self._all.begun.append(now)
        return self._wait(*counts, now=now)

    def end(self, address: str, account: str, success: bool, now: float | None = None) -> None:
        """How a login went."""
        if address in self._exempt or account in self._exempt:
            return
        now = time.monotonic() if now is None else now
        counts = [self._count(key) for key in _keys(address, account)]
        for one in (*counts, self._all):
            if one.begun:
                one.begun.popleft()
        for one in counts:
            if not success:
                one.add(now)
        if success:
            counts[2].known = True
            counts[2].failed = 0.0

    def under_way(self, now: float | None = None) -> int:
        """How many are tried right now, of all."""
        return self._all.under_way(time.monotonic() if now is None else now)

    def _wait(self, network: _Count, account: _Count, pair: _Count, *, now: float) -> float:
        if pair.known:
            return _growing(pair, self._free, self._longest, now)
        return max(
            _growing(network, self._free, self._longest, now),
            _growing(account, max(FREE_ACCOUNT, self._free), LONGEST_ACCOUNT, now),
        )

    def __len__(self) -> int:
        return len(self._kept)

    def _count(self, key: tuple[str, str]) -> _Count:
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = _Count()
            if len(self._kept) > 3 * MAX_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return found


def _keys(address: str, account: str) -> tuple[tuple[str, str], ...]:
    network, account = client_of(address), account.strip().lower()[:320]
    return (network, ""), ("", account), (network, account)


def _growing(count: _Count, free: int, longest: float, now: float) -> float:
    """Nothing for the first ``free``, then a second, and twice as long with each more."""
    weight: float = count.failures(now) + max(0, count.under_way(now) - FREE_AT_ONCE)
    return 0.0 if weight < free else min(longest, math.exp2(min(weight - free, 10.0)))
