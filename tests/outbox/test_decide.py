"""The decision about a send: a table of how its sender stands, and what comes of it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from gateway.core.errors import CoreError, TooMany, Unpaid
from gateway.core.sending.decide import Allowed, Held, Message, Terms, decide
from gateway.records.ids import InboxId
from gateway.records.lists import ListRule
from gateway.records.policies import Caps, Rule, SendingRule
from gateway.settings import Limits, Wallet
from gateway.store.queries.pace import Pace
from gateway.store.queries.reputation import Suspension
from gateway.store.queries.standing import Standing
from tests.support.records import INBOX, NOW, policy_version

DAY = 86_400_000_000
NEW = NOW - DAY
MESSAGE = Message([("to[0]", "ann@y.test"), ("cc[0]", "Bob@y.test")], attachments=1)
FREE = Terms(Limits(), Wallet())
PAID = replace(FREE, prices=Wallet(enabled=True, mail_mills=2, attachment_mills=1, new_account_mills=5))
BLOCK = ListRule(pod_id=None, inbox_id=InboxId("i"), direction="send", list_type="block", entry="y.test")
HELD = Suspension("inbox", "abuse", NOW)
CLOSED = policy_version("pod", Rule(sending=SendingRule(mode="receive_only")))
APPROVED = policy_version("organization", Rule(sending=SendingRule(mode="approve_all")))
BLOCKING = policy_version("inbox", Rule(sending=SendingRule(block=("bob@y.test",))))
CAPPED = policy_version("pod", Rule(sending=SendingRule(caps=Caps(per_thread_per_day=1))))
UNREADABLE = msgspec.structs.replace(CLOSED, rule_json="{")


def limited(limits: Limits) -> Terms:
    return replace(FREE, limits=limits)


@pytest.mark.parametrize(
    ("standing", "terms", "code", "field"),
    [
        (Standing(suspension=HELD), FREE, "inbox_suspended", None),
        (Standing(policies=[CLOSED]), FREE, "refused_by_policy", None),
        (Standing(policies=[BLOCKING]), FREE, "refused_by_policy", "cc[0]"),
        (Standing(rules=[BLOCK]), FREE, "message_rejected", "to[0]"),
        (Standing(suppressed={"bob@y.test": "bounce"}), FREE, "recipient_suppressed", "cc[0]"),
        (Standing(burst=3), limited(Limits(sends_per_minute=3)), "send_limit_reached", None),
        (Standing(daily=3), limited(Limits(sends_per_day=3)), "send_limit_reached", None),
        (Standing(organization=3), limited(Limits(organization_sends_per_day=3)), "send_limit_reached", None),
        (Standing(strangers=2), limited(Limits(cold_inbox=1)), "cold_outreach_limit", None),
        (Standing(balance=2), PAID, "insufficient_balance", None),
    ],
)
def test_each_rule_refuses_with_its_code_and_field(
    standing: Standing, terms: Terms, code: str, field: str | None
) -> None:
    decision = decide(standing, INBOX, MESSAGE, terms, NOW)
    assert isinstance(decision, CoreError)
    assert (decision.code, decision.field) == (code, field)
    assert decision.fix


def test_what_a_person_must_approve_is_charged_like_what_goes_at_once() -> None:
    terms = Terms(Limits(sends_per_day=9, organization_sends_per_day=8), PAID.prices)
    held = decide(Standing(policies=[APPROVED]), INBOX, MESSAGE, terms, NOW)
    assert isinstance(held, Held)
    assert held.reasons == ("approve_all",)
    unreadable = decide(Standing(policies=[CLOSED, UNREADABLE]), INBOX, MESSAGE, FREE, NOW)
    assert isinstance(unreadable, Held)
    assert unreadable.reasons == ("policy_unreadable",)
    assert held.allowed == decide(Standing(), INBOX, MESSAGE, terms, NOW)
    assert isinstance(
        decide(
            Standing(policies=[APPROVED], burst=3), INBOX, MESSAGE, limited(Limits(sends_per_minute=3)), NOW
        ),
        CoreError,
    )
    assert isinstance(
        decide(Standing(policies=[APPROVED]), INBOX, replace(MESSAGE, test=True), terms, NOW), Allowed
    )


def test_the_first_of_several_rules_refuses() -> None:
    terms = Terms(
        Limits(sends_per_minute=1, sends_per_day=1, organization_sends_per_day=1, cold_inbox=1), PAID.prices
    )
    every = Standing(
        suspension=HELD,
        policies=[CLOSED],
        rules=[BLOCK],
        suppressed={"ann@y.test": "unsub"},
        burst=1,
        daily=1,
        organization=1,
        strangers=2,
        balance=0,
    )
    reinstated = replace(every, suspension=None)
    opened = replace(reinstated, policies=[])
    unlisted = replace(opened, rules=[])
    wanted = replace(unlisted, suppressed={})
    slow = replace(wanted, burst=0)
    rested = replace(slow, daily=0)
    alone = replace(rested, organization=0)
    known = replace(alone, strangers=0, pace=Pace(thread=1), policies=[CAPPED])
    slowed = replace(known, pace=Pace())
    seen = []
    for standing in (every, reinstated, opened, unlisted, wanted, slow, rested, alone, known, slowed):
        decision = decide(standing, INBOX, MESSAGE, terms, NOW)
        assert isinstance(decision, CoreError)
        seen.append(decision.facts.get("scope", decision.code))
    assert seen == [
        "inbox_suspended",
        "refused_by_policy",
        "message_rejected",
        "recipient_suppressed",
        "burst",
        "daily",
        "global",
        "cold_outreach",
        "daily",
        "insufficient_balance",
    ]


def test_what_is_allowed_says_what_it_is_charged_and_which_limit_has_least_left() -> None:
    terms = Terms(
        Limits(
            sends_per_day=9,
            organization_sends_per_day=8,
            cold_organization=5,
            cold_inbox=4,
            cold_new_organization=2,
            cold_new_inbox=2,
        ),
        PAID.prices,
    )
    decision = decide(Standing(strangers=2, organization_since=INBOX.created_at), INBOX, MESSAGE, terms, NOW)
    assert isinstance(decision, Allowed)
    assert decision.allowance is not None
    assert (decision.allowance.span, decision.allowance.remaining) == ("cold_outreach", 2)
    assert decision.counts == (("o", "sends", 1), ("o", "cold", 2), ("i", "cold", 2))
    assert decision.mills == 3


def test_mail_to_the_simulator_costs_nothing_and_waits_for_a_person_all_the_same() -> None:
    terms = Terms(
        Limits(organization_sends_per_day=1, cold_inbox=1), Wallet(enabled=True, new_account_mills=0)
    )
    simulated = replace(MESSAGE, simulated=True)
    held = decide(Standing(policies=[APPROVED], organization=1, strangers=2), INBOX, simulated, terms, NOW)
    assert isinstance(held, Held)
    assert (held.allowed.counts, held.allowed.mills) == ((), None)


def test_a_sandbox_send_is_held_against_its_inbox_alone_and_costs_nothing() -> None:
    terms = Terms(
        Limits(sends_per_minute=5, organization_sends_per_day=1, cold_inbox=1),
        Wallet(enabled=True, new_account_mills=0),
    )
    sandbox = replace(MESSAGE, test=True)
    decision = decide(Standing(organization=1, strangers=2, burst=1), INBOX, sandbox, terms, NOW)
    assert isinstance(decision, Allowed)
    assert decision.allowance is not None
    assert (decision.allowance.span, decision.allowance.remaining) == ("burst", 3)
    assert (decision.counts, decision.mills) == ((), None)


def test_a_new_inbox_has_the_lower_cap_for_strangers() -> None:
    terms = limited(Limits(cold_inbox=9, cold_new_inbox=2))
    young = msgspec.structs.replace(INBOX, created_at=NEW)
    standing = Standing(strangers=2, cold_inbox=1)
    assert isinstance(decide(standing, INBOX, MESSAGE, terms, NOW), Allowed)
    refused = decide(standing, young, MESSAGE, terms, NOW)
    assert isinstance(refused, TooMany)
    assert "this message has 2 of them, 1 are left" in refused.message


def test_a_minute_is_over_a_minute_after_its_first_send() -> None:
    refused = decide(
        Standing(burst=1, oldest=NOW - 50_000_000), INBOX, MESSAGE, limited(Limits(sends_per_minute=1)), NOW
    )
    assert isinstance(refused, TooMany)
    assert refused.retry_after == 10


def test_who_was_never_charged_has_what_a_new_account_has() -> None:
    assert isinstance(decide(Standing(), INBOX, MESSAGE, PAID, NOW), Allowed)
    refused = decide(Standing(), INBOX, replace(MESSAGE, attachments=9), PAID, NOW)
    assert isinstance(refused, Unpaid)
    assert (refused.balance, refused.cost, refused.remaining) == (5, 11, 2)
