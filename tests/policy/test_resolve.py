"""What holds by the rules of an organization, a pod and an inbox; that a lock only ever makes it stricter."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import CoreError, Forbidden, Invalid, TooLarge
from gateway.core.policy.check import Wanted, check_locks, checked
from gateway.core.policy.mode import mode_error
from gateway.core.policy.patterns import means
from gateway.core.policy.recipients import recipient_error
from gateway.core.policy.resolve import (
    CAPS,
    MODES,
    NAMES,
    Policy,
    Unreadable,
    policy_of,
    resolved,
    stricter_cap,
)
from gateway.records.policies import Caps, Level, Mode, Rule, SendingRule
from tests.support.records import policy_version

LEVELS: tuple[Level, ...] = ("organization", "pod", "inbox")


def layers(*rules: Rule) -> list[tuple[Level, Rule]]:
    return list(zip(LEVELS, rules, strict=False))


def said(*, locked: Any = (), **sending: Any) -> Rule:
    return Rule(sending=SendingRule(**sending), locked=locked)


FREE, CLOSED, NOTHING = said(mode="free"), said(mode="receive_only"), Rule()
LOCKED_FREE, LOCKED_CLOSED = (said(mode=mode, locked=("sending.mode",)) for mode in ("free", "receive_only"))


@pytest.mark.parametrize(
    ("rules", "mode", "origin", "locked"),
    [
        ((), "free", "default", None),
        ((NOTHING, NOTHING, NOTHING), "free", "default", None),
        ((CLOSED,), "receive_only", "organization", None),
        ((CLOSED, NOTHING, FREE), "free", "inbox", None),
        ((CLOSED, FREE, NOTHING), "free", "pod", None),
        ((LOCKED_CLOSED, FREE, FREE), "receive_only", "organization", "organization"),
        ((LOCKED_FREE, CLOSED), "receive_only", "pod", "organization"),
        ((LOCKED_FREE, CLOSED, FREE), "receive_only", "pod", "organization"),
        ((FREE, LOCKED_CLOSED, FREE), "receive_only", "pod", "pod"),
        ((FREE, NOTHING, LOCKED_CLOSED), "receive_only", "inbox", "inbox"),
        (
            (said(mode="approve_all", locked=("sending.mode",)), FREE),
            "approve_all",
            "organization",
            "organization",
        ),
        ((said(mode="approve_all", locked=("sending.mode",)), CLOSED), "receive_only", "pod", "organization"),
        ((CLOSED, said(locked=("sending.mode",)), FREE), "receive_only", "organization", "pod"),
    ],
)
def test_the_narrowest_rule_decides_and_a_lock_lets_it_be_stricter_only(
    rules: tuple[Rule, ...], mode: str, origin: str, locked: str | None
) -> None:
    held = resolved(layers(*rules)).mode
    assert (held.value, held.origin, held.locked) == (mode, origin, locked)


def test_of_locked_patterns_both_must_allow_and_either_blocks() -> None:
    above = said(
        only=("*.x.test", "ann@y.test"), block=("bad@x.test",), locked=("sending.only", "sending.block")
    )
    below = said(only=("x.test", "y.test", "z.test"), block=("worse@x.test",))
    policy = resolved(layers(above, below))
    assert policy.only.value == ("ann@y.test", "x.test")
    assert policy.block.value == ("bad@x.test", "worse@x.test")
    assert policy.only.origin == policy.block.origin == "pod"
    open_above = msgspec.structs.replace(above, locked=())
    unlocked = resolved(layers(open_above, below))
    assert (unlocked.only.value, unlocked.block.value) == (below.sending.only, below.sending.block)


_CAP = st.sampled_from([None, 0, 1, 5])
_RULES = st.builds(
    lambda mode, only, block, risky, action, cap, days, locked: Rule(
        sending=SendingRule(
            mode=mode,
            allow=only,
            only=only,
            block=block,
            risky=risky,
            caps_action=action,
            caps=Caps(per_day=cap, ramp_days=days),
        ),
        locked=tuple(locked),
    ),
    st.sampled_from([None, *MODES]),
    st.sampled_from([None, (), ("*",), ("x.test",), ("ann@x.test", "y.test")]),
    st.sampled_from([None, (), ("x.test",), ("ann@x.test",)]),
    st.sampled_from([None, (), ("provenance",), ("outside_thread", "first_contact")]),
    st.sampled_from([None, "hold", "refuse"]),
    _CAP,
    _CAP,
    st.lists(st.sampled_from(NAMES), unique=True),
)


@given(
    st.lists(_RULES, min_size=1, max_size=2),
    _RULES,
    st.sampled_from(["ann@x.test", "bob@y.test", "c@z.test"]),
)
def test_nothing_below_a_lock_lets_out_what_is_stopped_above(
    above: list[Rule], below: Rule, address: str
) -> None:
    wide, narrow = resolved(layers(*above)), resolved(layers(*above, below))
    if wide.mode.locked:
        assert MODES.index(narrow.mode.value) >= MODES.index(wide.mode.value)
    if wide.only.locked and means(narrow.only.value, address):
        assert means(wide.only.value, address)
    if wide.block.locked and means(wide.block.value, address):
        assert means(narrow.block.value, address)
    if wide.allow.locked and means(narrow.allow.value, address):
        assert means(wide.allow.value, address)
    if wide.risky.locked:
        assert set(wide.risky.value) <= set(narrow.risky.value)
    if wide.caps_action.locked and wide.caps_action.value == "refuse":
        assert narrow.caps_action.value == "refuse"
    for cap in CAPS:
        if wide.caps[cap].locked:
            stricter = stricter_cap(cap, wide.caps[cap].value, narrow.caps[cap].value)
            assert stricter == narrow.caps[cap].value


@given(_RULES, _RULES)
def test_what_is_not_refused_as_too_lax_holds_as_it_was_asked_for(above: Rule, below: Rule) -> None:
    wide = resolved(layers(above))
    try:
        check_locks(below, wide)
    except Forbidden:
        return
    held, own = resolved(layers(above, below)), below.sending
    assert own.mode in (None, held.mode.value)
    assert own.risky in (None, held.risky.value)
    assert own.caps_action in (None, held.caps_action.value)
    assert all(getattr(own.caps, cap) in (None, held.caps[cap].value) for cap in CAPS)
    for address in ("ann@x.test", "bob@x.test", "bob@y.test", "c@z.test"):
        assert own.only is None or means(own.only, address) == means(held.only.value, address)
        assert own.block is None or means(own.block, address) == means(held.block.value, address)


_UNREADABLE = [
    "",
    "null",
    "[]",
    "{",
    '{"sending":{"mode":"new"}}',
    '{"sending":{"new":1}}',
    '{"locked":["x"]}',
]


@pytest.mark.parametrize("text", _UNREADABLE)
def test_what_cannot_be_read_makes_the_whole_policy_unreadable(text: str) -> None:
    read = policy_version("organization", Rule())
    broken = msgspec.structs.replace(policy_version("pod", Rule()), rule_json=text)
    assert policy_of([read, broken]) == Unreadable("pod")
    assert isinstance(policy_of([read]), Policy)


@pytest.mark.parametrize(
    ("wanted", "kind", "field"),
    [
        (Wanted(mode="open"), Invalid, "sending.mode"),
        (Wanted(mode=""), Invalid, "sending.mode"),
        (Wanted(only=["x.test", "no domain"]), Invalid, "sending.only[1]"),
        (Wanted(block=[""]), Invalid, "sending.block[0]"),
        (Wanted(block=["x.test"] * 501), TooLarge, "sending.block"),
        (Wanted(caps={"per_day": -1}), Invalid, "sending.caps.per_day"),
        (Wanted(caps={"ramp_days": 366}), Invalid, "sending.caps.ramp_days"),
        (Wanted(locked=["sending.mode", "mode"]), Invalid, "locked[1]"),
    ],
)
def test_a_rule_that_does_not_do_is_refused_with_its_field_and_a_way_out(
    wanted: Wanted, kind: type[CoreError], field: str
) -> None:
    with pytest.raises(kind) as refused:
        checked(wanted)
    assert refused.value.field == field
    assert refused.value.fix


def test_a_rule_is_kept_in_one_spelling() -> None:
    rule = checked(Wanted(only=["Y.test", "ann@x.test", "y.test"], locked=["sending.only", "sending.mode"]))
    assert rule.sending.only == ("ann@x.test", "y.test")
    assert rule.locked == ("sending.mode", "sending.only")


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (NOTHING, None),
        (FREE, None),
        (said(block=["y.test"]), "cc[0]"),
        (said(only=["x.test"]), "cc[0]"),
        (said(only=["x.test", "bob@y.test"]), None),
        (said(only=[]), "to[0]"),
        (said(only=["x.test", "y.test"], block=["ann@x.test"]), "to[0]"),
    ],
)
def test_each_recipient_is_held_against_the_patterns(rule: Rule, field: str | None) -> None:
    policy = resolved(layers(rule))
    refused = recipient_error(policy, [("to[0]", "ann@x.test"), ("cc[0]", "Bob@Y.test")])
    assert (refused and refused.field) == field


@pytest.mark.parametrize(("mode", "goes"), [("free", True), ("receive_only", False)])
def test_each_mode_says_what_goes_out(mode: Mode, goes: bool) -> None:
    assert (mode_error(resolved(layers(said(mode=mode)))) is None) == goes
