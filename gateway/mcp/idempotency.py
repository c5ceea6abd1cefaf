"""A send that may be repeated with its ``idempotency_key``: done once in 24 hours, answered each time.

A key belongs to the API key and the tool. The same key with other arguments is refused rather than answered with the
first call's answer: a model that uses one key for two mails must not believe that both went out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gateway.core import idempotency
from gateway.core.errors import Conflict
from gateway.core.idempotency import Completion, Replay
from gateway.core.sealed import Unreadable, seal, unseal
from gateway.core.sent import Sent
from gateway.mcp.toolbox import Answer, Call
from gateway.store.json_columns import dump, load


def digest(key: str) -> str:
    """A key as it is kept: any text will do as one."""
    return hashlib.sha256(key.strip().encode("utf-8", "replace")).hexdigest()


async def send_once(
    call: Call[Any],
    key: str | None,
    inbox_id: str,
    render: Callable[[Sent], Answer],
    run: Callable[[Completion | None], Awaitable[Sent]],
) -> Answer:
    """Run a send under ``key``, or answer as it was answered before; without a key just run it.

    What fails leaves the key free. Raises Conflict for a key of another call, and what ``run`` raises.
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
        kept = _kept(call, begun)
        text = f"This was done before, and was not done again. {kept['text']}"
        return Answer(text, {**kept["data"], "replayed": True})

    def keep(sent: Sent) -> tuple[int, str]:
        answer = render(sent)
        return 200, seal(call.core.secret, dump({"text": answer.text, "data": answer.data}))

    try:
        sent = await run(Completion(begun, keep))
    except BaseException:
        await idempotency.abandon(call.core, begun)
        raise
    return render(sent)


def _kept(call: Call[Any], before: Replay) -> Any:
    """The answer that was kept, sealed because it names people. Raises Conflict."""
    try:
        return load(unseal(call.core.secret, before.body))
    except Unreadable:
        raise Conflict(
            "the answer kept for this idempotency_key can be read no more, but the email was sent",
            field="idempotency_key",
            fix="do not send it again; check_inbox with include_sent shows it",
        ) from None
