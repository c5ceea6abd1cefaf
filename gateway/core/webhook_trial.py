"""Posting a test event to a webhook while the caller waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gateway.core.context import Core
from gateway.core.errors import WebhookFailed
from gateway.events.deliver import headers_of
from gateway.events.wire import Try, Wire
from gateway.net.errors import NetError
from gateway.store.engine import Row
from gateway.store.ids import new_ulid, now_us


@dataclass(frozen=True, slots=True)
class Taken:
    """A test that went well: what the endpoint answered, and after how many milliseconds."""

    status: int
    duration_ms: int


async def post_test(core: Core, hook: Row, wire: Wire, show: Callable[[str, Try], object]) -> Taken:
    """Post to a webhook's row once, through the same client and with the same headers as every event.

    ``show``: the body as JSON, from the test's event id (ULID) and the attempt. Raises WebhookFailed for any answer
    but 2xx (a redirect is not followed) and for none.
    """
    event_id, at = new_ulid(), now_us()
    body = msgspec.json.encode(show(event_id, Try(1, at)))
    headers = headers_of(wire, {**hook, "event_id": event_id}, body, at)
    try:
        answer = await core.fetcher.post(hook["url"], body, headers, timeout=core.settings.webhooks.timeout)
    except NetError as error:
        raise WebhookFailed(f"the test event did not reach the endpoint: {error}", fix=_FIX) from error
    if not answer.ok:
        hint = " (redirects are not followed)" if answer.status // 100 == 3 else ""
        raise WebhookFailed(
            f"the endpoint answered the test event with HTTP {answer.status}{hint}",
            fix=_FIX,
            facts={"status": answer.status},
        )
    return Taken(answer.status, int(answer.duration_ms))


_FIX = "see that the endpoint answers 2xx within 15 seconds, then test again"
