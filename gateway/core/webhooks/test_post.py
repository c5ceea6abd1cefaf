"""Posting a test event to a webhook while the caller waits: once, whatever comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from gateway.core.context import Core
from gateway.core.errors import NotFound, TooMany, WebhookFailed
from gateway.core.lookup import require
from gateway.core.webhooks.attempts import Tried, with_outcome
from gateway.core.webhooks.webhooks import Among, find_webhook
from gateway.events.deliver import body_of, headers_of
from gateway.events.delivery_outcome import outcome_facts
from gateway.events.dialect_format import Try, Wire
from gateway.net.client import Answer
from gateway.net.errors import NetError
from gateway.records.event_types import WebhookName, WebhookTestFacts
from gateway.records.events import Event
from gateway.records.ids import EVENT_ID, EventId, OrganizationId, new_ulid, now_us
from gateway.records.webhooks import Webhook
from gateway.store.queries.deliveries import add_attempt, attempt_of_event
from gateway.store.queries.events import unscoped_event
from gateway.store.queries.webhooks import has_webhook
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

TEST_EVENT = "webhook.test"
AT_ONCE = 8
"""Test posts of an organization at a time: each may hold a connection for as long as its endpoint likes."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A test that went well: what the endpoint answered, and after how many milliseconds."""

    status: int
    duration_ms: int


async def post_test(core: Core, hook: Webhook, wire: Wire, show: Callable[[EventId, Try], object]) -> Taken:
    """Post to a webhook once.

    ``show``: the body as JSON, from the test's event id (ULID) and the attempt. Raises WebhookFailed for any answer
    but 2xx (a redirect is not followed) and for none, TooMany when ``AT_ONCE`` are under way.
    """
    event_id, at = EVENT_ID.new(), now_us()
    with _under_way(core, hook.organization_id):
        answer, error = await _post(
            core, hook, wire, event_id, at, msgspec.json.encode(show(event_id, Try(1, at)))
        )
    if answer is None:
        raise WebhookFailed(f"the test event did not reach the endpoint: {error}", fix=_FIX)
    if not answer.ok:
        hint = " (redirects are not followed)" if answer.status // 100 == 3 else ""
        raise WebhookFailed(
            f"the endpoint answered the test event with HTTP {answer.status}{hint}",
            fix=_FIX,
            facts={"status": answer.status},
        )
    return Taken(answer.status, int(answer.duration_ms))


async def record_test(core: Core, scope: Scope, among: Among, ref: str, wire: Wire) -> Tried:
    """Post a ``webhook.test`` event to a webhook once and keep it as an attempt; answers that attempt with its
    event.

    Raises NotFound, Forbidden, and TooMany when ``AT_ONCE`` are under way; not for what the endpoint answers.
    """
    require(scope, "webhook_update")
    with _under_way(core, scope.organization):
        return await _record_test(core, scope, among, ref, wire)


@contextmanager
def _under_way(core: Core, organization: OrganizationId) -> Iterator[None]:
    """Count a test post while it is under way. Raises TooMany."""
    if core.trials[organization] >= AT_ONCE:
        raise TooMany(
            f"{AT_ONCE} test posts to webhooks of this organization are under way",
            5,
            fix="wait until they are answered, 15 seconds at the most",
        )
    core.trials[organization] += 1
    try:
        yield
    finally:
        core.trials[organization] -= 1
        if core.trials[organization] <= 0:
            del core.trials[organization]


async def _record_test(core: Core, scope: Scope, among: Among, ref: str, wire: Wire) -> Tried:
    at = now_us()

    def begin(tx: Tx) -> tuple[Webhook, Event]:
        hook = find_webhook(tx, scope, among, ref)
        event_id = core.events.append(
            tx,
            TEST_EVENT,
            organization_id=hook.organization_id,
            pod_id=hook.pod_id,
            subject=f"{hook.id}/{new_ulid(at)}",
            payload=WebhookTestFacts(webhook=WebhookName(id=hook.id, number=hook.number)),
            at=at,
            test=True,
        )
        event = unscoped_event(tx, event_id) if event_id is not None else None
        assert event is not None
        return hook, event

    hook, event = await core.store.write(begin)
    body = body_of(wire, event, Try(1, at))
    assert body is not None
    answer, error = await _post(core, hook, wire, event.id, at, body)

    def end(tx: Tx) -> Tried:
        if not has_webhook(tx, hook.id):
            raise NotFound("the webhook was deleted just now")
        add_attempt(
            tx,
            delivery_id=None,
            event_id=event.id,
            webhook_id=hook.id,
            number=1,
            url=hook.url,
            created_at=at,
            **outcome_facts(answer, error),
        )
        attempt = attempt_of_event(tx, event.id)
        assert attempt is not None
        return with_outcome(tx, attempt, payloads=True)

    return await core.store.write(end)


async def _post(
    core: Core, hook: Webhook, wire: Wire, event_id: EventId, at: int, body: bytes
) -> tuple[Answer | None, str | None]:
    """The endpoint's answer, or why there is none; through the same client and with the headers of every event."""
    headers = headers_of(wire, hook, event_id, body, at)
    seconds = wire.timeout or core.settings.webhooks.timeout
    try:
        return await core.fetcher.post(hook.url, body, headers, timeout=seconds), None
    except NetError as error:
        return None, f"{type(error).__name__}: {error}"


_FIX = "see that the endpoint answers 2xx within 15 seconds, then test again"
