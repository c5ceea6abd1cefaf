"""API keys as they come with a request: recognised, counted, remembered for a second.

A key is found by its SHA-256 (256 bits of entropy need no slow hash). What was found is remembered for
``REMEMBER`` seconds, so that a busy key costs no query; every removal in this process empties the memory at
once, and those of other servers within milliseconds; the command line's is seen within that second.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from gateway.core.buckets import Buckets, Days
from gateway.records.accounts import ApiKey
from gateway.records.ids import KeyId, now_us
from gateway.store.engine import Store, StoreDown
from gateway.store.queries.keys import change_key, unscoped_key_with_hash, unscoped_keys_with_hashes
from gateway.store.scope import Scope
from gateway.store.wakeups import LocalWakeups, Wakeups
from mailserver.guessing import Guesses

log = logging.getLogger("postern.keys")

REMEMBER = 1.0
MAX_REMEMBERED = 10_000
USED_EVERY_US = 60_000_000
MAX_KEY = 512
_ASKED = 500  # hashes in one question: SQLite's bound on parameters is not far
WRONG_FREE, WRONG_LONGEST = 1000, 5.0
"""Of one network: wrong keys in some ten minutes that are answered at once, and seconds that later ones wait. A key has
256 random bits: what is slowed down here is the noise."""


@dataclass(frozen=True, slots=True)
class _Known:
    scope: Scope
    hash: str
    expires_at: int | None
    until: float


def hash_of(key: str) -> str:
    """The hex SHA-256 of a whole key."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


class KeyRing:
    """Recognises keys. One for each running gateway; used on the event loop only."""

    def __init__(self, wakeups: Wakeups | None = None) -> None:
        self._wakeups: Wakeups = wakeups or LocalWakeups()
        self._wakeups.subscribe("keys", lambda text: self._forget_here())
        self._known: dict[str, _Known] = {}
        self._generation = 0
        self._used: dict[str, int] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        self.wrong = Guesses(free=WRONG_FREE, longest=WRONG_LONGEST)
        self.requests = Buckets()
        self.requests_today = Days()

    async def identify(self, store: Store, key: str) -> Scope | None:
        """The reach of a key; None for an unknown, revoked or expired one. Raises StoreDown."""
        if not key or len(key) > MAX_KEY:
            return None
        digest = hash_of(key)
        known = self._known.get(digest)
        if known is None or known.until < time.monotonic():
            generation = self._generation
            found = await store.quick_read(lambda tx: unscoped_key_with_hash(tx, digest))
            if found is None:
                self._known.pop(digest, None)
                return None
            known = _Known(_scope(found), found.hash, found.expires_at, time.monotonic() + REMEMBER)
            # a removal that happened while we were reading must not be undone by remembering
            if generation == self._generation:
                if len(self._known) >= MAX_REMEMBERED:
                    self._known.clear()
                self._known[digest] = known
        if not hmac.compare_digest(known.hash, digest):
            return None
        if known.expires_at is not None and known.expires_at <= now_us():
            return None
        self._note_use(store, known.scope.key_id)
        return known.scope

    async def scopes_of(self, store: Store, digests: Collection[str]) -> dict[str, Scope]:
        """The reach of each key in force among these, by its ``hash_of``: as it is now, and not counted as a use.

        Raises StoreDown.
        """
        asked, found = sorted(digests), list[ApiKey]()
        for start in range(0, len(asked), _ASKED):
            portion = asked[start : start + _ASKED]
            found += await store.quick_read(partial(unscoped_keys_with_hashes, digests=portion))
        now = now_us()
        return {key.hash: _scope(key) for key in found if key.expires_at is None or key.expires_at > now}

    def forget(self) -> None:
        """Keys were removed or changed: believe nothing that is remembered, in any process."""
        self._forget_here()
        self._wakeups.notify("keys")

    def _forget_here(self) -> None:
        self._generation += 1
        self._known.clear()

    def used_at(self, key_id: KeyId) -> int | None:
        """When the key was last used, as far as this process knows (µs)."""
        return self._used.get(key_id)

    async def settle(self) -> None:
        """Wait for the writes of ``used_at`` that are under way."""
        while self._jobs:
            await asyncio.gather(*self._jobs)

    def _note_use(self, store: Store, key_id: KeyId | None) -> None:
        if key_id is None:
            return
        at = now_us()
        last = self._used.get(key_id)
        if last is not None and at - last < USED_EVERY_US:
            return
        if len(self._used) >= MAX_REMEMBERED:
            self._used.clear()
        self._used[key_id] = at
        job = asyncio.create_task(_write_use(store, key_id, at), name="key-used")
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)


async def _write_use(store: Store, key_id: KeyId, at: int) -> None:
    try:
        await store.write(lambda tx: change_key(tx, key_id, used_at=at))
    except StoreDown as error:
        log.warning("cannot note the use of a key: %s", error)


def _scope(key: ApiKey) -> Scope:
    granted = key.permissions
    return Scope(
        organization=key.organization_id,
        pod=key.pod_id,
        inbox=key.inbox_id,
        permissions=None if granted is None else frozenset(granted),
        test=key.test,
        key_id=key.id,
        operator=key.operator,
    )
