"""Idempotency keys: the same request twice is done once, and answered twice.

A claim is a row in state ``running``; it becomes ``done``, with the answer, inside the transaction of what the
request did. So ``running`` always means "not done", and a claim left behind by a crash may simply be retaken.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from gateway.core.context import Core
from gateway.core.errors import Conflict, Invalid, Unavailable
from gateway.core.sent import Sent
from gateway.store.engine import Row, Tx
from gateway.store.ids import new_ulid, now_us
from gateway.store.leases import Leases, living_processes

T = TypeVar("T")

_KEY = re.compile(r"[A-Za-z0-9._~-]{1,256}\Z")
EXPIRY_US = 86_400_000_000
_STALE_US = 60_000_000
_WAIT_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.25
_STARTED_US = now_us()  # a claim older than this process is nobody's, where one process owns the database


@dataclass(frozen=True, slots=True)
class Replay:
    """The request was answered before: with this status and body."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Claim:
    """This caller runs the request. ``complete`` or ``abandon`` it.

    ``work``: a ULID, the same for whoever retakes the claim after a crash.
    """

    id: int
    taken_at: int
    work: str


@dataclass(frozen=True, slots=True)
class Completion:
    """How a send completes a claim in its own transaction: ``render`` makes (status, body) of what was sent."""

    claim: Claim
    render: Callable[[Sent], tuple[int, str]]


def check_key(key: str) -> str:
    """The key as given. Raises Invalid."""
    if not _KEY.match(key):
        raise Invalid(
            "Idempotency-Key must be 1 to 256 characters of A-Z a-z 0-9 - . _ ~",
            field="Idempotency-Key",
            fix="use a fresh UUID for each request",
        )
    return key


async def begin(core: Core, realm: str, key: str, fingerprint: str) -> Replay | Claim:
    """Claim ``key`` in ``realm`` (an organization or key id), or answer what it was answered before.

    ``fingerprint`` digests the request. While another caller runs the same request this waits for its answer.
    Raises Invalid (syntax), Conflict (the key was used for another request), Unavailable (still running).
    """
    check_key(key)
    pause = _FIRST_PAUSE
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _WAIT_SECONDS
    attempt = partial(_begin, realm=realm, key=key, fingerprint=fingerprint, leases=core.leases)
    outcome = await core.store.write(attempt)
    while outcome is None:
        if loop.time() >= deadline:
            raise Unavailable(
                "the same request is still being worked on",
                retry_after=5,
                fix="repeat it with the same Idempotency-Key",
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
        if await core.store.read(partial(_settled, realm=realm, key=key, leases=core.leases)):
            outcome = await core.store.write(attempt)
    return outcome


def complete(tx: Tx, claim: Claim, status: int, body: str) -> None:
    """Store the answer, in the transaction of what was done. Raises Conflict when the claim was lost."""
    done = tx.run(
        "UPDATE idempotency SET state = 'done', status = ?, body = ? "
        "WHERE id = ? AND state = 'running' AND created_at = ?",
        status,
        body,
        claim.id,
        claim.taken_at,
    )
    if not done:
        raise Conflict("another request with this Idempotency-Key took over", fix="repeat the request")


async def abandon(core: Core, claim: Claim) -> None:
    """The request failed: the key is free again."""
    await core.store.write(
        lambda tx: tx.run(
            "DELETE FROM idempotency WHERE id = ? AND state = 'running' AND created_at = ?",
            claim.id,
            claim.taken_at,
        )
    )


def _begin(tx: Tx, realm: str, key: str, fingerprint: str, leases: Leases) -> Replay | Claim | None:
    now = now_us()
    row = tx.row(
        "SELECT * FROM idempotency WHERE realm = ? AND key = ?",
        realm,
        key,
    )
    if row is not None and row["created_at"] < now - EXPIRY_US:
        tx.run("DELETE FROM idempotency WHERE id = ?", row["id"])
        row = None
    if row is None:
        added = tx.insert(
            "idempotency",
            {
                "realm": realm,
                "key": key,
                "fingerprint": fingerprint,
                "state": "running",
                "work": (work := new_ulid()),
                "claimed_by": leases.process,
                "created_at": now,
            },
            ignore=True,
        )
        if not added:
            return None  # another process was faster
        made = tx.value("SELECT id FROM idempotency WHERE realm = ? AND key = ?", realm, key)
        return Claim(int(made), now, work)
    if row["fingerprint"] != fingerprint:
        raise Conflict(
            "this Idempotency-Key was used for a different request",
            field="Idempotency-Key",
            fix="use a new key for a new request; a key is kept for 24 hours",
            code="idempotency_key_reused",
        )
    if row["state"] == "done":
        return Replay(int(row["status"]), row["body"])
    if not _abandoned(tx, row, leases):
        return None
    taken = row["created_at"]
    # whoever ran it is gone, and had it been done the row would say so
    retaken = tx.run(
        "UPDATE idempotency SET created_at = ?, claimed_by = ? "
        "WHERE id = ? AND state = 'running' AND created_at = ?",
        now,
        leases.process,
        row["id"],
        taken,
    )
    return Claim(int(row["id"]), now, row["work"]) if retaken else None


def _abandoned(tx: Tx, row: Row, leases: Leases) -> bool:
    """Whether nobody works on a running claim any more."""
    if row["created_at"] < now_us() - _STALE_US:
        return True
    if leases.alone:
        return bool(row["created_at"] < _STARTED_US)
    return row["claimed_by"] not in {one["id"] for one in living_processes(tx)}


def _settled(tx: Tx, realm: str, key: str, leases: Leases) -> bool:
    """Whether a look inside a transaction may bring news: done, gone, or abandoned."""
    row = tx.row("SELECT * FROM idempotency WHERE realm = ? AND key = ?", realm, key)
    return row is None or row["state"] == "done" or _abandoned(tx, row, leases)
