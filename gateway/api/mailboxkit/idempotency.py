"""Repeats of a POST with its ``Idempotency-Key`` (contract, "Idempotency"): done once in 24 hours, answered each time.

A key belongs to the API key that sent it and to one operation; nothing of the body is compared, so the same key
with another body is answered as before. Of repeats at the same time one runs and the others wait. Only what succeeded
is kept: whoever was refused (402, 422, 429 …) may correct the cause and repeat with the same key. Kept answers are
sealed, for that of ``POST /api_keys`` and of ``POST /webhooks`` holds a secret. ``POST /register`` has no API key yet
that a repeat could be told by, so it ignores the header: by address and header alone a stranger might be shown a
fresh key.

A send completes its claim in its own transaction (``completion``), so it is done exactly once, crash or no crash. For
the rest the answer is kept right after the work; after a crash in between, the repeat does the work again. What has
a name that can be taken is made with ``own_id``, by which the repeat finds what was made before, so that it is not
refused as "taken". A repeat may thus leave behind an API key, or a webhook's test, that nobody saw the answer of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from gateway.api.routing import Call, Endpoint
from gateway.core import idempotency
from gateway.core.errors import Conflict
from gateway.core.idempotency import Completion, Replay
from gateway.core.sealed import Unreadable, seal, unseal
from gateway.core.sent import Sent

Render = Callable[[Sent], tuple[int, str]]
"""Status and JSON text of a send's answer."""


async def once(endpoint: Endpoint, call: Call[Any, Any], run: Callable[[], Awaitable[Response]]) -> Response:
    """Run a call, or answer as its key was answered before: ``Dialect.around``."""
    realm, key = _realm(endpoint, call), _key(call)
    if endpoint.method != "POST" or endpoint.access.open or not key:
        return await run()
    begun = await idempotency.begin(call.core, realm, key, fingerprint="")
    if isinstance(begun, Replay):
        return _replayed(call, begun)
    call.claim = begun
    try:
        response = await run()
        if response.status_code >= 300:
            await idempotency.abandon(call.core, begun)
        elif call.claim is not None:
            await _keep(call, response)
        return response
    except BaseException:
        await idempotency.abandon(call.core, begun)
        raise


def completion(call: Call[Any, Any], render: Render) -> Completion | None:
    """What a send completes the call's claim with, in its own transaction; None when there is no key.

    ``render`` makes the answer that is kept; answer the call with the same.
    """
    claim, call.claim = call.claim, None
    if claim is None:
        return None

    def sealed(sent: Sent) -> tuple[int, str]:
        status, body = render(sent)
        return status, seal(call.core.secret, body)

    return Completion(claim, sealed)


def own_id(call: Call[Any, Any]) -> str | None:
    """The ``client_id`` for what this call makes, the same in each repeat; None without a key."""
    if call.claim is None:
        return None
    return f"repeat-{call.claim.work}"


def _realm(endpoint: Endpoint, call: Call[Any, Any]) -> str:
    return f"mailboxkit/{call.scope.key_id}{endpoint.path}"


def _key(call: Call[Any, Any]) -> str:
    """A digest of the key, for any text will do as one; empty when there is none."""
    given = call.request.headers.get("idempotency-key", "").strip()
    return hashlib.sha256(given.encode()).hexdigest() if given else ""


async def _keep(call: Call[Any, Any], response: Response) -> None:
    claim = call.claim
    assert claim is not None
    body = seal(call.core.secret, bytes(response.body).decode())
    try:
        await call.core.store.write(lambda tx: idempotency.complete(tx, claim, response.status_code, body))
    except Conflict:  # it took so long that a repeat has taken over; what was done was done
        return


def _replayed(call: Call[Any, Any], before: Replay) -> Response:
    try:
        body = unseal(call.core.secret, before.body)
    except Unreadable:
        raise Conflict(
            "the answer kept for this Idempotency-Key can be read no more: the gateway has a new secret",
            field="Idempotency-Key",
            fix="use a new key",
        ) from None
    return Response(
        body or None,
        before.status,
        {"X-Idempotent-Replayed": "true", "Cache-Control": "no-store"},
        "application/json" if body else None,
    )
