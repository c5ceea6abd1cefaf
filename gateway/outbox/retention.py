"""Forgetting what is settled: delivery records after ``outbox.keep_days``, idempotency keys after a day, the
counts of daily limits with their day, who registered after the hour that counts, pauses a year after their end, the
audit log after ``audit.keep_days``."""

from __future__ import annotations

from gateway.records.ids import now_us
from gateway.store import daily_counts
from gateway.store.queries.audit import unscoped_forget_audit
from gateway.store.queries.idempotency import unscoped_forget_requests
from gateway.store.queries.outbox import unscoped_forget_settled
from gateway.store.queries.pauses import unscoped_forget_pauses
from gateway.store.queries.registrations import unscoped_forget_registrations_outside
from gateway.store.transaction import Tx

DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_AT_ONCE = 500
_PAUSES_KEPT_US = 400 * DAY_US


def sweep(tx: Tx, keep_days: int, audit_days: int) -> bool:
    """Delete a bounded batch; answers whether there may be more."""
    now = now_us()
    audited = unscoped_forget_audit(tx, now - audit_days * DAY_US, _AT_ONCE)
    forgotten = unscoped_forget_settled(tx, now - keep_days * DAY_US, _AT_ONCE)
    unscoped_forget_requests(tx, now - DAY_US)
    daily_counts.unscoped_forget_past_days(tx)
    unscoped_forget_pauses(tx, now - _PAUSES_KEPT_US)
    # one of the future was made before the clock was set back, and would count for as long
    unscoped_forget_registrations_outside(tx, now - _HOUR_US, now + _HOUR_US)
    return _AT_ONCE in (forgotten, audited)
