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

from gateway import metrics
from gateway.events import delivery_queue
from gateway.events.dialect_format import Wire
from gateway.events.schedule import WAITS, Outcome
from gateway.net.client import Answer
from gateway.settings import Webhooks
from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us

log = logging.getLogger("postern.webhooks")

SECOND = 1_000_000
DAY = 86_400 * SECOND
_EXCERPT = 2048
_NOTED_EVERY = 5 * SECOND
_PROBED = frozenset(range(5, 100, 3))
_LASTING = 60 * SECOND


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of trying a row: an answer, an error, or neither (there was nothing to post)."""

    row: Row
    answer: Answer | None
    error: str | None

    @property
    def ok(self) -> bool:
        return self.error is None and (self.answer is None or self.answer.ok)

    @property
    def why(self) -> str:
        return self.error or f"HTTP {self.answer.status if self.answer else '?'}"


def settle(tx: Tx, posted: Posted, wire: Wire, settings: Webhooks) -> Row | None:
    """Write an outcome; answers the lane's next row if it is due."""
    row, now = posted.row, now_us()
    if _noted(tx, posted, now):
        if posted.ok:
            _done(tx, posted, settings, now)
        else:
            _failed(tx, posted, wire, settings, now)
    # else it was withdrawn, or its inbox or webhook was deleted, while we posted
    return delivery_queue.head(tx, row["lane"], now_us())


def _noted(tx: Tx, posted: Posted, now: int) -> bool:
    """Record a try, where there was one; False when its delivery waits no more."""
    row = posted.row
    delivery_queue.in_order(tx, row["organization_id"], row["inbox_id"])
    if tx.value("SELECT state FROM delivery WHERE id = ?", row["id"]) != "pending":
        return False
    if posted.answer is not None or posted.error is not None:
        _record(tx, posted, now)
        tx.after_commit.append(partial(_count, posted.ok))
    return True


def probes(row: Row) -> bool:
    """Whether the row behind a head is to be posted right after this try of the head, should that fail."""
    early = row["planned_at"] is not None and row["planned_at"] > now_us()
    return row["attempts"] + 1 in _PROBED and not early and not delivery_queue.alone(row["lane"])


def settle_probe(tx: Tx, head: Row, posted: Posted, settings: Webhooks) -> Row | None:
    """Write the outcome of posting the row behind ``head`` right after the head was refused; answers the lane's next
    row if it is due.

    When it was taken, the head is passed over, and tried once more at once, as the endpoint may have come back between
    the two. A refusal counts for nothing.
    """
    row, now = posted.row, now_us()
    if _noted(tx, posted, now) and posted.ok and posted.answer is not None:
        log.warning(
            "webhook wh_%s refused event evt_%s of inbox inb_%s (message msg_%s) again and took the next one: "
            "later events go on without it, and it is tried again",
            *(head["webhook_id"], head["event_id"], head["inbox_id"], head["message_id"]),
            extra={"webhook_id": f"wh_{head['webhook_id']}", "event_id": f"evt_{head['event_id']}"},
        )
        delivery_queue.set_aside(tx, head)
        _done(tx, posted, settings, now)
    return delivery_queue.head(tx, row["lane"], now_us())


def _count(ok: bool) -> None:
    metrics.deliveries.labels("delivered" if ok else "failed").inc()


def _record(tx: Tx, posted: Posted, now: int) -> None:
    row = posted.row
    facts = attempt_facts(row["url"], posted.answer, posted.error)
    keys = {"delivery_id": row["id"], "event_id": row["event_id"], "webhook_id": row["webhook_id"]}
    tx.insert("attempt", {**keys, "number": row["attempts"] + 1, **facts, "created_at": now})


def attempt_facts(url: str, answer: Answer | None, error: str | None) -> Row:
    """The columns of an attempt's outcome."""
    return {
        "url": url,
        "status": answer.status if answer else None,
        "response": _excerpt(answer),
        "error": error,
        "duration_ms": int(answer.duration_ms) if answer else None,
    }


def _done(tx: Tx, posted: Posted, settings: Webhooks, now: int) -> None:
    row = posted.row
    number = row["attempts"] + (1 if posted.answer else 0)
    tx.run("UPDATE delivery SET state = 'done', attempts = ? WHERE id = ?", number, row["id"])
    delivery_queue.promote(tx, row["lane"])
    stale = row["failing_since"] is not None or (row["succeeded_at"] or 0) < now - _NOTED_EVERY
    if posted.answer and stale:
        tx.run(
            "UPDATE webhook SET succeeded_at = ?, failing_since = NULL WHERE id = ?", now, row["webhook_id"]
        )
    if posted.answer and (row["failing_since"] or now) < now - _LASTING * settings.retry_scale:
        delivery_queue.hasten(tx, row["webhook_id"], settings.retry_scale)


def _failed(tx: Tx, posted: Posted, wire: Wire, settings: Webhooks, now: int) -> None:
    row, answer = posted.row, posted.answer
    early = row["planned_at"] is not None and row["planned_at"] > now
    number = row["attempts"] + 1
    outcome = wire.plan(
        number,
        status=answer.status if answer else None,
        retry_after=answer.headers.get("retry-after") if answer else None,
        now=now / SECOND,
        scale=settings.retry_scale,
    )
    since, first = row["failing_since"] or now, row["first_failed_at"] or now
    tx.run(
        "UPDATE webhook SET failing_since = ? WHERE id = ? AND failing_since IS NULL", now, row["webhook_id"]
    )
    too_long = now - since > settings.disable_after_days * DAY * settings.retry_scale
    if wire.disables and (outcome.disable or too_long):
        tx.run("UPDATE delivery SET attempts = ? WHERE id = ?", number, row["id"])
        _switch_off(tx, posted, outcome, now)
        return
    if early:  # tried before its time: that counts for nothing
        tx.run("UPDATE delivery SET next_at = planned_at, tried_at = ? WHERE id = ?", now, row["id"])
        return
    tx.run("UPDATE delivery SET attempts = ?, tried_at = ? WHERE id = ?", number, now, row["id"])
    delay = outcome.delay
    if delay is None and wire.disables and not _taken_since(tx, row, first):
        delay = WAITS[-1] * settings.retry_scale
    if delay is None:
        log.warning(
            "webhook wh_%s: event evt_%s of inbox inb_%s (message msg_%s) failed for good after %d tries (%s); "
            "replay it when the endpoint is back",
            *(row["webhook_id"], row["event_id"], row["inbox_id"], row["message_id"], number, posted.why),
            extra={"webhook_id": f"wh_{row['webhook_id']}", "event_id": f"evt_{row['event_id']}"},
        )
        tx.run("UPDATE delivery SET state = 'failed' WHERE id = ?", row["id"])
        delivery_queue.promote(tx, row["lane"])
        return
    at = now + int(delay * SECOND)
    asked = (
        answer is not None and "retry-after" in answer.headers
    )  # nothing is tried before the time it named
    tx.run(
        "UPDATE delivery SET first_failed_at = ?, next_at = ?, planned_at = ? WHERE id = ?",
        *(first, at, None if asked else at, row["id"]),
    )


def _taken_since(tx: Tx, row: Row, since: int) -> bool:
    """Whether a webhook took anything since a time (µs)."""
    succeeded_at: int | None = tx.value("SELECT succeeded_at FROM webhook WHERE id = ?", row["webhook_id"])
    return (succeeded_at or 0) > since


def _switch_off(tx: Tx, posted: Posted, outcome: Outcome, now: int) -> None:
    row = posted.row
    reason = "the endpoint answered 410 Gone" if outcome.disable else f"it kept failing: {posted.why}"
    log.warning(
        "webhook wh_%s (%s) is switched off: %s; PATCH it with enabled true when it is mended: what waits for it, and "
        "what comes meanwhile, is delivered then",
        row["webhook_id"],
        row["url"],
        reason,
        extra={"webhook_id": f"wh_{row['webhook_id']}"},
    )
    tx.run(
        "UPDATE webhook SET enabled = 0, disabled_reason = ?, updated_at = ?, off_mailed_at = NULL WHERE id = ?",
        reason,
        now,
        row["webhook_id"],
    )
    delivery_queue.suspend(tx, row["webhook_id"])


def _excerpt(answer: Answer | None) -> str | None:
    if answer is None:
        return None
    return answer.body_excerpt[:_EXCERPT].decode("utf-8", "replace").replace("\x00", "")
