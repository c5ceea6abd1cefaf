"""Writing down what became of an attempt: the outcome, the attempt's record and the lane's next head, in one
transaction.

A head that was refused again and again is tried together with the next of its lane, which shows whether the endpoint
refuses everything or the head alone (``probes``, ``settle_probe``). An endpoint that
took nothing since the schedule of a head began keeps that head beyond it, until the webhook is switched off: no event
is given up because its endpoint was away.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

from gateway import metrics
from gateway.events import delivery_queue
from gateway.events.dialect_format import Wire
from gateway.events.schedule import WAITS, Outcome
from gateway.net.client import Answer
from gateway.records.ids import INBOX_ID, MESSAGE_ID, now_us
from gateway.settings import Webhooks
from gateway.store.queries.deliveries import (
    Pending,
    add_attempt,
    delivery_state,
    give_up,
    note_attempts,
    note_done,
    note_tried,
    note_tried_early,
    promote_head,
    put_off,
    suspend_pending,
)
from gateway.store.queries.webhooks import change_webhook, last_success, note_failure, note_success
from gateway.store.transaction import Tx

log = logging.getLogger("postern.webhooks")

SECOND = 1_000_000
DAY = 86_400 * SECOND
_EXCERPT = 2048
_NOTED_EVERY = 5 * SECOND
_PROBED = frozenset(range(5, 100, 3))
_LASTING = 60 * SECOND


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of trying a delivery: an answer, an error, or neither (there was nothing to post)."""

    pending: Pending
    answer: Answer | None
    error: str | None

    @property
    def ok(self) -> bool:
        return self.error is None and (self.answer is None or self.answer.ok)

    @property
    def why(self) -> str:
        return self.error or f"HTTP {self.answer.status if self.answer else '?'}"


def settle(tx: Tx, posted: Posted, wire: Wire, settings: Webhooks) -> Pending | None:
    """Write an outcome; answers the lane's next delivery if it is due."""
    now = now_us()
    if _noted(tx, posted, now):
        if posted.ok:
            _done(tx, posted, settings, now)
        else:
            _failed(tx, posted, wire, settings, now)
    # else it was withdrawn, or its inbox or webhook was deleted, while we posted
    return delivery_queue.due_head(tx, posted.pending.delivery.lane, now_us())


def _noted(tx: Tx, posted: Posted, now: int) -> bool:
    """Record a try, where there was one; False when its delivery waits no more."""
    pending = posted.pending
    delivery_queue.in_order(tx, pending.event.organization_id, pending.delivery.inbox_id)
    if delivery_state(tx, pending.delivery.id) != "pending":
        return False
    if posted.answer is not None or posted.error is not None:
        _record(tx, posted, now)
        tx.after_commit.append(partial(_count, posted.ok))
    return True


def probes(head: Pending) -> bool:
    """Whether the delivery behind a head is to be posted right after this try of the head, should that fail."""
    delivery = head.delivery
    early = delivery.planned_at is not None and delivery.planned_at > now_us()
    return delivery.attempts + 1 in _PROBED and not early and not delivery_queue.alone(delivery.lane)


def settle_probe(tx: Tx, head: Pending, posted: Posted, settings: Webhooks) -> Pending | None:
    """Write the outcome of posting the delivery behind ``head`` right after the head was refused; answers the lane's
    next delivery if it is due.

    When it was taken, the head is passed over, and tried once more at once, as the endpoint may have come back between
    the two. A refusal counts for nothing.
    """
    now = now_us()
    if _noted(tx, posted, now) and posted.ok and posted.answer is not None:
        log.warning(
            "webhook %s refused event %s of inbox %s (message %s) again and took the next one: "
            "later events go on without it, and it is tried again",
            *_names(head),
            extra=_fields(head),
        )
        delivery_queue.set_aside(tx, head)
        _done(tx, posted, settings, now)
    return delivery_queue.due_head(tx, posted.pending.delivery.lane, now_us())


def _names(pending: Pending) -> tuple[str, str, str | None, str | None]:
    """The webhook, event, inbox and message of a delivery, for the log."""
    inbox, message = pending.delivery.inbox_id, pending.event.message_id
    return (
        pending.webhook.public_id,
        pending.event.public_id,
        INBOX_ID.public(inbox),
        MESSAGE_ID.public(message),
    )


def _fields(pending: Pending) -> dict[str, str]:
    return {"webhook_id": pending.webhook.public_id, "event_id": pending.event.public_id}


def _count(ok: bool) -> None:
    metrics.deliveries.labels("delivered" if ok else "failed").inc()


def _record(tx: Tx, posted: Posted, now: int) -> None:
    pending = posted.pending
    add_attempt(
        tx,
        delivery_id=pending.delivery.id,
        event_id=pending.event.id,
        webhook_id=pending.webhook.id,
        number=pending.delivery.attempts + 1,
        url=pending.webhook.url,
        created_at=now,
        **outcome_facts(posted.answer, posted.error),
    )


class OutcomeFacts(TypedDict):
    """What an attempt notes of its outcome."""

    status: int | None
    response: str | None
    error: str | None
    duration_ms: int | None


def outcome_facts(answer: Answer | None, error: str | None) -> OutcomeFacts:
    """What an attempt notes of an answer, or of an error in place of one."""
    return {
        "status": answer.status if answer else None,
        "response": _excerpt(answer),
        "error": error,
        "duration_ms": int(answer.duration_ms) if answer else None,
    }


def _done(tx: Tx, posted: Posted, settings: Webhooks, now: int) -> None:
    delivery, webhook = posted.pending.delivery, posted.pending.webhook
    note_done(tx, delivery.id, delivery.attempts + (1 if posted.answer else 0))
    promote_head(tx, delivery.lane)
    stale = webhook.failing_since is not None or (webhook.succeeded_at or 0) < now - _NOTED_EVERY
    if posted.answer and stale:
        note_success(tx, webhook.id, now)
    if posted.answer and (webhook.failing_since or now) < now - _LASTING * settings.retry_scale:
        delivery_queue.hasten(tx, webhook.id, settings.retry_scale)


def _failed(tx: Tx, posted: Posted, wire: Wire, settings: Webhooks, now: int) -> None:
    delivery, webhook, answer = posted.pending.delivery, posted.pending.webhook, posted.answer
    early = delivery.planned_at is not None and delivery.planned_at > now
    number = delivery.attempts + 1
    outcome = wire.plan(
        number,
        status=answer.status if answer else None,
        retry_after=answer.headers.get("retry-after") if answer else None,
        now=now / SECOND,
        scale=settings.retry_scale,
    )
    since, first = webhook.failing_since or now, delivery.first_failed_at or now
    note_failure(tx, webhook.id, now)
    too_long = now - since > settings.disable_after_days * DAY * settings.retry_scale
    if wire.disables and (outcome.disable or too_long):
        note_attempts(tx, delivery.id, number)
        _switch_off(tx, posted, outcome, now)
        return
    if early:  # tried before its time: that counts for nothing
        note_tried_early(tx, delivery.id, now)
        return
    note_tried(tx, delivery.id, number, now)
    delay = outcome.delay
    if delay is None and wire.disables and (last_success(tx, webhook.id) or 0) <= first:
        delay = WAITS[-1] * settings.retry_scale
    if delay is None:
        log.warning(
            "webhook %s: event %s of inbox %s (message %s) failed for good after %d tries (%s); "
            "replay it when the endpoint is back",
            *(*_names(posted.pending), number, posted.why),
            extra=_fields(posted.pending),
        )
        give_up(tx, delivery.id)
        promote_head(tx, delivery.lane)
        return
    at = now + int(delay * SECOND)
    asked = (
        answer is not None and "retry-after" in answer.headers
    )  # nothing is tried before the time it named
    put_off(tx, delivery.id, first_failed_at=first, next_at=at, planned_at=None if asked else at)


def _switch_off(tx: Tx, posted: Posted, outcome: Outcome, now: int) -> None:
    webhook = posted.pending.webhook
    reason = "the endpoint answered 410 Gone" if outcome.disable else f"it kept failing: {posted.why}"
    log.warning(
        "webhook %s (%s) is switched off: %s; PATCH it with enabled true when it is mended: what waits for it, and "
        "what comes meanwhile, is delivered then",
        webhook.public_id,
        webhook.url,
        reason,
        extra={"webhook_id": webhook.public_id},
    )
    change_webhook(tx, webhook.id, enabled=False, disabled_reason=reason, updated_at=now, off_mailed_at=None)
    suspend_pending(tx, webhook.id)


def _excerpt(answer: Answer | None) -> str | None:
    if answer is None:
        return None
    return answer.body_excerpt[:_EXCERPT].decode("utf-8", "replace").replace("\x00", "")
