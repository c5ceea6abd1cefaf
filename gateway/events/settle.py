"""Writing down what became of an attempt: the outcome, the attempt's record and the lane's next head, in one
transaction."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from gateway.events import lanes
from gateway.events.schedule import Outcome
from gateway.events.wire import Wire
from gateway.net.client import Answer
from gateway.settings import Webhooks
from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us

log = logging.getLogger("postern.webhooks")

SECOND = 1_000_000
DAY = 86_400 * SECOND
_EXCERPT = 2048
_NOTED_EVERY = 5 * SECOND
_POISON_TRIES = 5
_HELD_TRIES = 8


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
    lanes.in_order(tx, row["organization_id"], row["inbox_id"])
    if tx.value("SELECT state FROM delivery WHERE id = ?", row["id"]) == "pending":
        if posted.answer is not None or posted.error is not None:
            _record(tx, posted, now)
        if posted.ok:
            _done(tx, posted, now)
        else:
            _failed(tx, posted, wire, settings, now)
    # else it was withdrawn, or its inbox or webhook was deleted, while we posted
    return lanes.head(tx, row["lane"], now_us())


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


def _done(tx: Tx, posted: Posted, now: int) -> None:
    row = posted.row
    number = row["attempts"] + (1 if posted.answer else 0)
    tx.run("UPDATE delivery SET state = 'done', attempts = ? WHERE id = ?", number, row["id"])
    lanes.promote(tx, row["lane"])
    stale = row["failing_since"] is not None or (row["succeeded_at"] or 0) < now - _NOTED_EVERY
    if posted.answer and stale:
        tx.run(
            "UPDATE webhook SET succeeded_at = ?, failing_since = NULL WHERE id = ?", now, row["webhook_id"]
        )


def _failed(tx: Tx, posted: Posted, wire: Wire, settings: Webhooks, now: int) -> None:
    row, answer = posted.row, posted.answer
    number = row["attempts"] + 1
    outcome = wire.plan(
        number,
        status=answer.status if answer else None,
        retry_after=answer.headers.get("retry-after") if answer else None,
        now=now / SECOND,
        scale=settings.retry_scale,
    )
    since = row["failing_since"] or now
    tx.run(
        "UPDATE webhook SET failing_since = ? WHERE id = ? AND failing_since IS NULL", now, row["webhook_id"]
    )
    tx.run("UPDATE delivery SET attempts = ? WHERE id = ?", number, row["id"])
    too_long = now - since > settings.disable_after_days * DAY * settings.retry_scale
    if wire.disables and (outcome.disable or too_long):
        _switch_off(tx, posted, outcome, now)
    elif outcome.delay is None:
        log.warning(
            "webhook wh_%s: event evt_%s of inbox inb_%s (message msg_%s) failed for good after %d tries (%s); "
            "replay it when the endpoint is back",
            *(row["webhook_id"], row["event_id"], row["inbox_id"], row["message_id"], number, posted.why),
            extra={"webhook_id": f"wh_{row['webhook_id']}", "event_id": f"evt_{row['event_id']}"},
        )
        tx.run("UPDATE delivery SET state = 'failed' WHERE id = ?", row["id"])
        lanes.promote(tx, row["lane"])
    else:
        first = row["first_failed_at"] or now
        tx.run(
            "UPDATE delivery SET first_failed_at = ?, next_at = ? WHERE id = ?",
            first,
            now + int(outcome.delay * SECOND),
            row["id"],
        )
        # the endpoint takes other events, or has been away for hours: those behind go on without this one
        others_pass = number >= _POISON_TRIES and (row["succeeded_at"] or 0) > first
        if others_pass or number >= _HELD_TRIES:
            lanes.set_aside(tx, row)


def _switch_off(tx: Tx, posted: Posted, outcome: Outcome, now: int) -> None:
    row = posted.row
    reason = "the endpoint answered 410 Gone" if outcome.disable else f"it kept failing: {posted.why}"
    log.warning(
        "webhook wh_%s (%s) is switched off: %s; PATCH it with enabled true and replay when it is mended",
        row["webhook_id"],
        row["url"],
        reason,
        extra={"webhook_id": f"wh_{row['webhook_id']}"},
    )
    tx.run(
        "UPDATE webhook SET enabled = 0, disabled_reason = ?, updated_at = ? WHERE id = ?",
        reason,
        now,
        row["webhook_id"],
    )
    tx.run(
        "UPDATE delivery SET state = 'failed' WHERE webhook_id = ? AND state = 'pending'", row["webhook_id"]
    )


def _excerpt(answer: Answer | None) -> str | None:
    if answer is None:
        return None
    return answer.body_excerpt[:_EXCERPT].decode("utf-8", "replace").replace("\x00", "")
