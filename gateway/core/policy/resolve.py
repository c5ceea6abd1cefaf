"""What holds for an organization, a pod or an inbox, by the rules over it.

The narrowest rule that says anything about a value decides. Where a wider rule has locked the value, a narrower one
counts only as far as it is stricter: of two modes the stricter one, of ``only`` what both name, of ``block`` what
either names.

A rule that cannot be read makes the whole policy unreadable, and then nothing is sent: it may have said anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar, get_args

from gateway.core.policy.patterns import EVERYBODY, common
from gateway.records.policies import Level, Mode, Name, PolicyVersion, Rule

T = TypeVar("T")
Origin = Literal["default"] | Level
Patterns = tuple[str, ...]

MODES: tuple[Mode, ...] = get_args(Mode)


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
    only: Value[Patterns]
    block: Value[Patterns]


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
        only=_held(layers, "sending.only", (EVERYBODY,), lambda rule: rule.sending.only, common),
        block=_held(layers, "sending.block", (), lambda rule: rule.sending.block, either),
    )


def stricter_mode(one: Mode, other: Mode) -> Mode:
    """The stricter of two modes."""
    return max(one, other, key=MODES.index)


def either(some: Patterns, others: Patterns) -> Patterns:
    """What either names, sorted."""
    return tuple(sorted({*some, *others}))


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
