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
from gateway.records.idempotency import KeyedRequest
from gateway.records.ids import derived_ulid, now_us
from gateway.store.leases import living_processes
from gateway.store.queries.idempotency import (
    add_claim,
    complete_claim,
    drop_claim,
    keyed_request,
    remove_keyed_request,
    retake_claim,
)
from gateway.store.transaction import Tx

T = TypeVar("T")

_KEY = re.compile(r"[A-Za-z0-9._~-]{1,256}\Z")
EXPIRY_US = 86_400_000_000
_STALE_US = 60_000_000
_WAIT_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.25


@dataclass(frozen=True, slots=True)
class Replay:
    """The request was answered before: with this status and body."""

    status: int
    body: str


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Claim:
    """This caller runs the request. ``complete`` or ``abandon`` it; who drops it gives it up.

    ``work``: a ULID, the same for whoever retakes the claim after a crash; its random part is a digest of realm and
    key, the same also in a database that was restored from before the claim (``core.sending.sent_before``).
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
    attempt = partial(_begin, core=core, realm=realm, key=key, fingerprint=fingerprint)
    outcome = await _take(core, attempt)
    while outcome is None:
        if loop.time() >= deadline:
            raise Unavailable(
                "the same request is still being worked on",
                retry_after=5,
                fix="repeat it with the same Idempotency-Key",
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
        if await core.store.read(partial(_settled, core=core, realm=realm, key=key)):
            outcome = await _take(core, attempt)
    return outcome


async def _take(core: Core, attempt: Callable[..., Replay | Claim | None]) -> Replay | Claim | None:
    made: list[Claim] = []
    try:
        return await core.store.write(partial(attempt, made=made))
    except BaseException:  # whether it was committed or not, nobody works on it
        for claim in made:
            _forget(core, claim)
        raise


def complete(tx: Tx, claim: Claim, status: int, body: str) -> None:
    """Store the answer, in the transaction of what was done. Raises Conflict when the claim was lost."""
    if not complete_claim(tx, claim.id, claim.taken_at, status, body):
        raise Conflict("another request with this Idempotency-Key took over", fix="repeat the request")


async def abandon(core: Core, claim: Claim) -> None:
    """The request failed: the key is free again, for this process also when the database cannot be reached."""
    _forget(core, claim)
    await core.store.write(lambda tx: drop_claim(tx, claim.id, claim.taken_at))


def _begin(
    tx: Tx, core: Core, realm: str, key: str, fingerprint: str, made: list[Claim]
) -> Replay | Claim | None:
    now = now_us()
    request = keyed_request(tx, realm, key)
    if request is not None and request.created_at < now - EXPIRY_US:
        remove_keyed_request(tx, request)
        request = None
    process = core.leases.process
    if request is None:
        work = derived_ulid(now, "idempotency", realm, key)
        added = add_claim(tx, realm, key, fingerprint=fingerprint, work=work, process=process, at=now)
        if added is None:
            return None  # another process was faster
        return _claimed(core, Claim(added, now, work), made)
    if request.fingerprint != fingerprint:
        raise Conflict(
            "this Idempotency-Key was used for a different request",
            field="Idempotency-Key",
            fix="use a new key for a new request; a key is kept for 24 hours",
            code="idempotency_key_reused",
        )
    if request.answer is not None:
        return Replay(*request.answer)
    # whoever ran it is gone, and had it been done the row would say so
    if _abandoned(tx, request, core) and retake_claim(tx, request, process, now):
        return _claimed(core, Claim(request.id, now, request.work), made)
    return None


def _claimed(core: Core, claim: Claim, made: list[Claim]) -> Claim:
    """Known as worked on here for as long as somebody has it; from before the commit, so that no repeat takes it for
    abandoned."""
    core.claims[claim.work, claim.taken_at] = claim
    made.append(claim)
    return claim


def _forget(core: Core, claim: Claim) -> None:
    core.claims.pop((claim.work, claim.taken_at), None)


def _abandoned(tx: Tx, request: KeyedRequest, core: Core) -> bool:
    """Whether nobody works on a running claim any more."""
    now = now_us()
    if (
        not now - _STALE_US < request.created_at < now + _STALE_US
    ):  # of the future: the clock was set back since
        return True
    if core.leases.alone or request.claimed_by == core.leases.process:
        return (request.work, request.created_at) not in core.claims
    return request.claimed_by not in {process.id for process in living_processes(tx)}


def _settled(tx: Tx, core: Core, realm: str, key: str) -> bool:
    """Whether another attempt at the claim is worth a transaction: done, gone, or abandoned."""
    request = keyed_request(tx, realm, key)
    return request is None or request.state == "done" or _abandoned(tx, request, core)
