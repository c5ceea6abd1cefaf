"""How much may be sent and created (contract: OpenMail §10): per inbox a minute and a day, per organization a day.

Cold outreach has a module of its own; ``core.sending.decide`` holds a send against all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from gateway.core.errors import TooMany
from gateway.core.sent import Allowance, Span
from gateway.records.ids import OrganizationId, now_us
from gateway.settings import Limits
from gateway.store import daily_counts
from gateway.store.queries.standing import Standing
from gateway.store.transaction import Tx

_MINUTE_US = 60_000_000


def send_limits(
    standing: Standing, limits: Limits, now: int, *, sandbox: bool
) -> Iterator[Allowance | TooMany]:
    """What is left of each limit after one more send at ``now`` (µs).

    A sandbox send is held against the pace of its inbox, not against the organization's share: nothing leaves.
    """
    if most := limits.sends_per_minute:
        reset = (now if standing.oldest is None else standing.oldest) + _MINUTE_US
        words = f"this inbox may send {most} messages a minute"
        yield measure("burst", words, most, standing.burst + 1, now, reset)
    if most := limits.sends_per_day:
        yield measure("daily", f"this inbox may send {most} messages a day", most, standing.daily + 1, now)
    if (most := limits.organization_sends_per_day) and not sandbox:
        words = f"the organization may send {most} messages a day"
        yield measure("global", words, most, standing.organization + 1, now)


def charge_creation(tx: Tx, organization: OrganizationId, limits: Limits) -> None:
    """Count the creation of an inbox. Raises TooMany."""
    if most := limits.inboxes_per_day:
        used = daily_counts.count(tx, organization, "inboxes", 1)
        words = f"the organization may create {most} inboxes a day"
        found = measure("daily", words, most, used, now_us(), code="creation_limit_reached")
        if isinstance(found, TooMany):
            raise found


def measure(
    span: Span,
    words: str,
    most: int,
    used: int,
    now: int,
    reset: int | None = None,
    *,
    code: str = "send_limit_reached",
) -> Allowance | TooMany:
    """What is left of a limit when ``used`` (this one included) are within ``most``, else the refusal.

    ``reset``: µs; None is the next UTC midnight. ``words`` name the limit.
    """
    at = daily_counts.day_start(now) + daily_counts.DAY_US if reset is None else reset
    seconds = math.ceil(at / 1_000_000)
    if used > most:
        wait = max(1, math.ceil((at - now) / 1_000_000))
        return TooMany(
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
    """The one with the least left: what an answer reports."""
    return min(allowances, key=lambda one: one.remaining, default=None)
