"""``Idempotency-Key`` of a POST (contract, "Idempotency"): the work is done once in 24 hours, and every repeat gets
the same answer.

A key is scoped to an API key and an operation. The body is not compared: the same key with another body gets the first
answer. Of concurrent repeats one runs and the others wait. Only successes are stored: after a refusal (402, 422, 429 …)
the client may correct the cause and repeat with the same key. Stored answers are encrypted, because those of
``POST /api_keys`` and ``POST /webhooks`` contain secrets. ``POST /register`` ignores the header: it has no API key to
scope it to, and a stranger who guesses the header must not see a new key.

A send completes its claim in its own transaction (``completion``), so it is done exactly once, even across a crash. For
other operations the answer is stored after the work; after a crash in between, a repeat does the work again. Objects
with a unique name are made with ``own_id``, so the repeat finds the first object and is not refused as "taken". After
such a crash an API key or a webhook test may remain whose answer no client received.
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
"""Returns status and JSON text of a send's answer."""


async def once(endpoint: Endpoint, call: Call[Any, Any], run: Callable[[], Awaitable[Response]]) -> Response:
    """Run a call, or return the stored answer of its key (see ``Dialect.around``)."""
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
    """Take over the call's claim, for a send that completes it in its own transaction; None without a key.

    ``render`` makes the stored answer; answer the call with the same.
    """
    claim, call.claim = call.claim, None
    if claim is None:
        return None

    def sealed(sent: Sent) -> tuple[int, str]:
        status, body = render(sent)
        return status, seal(call.core.secret, body)

    return Completion(claim, sealed)


def own_id(call: Call[Any, Any]) -> str | None:
    """The ``client_id`` for the object that this call makes, the same in each repeat; None without a key."""
    if call.claim is None:
        return None
    return f"repeat-{call.claim.work}"


def _realm(endpoint: Endpoint, call: Call[Any, Any]) -> str:
    return f"mailboxkit/{call.scope.key_id}{endpoint.path}"


def _key(call: Call[Any, Any]) -> str:
    """A digest of the key, which may be any text; empty without a key."""
    given = call.request.headers.get("idempotency-key", "").strip()
    return hashlib.sha256(given.encode()).hexdigest() if given else ""


async def _keep(call: Call[Any, Any], response: Response) -> None:
    claim = call.claim
    assert claim is not None
    body = seal(call.core.secret, bytes(response.body).decode())
    try:
        await call.core.store.write(lambda tx: idempotency.complete(tx, claim, response.status_code, body))
    except Conflict:  # the work took so long that a repeat has taken over
        return


def _replayed(call: Call[Any, Any], before: Replay) -> Response:
    try:
        body = unseal(call.core.secret, before.body)
    except Unreadable:
        raise Conflict(
            "the stored answer of this Idempotency-Key cannot be decrypted: the gateway has a new secret",
            field="Idempotency-Key",
            fix="use a new key",
        ) from None
    return Response(
        body or None,
        before.status,
        {"X-Idempotent-Replayed": "true", "Cache-Control": "no-store"},
        "application/json" if body else None,
    )
