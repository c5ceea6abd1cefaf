"""Writing down what came of posts: attempts, retries, failures for good, endpoints switched off.

One call settles all posts of a lane that were answered since the last, and says what the lane posts next: one
transaction, one fsync.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from gateway import metrics
from gateway.events import lanes
from gateway.events.lanes import Ahead, Kind
from gateway.events.schedule import Outcome, next_try
from gateway.net.client import Answer
from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us

log = logging.getLogger("postern.webhooks")

SECOND = 1_000_000
DAY = 86_400 * SECOND
_EXCERPT = 2048
_BITE = 2000
_PROBE_AGAIN = 15 * 60 * SECOND
_OUTAGE = 60 * SECOND


@dataclass(frozen=True, slots=True)
class Posted:
    """One post and its end: an answer, or an error in words, or neither (the dialect has no such event)."""

    row: Row
    answer: Answer | None
    error: str | None
    at: int

    @property
    def ok(self) -> bool:
        """Nothing to try again."""
        return self.error is None and (self.answer is None or self.answer.ok)


class Ledger:
    """Settles posts. ``scale`` multiplies waiting times; ``disable_after``: µs of nothing but failure."""

    def __init__(self, scale: float, disable_after: float) -> None:
        self._scale, self._disable_after = scale, disable_after

    def settle(self, tx: Tx, lane: str, posts: list[Posted], kind: Kind) -> Ahead:
        """Record ``posts`` (in order; only the last may have failed) and answer what the lane posts next."""
        lanes.hold(tx, lane)
        taken = [one for one in posts if one.ok and self._done(tx, one)]
        if any(one.answer for one in taken):
            self._succeeded(tx, taken[-1])
        last = posts[-1]
        if not last.ok:
            return self._failed(tx, lane, last, kind)
        if kind == "probe" and taken and last.answer is None:  # that proved nothing
            following = lanes.second(tx, lane)
            return Ahead([following], "probe") if following else Ahead()
        if kind == "probe" and taken:
            head = tx.row(
                "SELECT id, attempts FROM delivery WHERE lane = ? AND state = 'pending' AND id < ? "
                "ORDER BY id LIMIT 1",
                lane,
                last.row["id"],
            )
            if head is not None:  # the endpoint took another: once more, then it is the head's own fault
                tx.run("UPDATE delivery SET next_at = ? WHERE id = ?", now_us(), head["id"])
                ahead = lanes.look(tx, lane)
                return Ahead(ahead.rows[:1], "verdict", ahead.tidy)
        lanes.promote(tx, lane)
        return lanes.look(tx, lane)

    def _done(self, tx: Tx, one: Posted) -> bool:
        """False when the row went meanwhile (webhook or inbox deleted): nothing is noted then."""
        row = one.row
        # SQLite hands a deleted row's id out again: the event and the lane must fit too
        if not tx.run(
            "UPDATE delivery SET state = 'done', attempts = ? "
            "WHERE id = ? AND event_seq = ? AND lane = ? AND state = 'pending'",
            row["attempts"] + (one.answer is not None),
            row["id"],
            row["event_seq"],
            row["lane"],
        ):
            return False
        if one.answer is not None:
            _note(tx, one)
        return True

    def _succeeded(self, tx: Tx, one: Posted) -> None:
        hook = tx.row("SELECT failing_since, succeeded_at FROM webhook WHERE id = ?", one.row["webhook_id"])
        now = now_us()
        if hook is None or (hook["failing_since"] is None and (hook["succeeded_at"] or 0) > now - SECOND):
            return
        tx.run(
            "UPDATE webhook SET succeeded_at = ?, failing_since = NULL WHERE id = ?",
            now,
            one.row["webhook_id"],
        )
        since = hook["failing_since"]
        if since is not None and now - since > _OUTAGE * self._scale:
            # an outage ended: its other lanes need not wait for their hour (detached rows keep their own)
            tx.run(
                "UPDATE delivery SET next_at = ? WHERE state = 'pending' AND webhook_id = ? AND next_at > ? "
                "AND next_at < ? AND lane NOT LIKE '%#%'",
                now,
                one.row["webhook_id"],
                now,
                lanes.BEHIND,
            )

    def _failed(self, tx: Tx, lane: str, one: Posted, kind: Kind) -> Ahead:
        row, answer, now = one.row, one.answer, now_us()
        current = tx.row(
            "SELECT attempts, first_failed_at FROM delivery "
            "WHERE id = ? AND event_seq = ? AND lane = ? AND state = 'pending'",
            row["id"],
            row["event_seq"],
            lane,
        )
        hook = tx.row("SELECT failing_since, succeeded_at FROM webhook WHERE id = ?", row["webhook_id"])
        if current is None or hook is None:
            lanes.promote(tx, lane)
            return lanes.look(tx, lane)
        _note(tx, one)
        since = hook["failing_since"] or now
        tx.run(
            "UPDATE webhook SET failing_since = ? WHERE id = ? AND failing_since IS NULL",
            now,
            row["webhook_id"],
        )
        number = current["attempts"] + 1
        outcome = next_try(
            number,
            status=answer.status if answer else None,
            retry_after=answer.headers.get("retry-after") if answer else None,
            now=now / SECOND,
            scale=self._scale,
        )
        why = one.error or f"HTTP {answer.status if answer else '?'}"
        if outcome.disable or now - since > self._disable_after:
            return self._switch_off(
                tx, row, "the endpoint answered 410 Gone" if outcome.disable else f"it kept failing: {why}"
            )
        if (
            kind == "probe"
        ):  # the endpoint takes nothing: the order stays, and the try is not held against the row
            wait = max(_PROBE_AGAIN * self._scale, (outcome.delay or 0) * SECOND)
            tx.run("UPDATE delivery SET next_at = ? WHERE id = ?", now + int(wait), row["id"])
            return Ahead()
        if outcome.delay is None:
            return self._give_up(tx, row, number, why)
        return self._wait(
            tx, row, current["first_failed_at"] or now, outcome, number, hook["succeeded_at"], kind
        )

    def _wait(
        self, tx: Tx, row: Row, first: int, outcome: Outcome, number: int, succeeded: int | None, kind: Kind
    ) -> Ahead:
        tx.run(
            "UPDATE delivery SET attempts = ?, first_failed_at = ?, next_at = ? WHERE id = ?",
            number,
            first,
            now_us() + int((outcome.delay or 0) * SECOND),
            row["id"],
        )
        if number < lanes.STUCK or "#" in row["lane"]:
            return Ahead()
        if kind == "verdict" or (succeeded or 0) > first:
            lanes.detach(tx, row)
            return lanes.look(tx, row["lane"])
        probe = lanes.second(tx, row["lane"])
        return Ahead([probe], "probe") if probe else Ahead()

    def _give_up(self, tx: Tx, row: Row, number: int, why: str) -> Ahead:
        log.warning(
            "webhook wh_%s: event evt_%s failed for good after %d tries (%s); replay it when the endpoint is back",
            row["webhook_id"],
            row["event_id"],
            number,
            why,
        )
        tx.run("UPDATE delivery SET state = 'failed', attempts = ? WHERE id = ?", number, row["id"])
        lanes.promote(tx, row["lane"])
        left = tx.value(
            "SELECT 1 FROM delivery WHERE state = 'pending' AND webhook_id = ? LIMIT 1", row["webhook_id"]
        )
        if left is None:  # nothing more is known to fail; the next event starts with a clean slate
            tx.run("UPDATE webhook SET failing_since = NULL WHERE id = ?", row["webhook_id"])
        return lanes.look(tx, row["lane"])

    def _switch_off(self, tx: Tx, row: Row, reason: str) -> Ahead:
        log.warning(
            "webhook wh_%s (%s) is switched off: %s; PATCH it with enabled true and replay when it is mended",
            row["webhook_id"],
            row["url"].partition("?")[0],
            reason,
        )
        now = now_us()
        tx.run(
            "UPDATE webhook SET enabled = 0, disabled_reason = ?, updated_at = ? WHERE id = ?",
            reason,
            now,
            row["webhook_id"],
        )
        tx.run("UPDATE delivery SET state = 'failed', attempts = attempts + 1 WHERE id = ?", row["id"])
        return Ahead(tidy=True)


def sweep(tx: Tx, before: int) -> bool:
    """Forget what is older than ``before`` (µs) and can no longer be replayed: a bounded bite; is there more?"""
    attempts = tx.run(
        "DELETE FROM attempt WHERE id IN (SELECT id FROM attempt WHERE created_at < ? LIMIT ?)", before, _BITE
    )
    labels = tx.run(
        "DELETE FROM label_change WHERE id IN (SELECT id FROM label_change WHERE created_at < ? LIMIT ?)",
        before,
        _BITE,
    )
    deliveries = tx.run(
        "DELETE FROM delivery WHERE id IN (SELECT oldest.id FROM (SELECT id, created_at, state FROM delivery "
        "ORDER BY id LIMIT ?) AS oldest WHERE oldest.created_at < ? AND oldest.state <> 'pending')",
        _BITE,
        before,
    )
    # the newest stays: SQLite would give its seq out again
    events = tx.run(
        "DELETE FROM event WHERE id IN (SELECT old.id FROM event AS old WHERE old.created_at < ? "
        "AND old.seq < (SELECT max(newest.seq) FROM event AS newest) "
        "AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.event_seq = old.seq) LIMIT ?)",
        before,
        _BITE,
    )
    return _BITE in (attempts, labels, events) or deliveries > 0


def _note(tx: Tx, one: Posted) -> None:
    answer = one.answer
    tx.insert(
        "attempt",
        {
            "delivery_id": one.row["id"],
            "webhook_id": one.row["webhook_id"],
            "number": one.row["attempts"] + 1,
            "url": one.row["url"],
            "status": answer.status if answer else None,
            "response": answer.body_excerpt[:_EXCERPT].decode("utf-8", "replace").replace("\x00", "")
            if answer
            else None,
            "error": one.error,
            "duration_ms": int(answer.duration_ms) if answer else None,
            "created_at": one.at,
        },
    )
    metrics.deliveries.labels("ok" if one.ok else "failed").inc()
