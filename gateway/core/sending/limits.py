"""How much may be sent and created (contract: OpenMail §10): per inbox a minute and a day, per organization a day.

Each check runs twice for a send: before the message is composed, so that a refusal costs nothing, and with
``charge`` in the transaction that accepts it, where it is exact: of any number of sends at once exactly as many are
accepted as the limit allows. What was refused does not count. Cold outreach has a module of its own.
"""

from __future__ import annotations

import math

from gateway.core.errors import TooMany
from gateway.core.sent import Allowance, Span
from gateway.records.inboxes import Inbox
from gateway.settings import Limits
from gateway.store import daily_counts
from gateway.store.engine import Tx
from gateway.store.ids import now_us

_MINUTE_US = 60_000_000


def check_sends(tx: Tx, inbox: Inbox, limits: Limits, *, sandbox: bool, charge: bool) -> list[Allowance]:
    """Whether the inbox may make one more send; with ``charge`` this is that send.

    A sandbox send is held against the pace of its inbox, not against the organization's share: nothing leaves.
    Raises TooMany.
    """
    now = now_us()
    found = []
    if charge and (limits.sends_per_minute or limits.sends_per_day):
        daily_counts.lock_inbox(tx, inbox.id)
    if most := limits.sends_per_minute:
        used, oldest = daily_counts.sent_since(tx, inbox.id, now - _MINUTE_US, most)
        reset = (now if oldest is None else oldest) + _MINUTE_US
        found.append(allow("burst", f"this inbox may send {most} messages a minute", most, used + 1, reset))
    if most := limits.sends_per_day:
        used, _ = daily_counts.sent_since(tx, inbox.id, daily_counts.day_start(now) - 1, most)
        found.append(allow("daily", f"this inbox may send {most} messages a day", most, used + 1))
    if (most := limits.organization_sends_per_day) and not sandbox:
        used = add(tx, inbox.organization_id, "sends", 1, charge)
        found.append(allow("global", f"the organization may send {most} messages a day", most, used))
    return found


def charge_creation(tx: Tx, organization: str, limits: Limits) -> None:
    """Count the creation of an inbox. Raises TooMany."""
    if most := limits.inboxes_per_day:
        used = add(tx, organization, "inboxes", 1, True)
        words = f"the organization may create {most} inboxes a day"
        allow("daily", words, most, used, code="creation_limit_reached")


def add(tx: Tx, subject: str, what: daily_counts.What, by: int, charge: bool) -> int:
    """Today's count with ``by`` more; with ``charge`` they are counted."""
    return (
        daily_counts.count(tx, subject, what, by) if charge else daily_counts.counted(tx, subject, what) + by
    )


def allow(
    span: Span,
    words: str,
    most: int,
    used: int,
    reset: int | None = None,
    *,
    code: str = "send_limit_reached",
) -> Allowance:
    """The limit's standing when ``used`` (this one included) are within ``most``, else raises TooMany.

    ``reset``: µs; None is the next UTC midnight. ``words`` name the limit.
    """
    now = now_us()
    at = daily_counts.day_start(now) + daily_counts.DAY_US if reset is None else reset
    seconds = math.ceil(at / 1_000_000)
    if used > most:
        wait = max(1, math.ceil((at - now) / 1_000_000))
        raise TooMany(
            words,
            wait,
            limit=most,
            reset=seconds,
            code=code,
            facts={"scope": span},
            fix=f"wait {wait} s, as Retry-After says, or raise the limit",
        )
    return Allowance(span, most, most - used, seconds)


def tightest(allowances: list[Allowance]) -> Allowance | None:
    """The one with the least left: what an answer tells of."""
    return min(allowances, key=lambda one: one.remaining, default=None)
