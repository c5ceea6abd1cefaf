"""The caps of a policy: a table of what was sent lately, and how much more may be."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from gateway.core.errors import TooMany
from gateway.core.policy.resolve import Policy, resolved
from gateway.core.sending.decide import Allowed, Message, Terms, decide
from gateway.core.sending.policy_caps import asked_of
from gateway.records.ids import ThreadId
from gateway.records.policies import Caps, Rule, SendingRule
from gateway.settings import Limits, Wallet
from gateway.store.daily_counts import DAY_US
from gateway.store.queries.conversation import ConversationAsked
from gateway.store.queries.pace import Pace, PaceAsked
from gateway.store.queries.standing import Standing
from tests.support.records import INBOX, NOW, policy_version

MINUTE, HOUR = 60_000_000, 3_600_000_000
MESSAGE = Message(
    [("to[0]", "ann@y.test"), ("cc[0]", "Bob@y.test")], before=ConversationAsked(thread=ThreadId("t"))
)
FREE = Terms(Limits(), Wallet())


def rule(caps: Caps) -> Rule:
    return Rule(sending=SendingRule(caps=caps))


def decided(caps: Caps, pace: Pace, message: Message = MESSAGE) -> object:
    standing = Standing(policies=[policy_version("pod", rule(caps))], pace=pace)
    return decide(standing, INBOX, message, FREE, NOW)


@pytest.mark.parametrize(
    ("caps", "within", "beyond", "field", "seconds"),
    [
        (
            Caps(per_minute=2),
            Pace(windows={MINUTE: (1, NOW - 9)}),
            Pace(windows={MINUTE: (2, NOW - MINUTE + 7_000_000)}),
            None,
            7,
        ),
        (
            Caps(per_hour=2),
            Pace(windows={HOUR: (1, NOW)}),
            Pace(windows={HOUR: (2, NOW)}),
            None,
            3600,
        ),
        (
            Caps(per_day=2),
            Pace(windows={DAY_US: (1, NOW)}),
            Pace(windows={DAY_US: (2, NOW)}),
            None,
            86400,
        ),
        (
            Caps(new_recipients_per_day=2),
            Pace(new=2),
            Pace(new=2, new_today=1),
            None,
            None,
        ),
        (
            Caps(per_recipient_per_day=2),
            Pace(recipients={"ann@y.test": 1, "bob@y.test": 1}),
            Pace(recipients={"bob@y.test": 2}),
            "cc[0]",
            86400,
        ),
        (Caps(per_thread_per_day=2), Pace(thread=1), Pace(thread=2), None, 86400),
    ],
)
def test_a_cap_lets_as_many_through_as_it_says(
    caps: Caps, within: Pace, beyond: Pace, field: str | None, seconds: int | None
) -> None:
    assert isinstance(decided(caps, within), Allowed)
    refused = decided(caps, beyond)
    assert isinstance(refused, TooMany)
    assert (refused.code, refused.field) == ("policy_cap_exceeded", field)
    assert "policy of the pod" in refused.message
    assert refused.fix
    assert seconds is None or refused.retry_after == seconds


def test_only_what_a_cap_asks_for_is_counted() -> None:
    def asked(**caps: int) -> PaceAsked:
        return asked_of(policy(**caps), INBOX, ThreadId("t"), NOW)

    def policy(**caps: int) -> Policy:
        return resolved([("inbox", rule(Caps(**caps)))])

    assert asked().nothing
    assert asked(per_minute=0, per_thread_per_day=0).nothing
    assert asked(per_minute=3).windows == ((MINUTE, 3),)
    assert asked(per_thread_per_day=3).thread == "t"
    assert asked(per_recipient_per_day=1).recipients
    assert asked(new_recipients_per_day=1).new


def test_new_recipients_are_counted_and_a_sandbox_send_is_not() -> None:
    allowed = decided(Caps(new_recipients_per_day=5), Pace(new=2, new_today=1))
    assert isinstance(allowed, Allowed)
    assert allowed.counts == (("i", "new", 2),)
    assert allowed.allowance is not None
    assert allowed.allowance.remaining == 2
    sandbox = decided(Caps(new_recipients_per_day=5, per_day=1), Pace(), replace(MESSAGE, test=True))
    assert isinstance(sandbox, Allowed)
    assert sandbox.counts == ()


@pytest.mark.parametrize(("age", "most"), [(0, 9), (1, 18), (9, 90), (10, 100), (400, 100)])
def test_a_new_inbox_may_send_a_part_that_grows_every_day(age: int, most: int) -> None:
    policy = resolved([("organization", rule(Caps(per_day=100, per_hour=50, ramp_days=10)))])
    inbox = msgspec.structs.replace(INBOX, created_at=NOW - age * DAY_US - 5)
    assert dict(asked_of(policy, inbox, None, NOW).windows) == {HOUR: 50, DAY_US: most}
