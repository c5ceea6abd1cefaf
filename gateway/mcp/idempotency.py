"""``idempotency_key`` of a send: it is done once in 24 hours, and every repeat gets the same answer.

A key is scoped to the API key and the tool. The same key with other arguments is refused: a model that uses one key for
two emails must not believe that both were sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from gateway.core import idempotency
from gateway.core.errors import Conflict
from gateway.core.idempotency import Completion, Replay
from gateway.core.sealed import Unreadable, seal, unseal
from gateway.core.sent import Sent
from gateway.mcp.toolbox import Answer, Call, Result
from gateway.store.json_columns import dump, load

R = TypeVar("R", bound=Result)


def digest(key: str) -> str:
    """A digest of a key, which may be any text."""
    return hashlib.sha256(key.strip().encode("utf-8", "replace")).hexdigest()


async def send_once(
    call: Call[Any],
    key: str | None,
    inbox_id: str,
    render: Callable[[Sent], Answer[R]],
    run: Callable[[Completion | None], Awaitable[Sent]],
) -> Answer[R]:
    """Run a send under ``key``, or return the answer it had before. Without a key, run it.

    A send that fails frees the key. Raises Conflict for a key of another call, and what ``run`` raises.
    """
    if not key or not key.strip():
        return render(await run(None))
    realm = f"mcp/{call.scope.key_id}/{call.tool}"
    asked = msgspec.json.encode([inbox_id, msgspec.structs.replace(call.args, idempotency_key=None)])
    try:
        begun = await idempotency.begin(call.core, realm, digest(key), hashlib.sha256(asked).hexdigest())
    except Conflict as error:
        error.message = "this idempotency_key was used for an email with other arguments, which was sent"
        error.field = "idempotency_key"
        error.fix = "if this is another email, call again with a new idempotency_key"
        raise
    if isinstance(begun, Replay):
        stored = _stored(call, begun)
        done = "is held already, and is" if "review_id" in stored["data"] else "was sent before and was"
        text = f"This email {done} not sent again. {stored['text']}"
        return Answer(text, {**stored["data"], "replayed": True})

    def keep(sent: Sent) -> tuple[int, str]:
        answer = render(sent)
        return 200, seal(call.core.secret, dump({"text": answer.text, "data": answer.json}))

    try:
        sent = await run(Completion(begun, keep))
    except BaseException:
        await idempotency.abandon(call.core, begun)
        raise
    return render(sent)


def _stored(call: Call[Any], before: Replay) -> Any:
    """The stored answer, which is encrypted because it names people. Raises Conflict."""
    try:
        return load(unseal(call.core.secret, before.body))
    except Unreadable:
        raise Conflict(
            "the stored answer of this idempotency_key cannot be decrypted, but the email was sent",
            field="idempotency_key",
            fix="do not send it again; check_inbox with include_sent shows it",
        ) from None
