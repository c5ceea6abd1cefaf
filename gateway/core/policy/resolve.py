"""What holds for an organization, a pod or an inbox, by the rules over it.

The narrowest rule that says anything about a value decides. Where a wider rule has locked the value, a narrower one
counts only as far as it is stricter: of two modes the stricter one, of ``only`` and ``allow`` what both name, of
``block`` and ``risky`` what either names, of two caps the lower one; of ``reviewers`` the wider rule's alone.

A rule that cannot be read makes the whole policy unreadable, and then everything is held: it may have said anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar, get_args

from gateway.core.policy.patterns import EVERYBODY, common
from gateway.records.policies import Cap, CapsAction, Level, Mode, Name, PolicyVersion, Risk, Rule

T = TypeVar("T")
Origin = Literal["default"] | Level
Patterns = tuple[str, ...]

MODES: tuple[Mode, ...] = get_args(Mode)
RISKS: tuple[Risk, ...] = get_args(Risk)
CAPS_ACTIONS: tuple[CapsAction, ...] = get_args(CapsAction)
CAPS: tuple[Cap, ...] = get_args(Cap)
NAMES: tuple[Name, ...] = get_args(Name)
NAME_OF_CAP: Mapping[Cap, Name] = {
    cap: name for cap in CAPS for name in NAMES if name == f"sending.caps.{cap}"
}


@dataclass(frozen=True, slots=True)
class Value(Generic[T]):
    """What holds. ``origin``: whose rule says so; ``locked``: whose rule lets narrower ones be stricter only."""

    value: T
    origin: Origin
    locked: Level | None


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for whoever the rules are over."""

    mode: Value[Mode]
    allow: Value[Patterns]
    only: Value[Patterns]
    block: Value[Patterns]
    reviewers: Value[Patterns]
    risky: Value[tuple[Risk, ...]]
    caps_action: Value[CapsAction]
    caps: Mapping[Cap, Value[int]]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What holds is not known: the rule of ``origin`` cannot be read."""

    origin: Level


def policy_of(rules: Sequence[PolicyVersion]) -> Policy | Unreadable:
    """What holds by ``rules`` (the widest first): those over an inbox, a pod or an organization, its own among them."""
    layers: list[tuple[Level, Rule]] = []
    for one in rules:
        rule = one.rule()
        if rule is None:
            return Unreadable(one.level)
        layers.append((one.level, rule))
    return resolved(layers)


def resolved(layers: Sequence[tuple[Level, Rule]]) -> Policy:
    """The same of rules that were read."""
    return Policy(
        mode=_held(layers, "sending.mode", "free", lambda rule: rule.sending.mode, stricter_mode),
        allow=_held(layers, "sending.allow", (), lambda rule: rule.sending.allow, common),
        only=_held(layers, "sending.only", (EVERYBODY,), lambda rule: rule.sending.only, common),
        block=_held(layers, "sending.block", (), lambda rule: rule.sending.block, either),
        reviewers=_held(
            layers, "sending.reviewers", (), lambda rule: rule.sending.reviewers, lambda wide, own: wide
        ),
        risky=_held(layers, "sending.risky", RISKS, lambda rule: rule.sending.risky, either_risk),
        caps_action=_held(
            layers, "sending.caps_action", "refuse", lambda rule: rule.sending.caps_action, stricter_action
        ),
        caps={cap: _cap(layers, cap) for cap in CAPS},
    )


def stricter_mode(one: Mode, other: Mode) -> Mode:
    """The stricter of two modes."""
    return max(one, other, key=MODES.index)


def either(some: Patterns, others: Patterns) -> Patterns:
    """What either names, sorted."""
    return tuple(sorted({*some, *others}))


def either_risk(some: tuple[Risk, ...], others: tuple[Risk, ...]) -> tuple[Risk, ...]:
    """The reasons that either counts."""
    return tuple(risk for risk in RISKS if risk in some or risk in others)


def stricter_action(one: CapsAction, other: CapsAction) -> CapsAction:
    """The stricter of two actions."""
    return max(one, other, key=CAPS_ACTIONS.index)


def stricter_cap(cap: Cap, one: int, other: int) -> int:
    """The stricter of two values of a cap, 0 being no limit."""
    if not one or not other:
        return one or other
    return max(one, other) if cap == "ramp_days" else min(one, other)


def _cap(layers: Sequence[tuple[Level, Rule]], cap: Cap) -> Value[int]:
    def said(rule: Rule) -> int | None:
        own: int | None = getattr(rule.sending.caps, cap)
        return own

    return _held(layers, NAME_OF_CAP[cap], 0, said, lambda one, other: stricter_cap(cap, one, other))


def _held(
    layers: Sequence[tuple[Level, Rule]],
    name: Name,
    default: T,
    said: Callable[[Rule], T | None],
    stricter: Callable[[T, T], T],
) -> Value[T]:
    value, origin, locked = default, _DEFAULT, _NOBODY
    for level, rule in layers:
        own = said(rule)
        if own is not None:
            wanted = own if locked is None else stricter(value, own)
            if locked is None or wanted != value:
                value, origin = wanted, level
        if locked is None and name in rule.locked:
            locked = level
    return Value(value, origin, locked)


_DEFAULT: Origin = "default"
_NOBODY: Level | None = None
