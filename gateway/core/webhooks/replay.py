"""Posting events to a webhook again: named ones, all since a time, those that were given up, or that of a try."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound
from gateway.core.event_reach import may_hear
from gateway.core.lookup import require
from gateway.core.webhooks.webhooks import Among, check_readable, find_webhook
from gateway.events.delivery_queue import enqueue, in_order, withdraw
from gateway.events.log import wants
from gateway.events.reach import may_carry
from gateway.records.events import EventHead
from gateway.records.ids import EVENT_ID, InboxId, number_in
from gateway.records.webhooks import AnsweringKey, Attempt, Webhook
from gateway.store.queries.deliveries import (
    BEHIND,
    attempt_of_webhook,
    deliveries_of_event,
    failed_events,
    post_again,
)
from gateway.store.queries.events import (
    event_head,
    event_heads_since,
    unscoped_event_head,
    unscoped_event_heads_at,
)
from gateway.store.queries.webhooks import has_webhook, key_of_webhook
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

_STEP = 200


async def replay(
    core: Core,
    scope: Scope,
    among: Among,
    ref: str,
    *,
    since: int | None = None,
    event_ids: Sequence[str] = (),
    failed: bool = False,
) -> int:
    """Deliver events again: the named ones, all since a time (µs), or those that failed; answers how many.

    A replayed event has the same id and body as before. A long replay is written in steps, between which others write:
    what a failure leaves undone is done by the same call again.
    """
    require(scope, "webhook_update")
    if not (event_ids or failed or since is not None):
        raise Invalid("nothing names what to replay", field="since", fix="give since, event_ids or failed")
    hook, seqs = await core.store.read(
        partial(_chosen, scope=scope, among=among, ref=ref, since=since, event_ids=event_ids, failed=failed)
    )
    count = 0
    for at in range(0, len(seqs), _STEP):
        count += await core.store.write(partial(_queue_again, hook=hook, seqs=seqs[at : at + _STEP]))
        core.events.wake()
    return count


async def resend(core: Core, scope: Scope, among: Among, ref: str, attempt: str) -> Attempt:
    """Post the event of one attempt again now, with the same id and body; answers the attempt.

    The delivery goes on: a failure counts on from its tries, and after the last one nothing follows. Raises NotFound.
    """
    require(scope, "webhook_update")

    def write(tx: Tx) -> Attempt:
        hook, key = _held(tx, scope, among, ref)
        tried = attempt_of_webhook(tx, hook.id, number_in(attempt) or 0)
        if tried is None:
            raise NotFound(
                f"there is no attempt {attempt[:100]!r} of this webhook",
                fix="GET /webhooks/{webhook_id}/attempts lists them",
            )
        event = unscoped_event_head(tx, tried.event_id)
        if event is None or not _may(scope, hook, key, event):
            raise NotFound("the event of this attempt is kept no more")
        in_order(tx, scope.organization, event.inbox_id)
        held = next(iter(deliveries_of_event(tx, event.seq, hook.id)), None)
        if held is None:
            enqueue(tx, event.seq, hook.id, hook.dialect, event.inbox_id)
        elif held.state != "pending" or held.next_at < BEHIND:  # (else its turn comes by itself)
            post_again(tx, held.id)
        return tried

    attempted = await core.store.write(write)
    core.events.wake()
    return attempted


def _chosen(
    tx: Tx,
    *,
    scope: Scope,
    among: Among,
    ref: str,
    since: int | None,
    event_ids: Sequence[str],
    failed: bool,
) -> tuple[Webhook, list[int]]:
    """The webhook and the ``seq`` of each event to replay, ascending."""
    hook, key = _held(tx, scope, among, ref)
    if not hook.enabled:
        raise Invalid("the webhook is disabled", field="webhook_id", fix="PATCH it with enabled true first")
    chosen: set[int] = set()
    if failed:
        events = failed_events(tx, hook.id, since or 0)
        chosen.update(event.seq for event in events if _may(scope, hook, key, event))
    elif since is not None:
        events = event_heads_since(tx, scope, since)
        chosen.update(event.seq for event in events if _may(scope, hook, key, event) and wants(hook, event))
    for one in event_ids:
        event = event_head(tx, scope, EVENT_ID.parse(one))
        if event is None or not _may(scope, hook, key, event):
            raise NotFound(
                f"there is no event {one[:100]!r}", field="event_ids", fix="GET /events lists them"
            )
        chosen.add(event.seq)
    return hook, sorted(chosen)


def _queue_again(tx: Tx, *, hook: Webhook, seqs: Sequence[int]) -> int:
    """Queue events of the webhook's organization for it, behind what waits; those deleted meanwhile are left out."""
    if not has_webhook(tx, hook.id):
        return 0
    events = unscoped_event_heads_at(tx, seqs)
    for inbox_id in sorted({event.inbox_id or InboxId("") for event in events}):
        in_order(tx, hook.organization_id, inbox_id)
    for event in events:
        withdraw(tx, event.seq, hook.id)
        enqueue(tx, event.seq, hook.id, hook.dialect, event.inbox_id)
    return len(events)


def _may(scope: Scope, hook: Webhook, key: AnsweringKey | None, event: EventHead) -> bool:
    """Whether the webhook may carry an event, and the key that asks may read it."""
    return may_carry(hook, key, event) and may_hear(scope, event)


def _held(tx: Tx, scope: Scope, among: Among, ref: str) -> tuple[Webhook, AnsweringKey | None]:
    """The webhook, and the key that answers for it. Raises NotFound, Forbidden."""
    hook = find_webhook(tx, scope, among, ref)
    check_readable(scope, hook.event_types)
    return hook, key_of_webhook(tx, hook)
