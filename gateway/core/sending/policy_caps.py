"""The caps of a policy: how much an inbox may send, to whom, and less while it is new.

They hold for each inbox that the policy is over, whoever set them. What a sandbox key sends is not held against them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gateway.core.errors import TooMany
from gateway.core.policy.resolve import Policy
from gateway.core.sending.limits import measure
from gateway.core.sent import Allowance, Span
from gateway.mime.addresses import normalise
from gateway.records.ids import ThreadId
from gateway.records.inboxes import Inbox
from gateway.records.policies import Cap
from gateway.store.daily_counts import DAY_US
from gateway.store.queries.pace import Pace, PaceAsked

CODE = "policy_cap_exceeded"
CAP_EXCEEDED = "cap_exceeded"
"""The reason for which a message beyond a cap is held."""

_WINDOWS: Mapping[Cap, tuple[int, Span, str]] = {
    "per_minute": (60_000_000, "burst", "a minute"),
    "per_hour": (3_600_000_000, "burst", "an hour"),
    "per_day": (DAY_US, "daily", "a day"),
}


def asked_of(policy: Policy, inbox: Inbox, thread: ThreadId | None, now: int) -> PaceAsked:
    """What must be counted for the caps that hold."""
    windows = [(length, _most(policy, inbox, cap, now)) for cap, (length, _, _) in _WINDOWS.items()]
    return PaceAsked(
        windows=tuple((length, most) for length, most in windows if most),
        recipients=policy.caps["per_recipient_per_day"].value > 0,
        thread=thread if policy.caps["per_thread_per_day"].value else None,
        new=_most(policy, inbox, "new_recipients_per_day", now) > 0,
    )


def cap_allowances(
    policy: Policy, pace: Pace, inbox: Inbox, recipients: Sequence[tuple[str, str]], now: int
) -> Iterator[Allowance | TooMany]:
    """What is left of each cap after one more message to ``recipients`` (field, address) at ``now`` (µs)."""
    for cap, (length, span, words) in _WINDOWS.items():
        if most := _most(policy, inbox, cap, now):
            used, oldest = pace.windows[length]
            reset = (now if oldest is None else oldest) + length
            yield _left(
                policy, cap, f"this inbox send {most} messages {words}", span, most, used + 1, now, reset
            )
    if pace.new and (most := _most(policy, inbox, "new_recipients_per_day", now)):
        words = f"this inbox write to {most} new recipients a day"
        if pace.new_today < most < pace.new_today + pace.new:
            words += f"; this message has {pace.new} of them, {most - pace.new_today} are left"
        used = pace.new_today + pace.new
        yield _left(policy, "new_recipients_per_day", words, "cold_outreach", most, used, now)
    if most := policy.caps["per_recipient_per_day"].value:
        for field, address in recipients:
            words = f"this inbox send {most} messages a day to {address}"
            used = pace.recipients.get(normalise(address), 0) + 1
            found = _left(policy, "per_recipient_per_day", words, "daily", most, used, now, now + DAY_US)
            if isinstance(found, TooMany):
                found.field = field
            yield found
    if (most := policy.caps["per_thread_per_day"].value) and pace.thread >= most:
        words = f"this inbox send {most} messages a day in one thread"
        yield _left(policy, "per_thread_per_day", words, "daily", most, pace.thread + 1, now, now + DAY_US)


def _left(
    policy: Policy, cap: Cap, words: str, span: Span, most: int, used: int, now: int, reset: int | None = None
) -> Allowance | TooMany:
    said = f"the policy of the {policy.caps[cap].origin} lets {words}"
    return measure(span, said, most, used, now, reset, code=CODE)


def _most(policy: Policy, inbox: Inbox, cap: Cap, now: int) -> int:
    """A cap as it holds at ``now``: of a new inbox a part, one more of ``ramp_days`` + 1 each day."""
    most, days = policy.caps[cap].value, policy.caps["ramp_days"].value
    age = max(0, (now - inbox.created_at) // DAY_US)
    if not most or age >= days or cap not in ("per_day", "new_recipients_per_day"):
        return most
    return max(1, most * (age + 1) // (days + 1))
