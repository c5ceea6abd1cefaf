"""Forgetting what is settled: delivery records after ``outbox.keep_days``, idempotency keys after a day, the
counts of daily limits with their day, who registered after the hour that counts."""

from __future__ import annotations

from gateway.store.engine import Tx
from gateway.store.ids import now_us
from gateway.store.queries.registrations import unscoped_forget_registrations_outside

DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_AT_ONCE = 500


def sweep(tx: Tx, keep_days: int) -> bool:
    """Delete a bounded batch; answers whether there may be more."""
    now = now_us()
    rows = tx.rows(
        "SELECT id FROM outbox WHERE state = 'done' AND updated_at < ? LIMIT ?",
        now - keep_days * DAY_US,
        _AT_ONCE,
    )
    for row in rows:
        tx.run("DELETE FROM outbox_recipient WHERE outbox_id = ?", row["id"])
        tx.run("DELETE FROM outbox WHERE id = ?", row["id"])
    tx.run("DELETE FROM idempotency WHERE created_at < ?", now - DAY_US)
    tx.run("DELETE FROM tally WHERE day < ?", now // DAY_US)
    # one of the future was made before the clock was set back, and would count for as long
    unscoped_forget_registrations_outside(tx, now - _HOUR_US, now + _HOUR_US)
    return len(rows) == _AT_ONCE
