"""What makes a message risky, and what each mode does with it: tables of what came before it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.core.errors import Rejected, TooMany
from gateway.core.policy.resolve import RISKS, resolved
from gateway.core.sending.decide import Allowed, Held, Message, Terms, decide
from gateway.core.sending.risky import risks_of
from gateway.records.policies import Caps, CapsAction, Mode, Risk, Rule, SendingRule
from gateway.settings import Limits, Wallet
from gateway.store.queries.conversation import Conversation, Source
from gateway.store.queries.pace import Pace
from gateway.store.queries.standing import Standing
from tests.support.records import INBOX, NOW, policy_version

ANN, BOB = "ann@y.test", "bob@z.test"
TO_BOTH = Message([("to[0]", "Ann@Y.test"), ("cc[0]", BOB)], attachments=1)
FREE = Terms(Limits(), Wallet())
KNOWN = Conversation()
STRANGER = Conversation(unknown=frozenset({BOB}))
FROM_ANN = Source(proven=False, people=frozenset({ANN}))


@pytest.mark.parametrize(
    ("before", "reasons"),
    [
        (KNOWN, []),
        (STRANGER, ["attachment_to_stranger", "first_contact"]),
        (replace(STRANGER, own=frozenset({BOB})), []),
        (Conversation(thread=frozenset({ANN, BOB})), []),
        (Conversation(thread=frozenset({ANN})), ["outside_thread"]),
        (Conversation(source=FROM_ANN), ["provenance"]),
        (Conversation(source=replace(FROM_ANN, proven=True)), []),
        (Conversation(source=replace(FROM_ANN, people=frozenset({ANN, BOB}))), []),
        (Conversation(suspicious=True), ["suspicious_thread"]),
        (Conversation(suspicious=True, own=frozenset({ANN, BOB})), []),
        (
            Conversation(unknown=frozenset({BOB}), source=FROM_ANN, thread=frozenset({ANN}), suspicious=True),
            [*RISKS],
        ),
    ],
)
def test_what_came_before_a_message_makes_it_risky(before: Conversation, reasons: list[Risk]) -> None:
    policy = resolved([])
    assert [*risks_of(policy, before, TO_BOTH.recipients, TO_BOTH.attachments)] == reasons
    assert "attachment_to_stranger" not in risks_of(policy, before, TO_BOTH.recipients, 0)
    allowing = resolved([("inbox", Rule(sending=SendingRule(allow=("*.z.test", "y.test"))))])
    assert risks_of(allowing, before, TO_BOTH.recipients, 1) == ()
    counting = resolved([("inbox", Rule(sending=SendingRule(risky=("first_contact",))))])
    assert set(risks_of(counting, before, TO_BOTH.recipients, 1)) == {"first_contact"} & {*reasons}


def decided(mode: Mode, before: Conversation | None, message: Message = TO_BOTH) -> object:
    standing = Standing(
        policies=[policy_version("pod", Rule(sending=SendingRule(mode=mode)))], conversation=before
    )
    return decide(standing, INBOX, message, FREE, NOW)


def test_each_mode_notes_or_holds_what_is_risky() -> None:
    risks = ("attachment_to_stranger", "first_contact")
    table: list[tuple[Mode, Conversation | None, type[Allowed | Held], tuple[str, ...]]] = [
        ("free", None, Allowed, ()),
        ("monitored", KNOWN, Allowed, ()),
        ("monitored", STRANGER, Allowed, risks),
        ("approve_risky", KNOWN, Allowed, ()),
        ("approve_risky", STRANGER, Held, risks),
        ("approve_all", KNOWN, Held, ("approve_all",)),
        ("approve_all", STRANGER, Held, (*risks, "approve_all")),
    ]
    for mode, before, outcome, reasons in table:
        decision = decided(mode, before)
        assert isinstance(decision, outcome), mode
        assert (decision.reasons if isinstance(decision, Held) else decision.risks) == reasons
    assert isinstance(decided("receive_only", STRANGER), Rejected)
    assert isinstance(decided("approve_all", None, replace(TO_BOTH, test=True)), Allowed)


@pytest.mark.parametrize(
    ("mode", "action", "held"),
    [
        ("free", "hold", False),
        ("monitored", "hold", False),
        ("approve_risky", "refuse", False),
        ("approve_risky", "hold", True),
        ("approve_all", "hold", True),
    ],
)
def test_a_message_beyond_a_cap_is_held_where_the_policy_says_so(
    mode: Mode, action: CapsAction, held: bool
) -> None:
    rule = Rule(
        sending=SendingRule(
            mode=mode, caps_action=action, caps=Caps(per_thread_per_day=1, per_recipient_per_day=1)
        )
    )
    standing = Standing(
        policies=[policy_version("pod", rule)],
        pace=Pace(thread=1, recipients={ANN: 1, BOB: 1}),
        conversation=KNOWN,
    )
    decision = decide(standing, INBOX, TO_BOTH, FREE, NOW)
    if not held:
        assert isinstance(decision, TooMany)
        return
    assert isinstance(decision, Held)
    assert decision.reasons[0] == "cap_exceeded"
    assert decision.reasons.count("cap_exceeded") == 1
