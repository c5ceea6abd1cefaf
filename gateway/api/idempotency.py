"""Runs a send once for its Idempotency-Key; a repeat gets the first answer again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from gateway.api.errors import allowance_headers
from gateway.api.routing import Call
from gateway.core import idempotency
from gateway.core.idempotency import Completion, Replay
from gateway.core.sent import Sent

Render = Callable[[Sent], tuple[int, str]]
"""Returns status and JSON text of the answer."""

Run = Callable[[Completion | None], Awaitable[Sent]]


async def send_once(
    call: Call[Any, Any], realm: str, key: str | None, fingerprint: str, render: Render, run: Run
) -> Response:
    """Run a send under ``key``, or return the answer it had before. Without a key, run it.

    ``realm``: the namespace of the key. ``fingerprint``: a digest of the request. A send that fails frees the key.
    Raises what ``idempotency.begin`` and ``run`` raise.
    """
    if call.scope.test:
        realm = f"{realm}/test"  # a send in the sandbox does not count as a real one
    claim = None
    if key is not None:
        begun = await idempotency.begin(call.core, realm, key, fingerprint)
        if isinstance(begun, Replay):
            return Response(begun.body, begun.status, media_type="application/json")
        claim = begun
    try:
        sent = await run(Completion(claim, render) if claim else None)
    except BaseException:
        if claim is not None:
            await idempotency.abandon(call.core, claim)
        raise
    call.headers.update(allowance_headers(sent.allowance))
    status, body = render(sent)
    return Response(body, status, media_type="application/json")
