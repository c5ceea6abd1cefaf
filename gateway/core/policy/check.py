"""Whether a new rule does: its values, and whether a wider rule has locked one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.core.errors import Forbidden, Invalid, TooLarge
from gateway.core.policy.patterns import check_pattern, within
from gateway.core.policy.resolve import (
    CAPS,
    CAPS_ACTIONS,
    MODES,
    NAME_OF_CAP,
    NAMES,
    RISKS,
    Policy,
    stricter_cap,
    stricter_mode,
)
from gateway.mime.addresses import InvalidAddress, check_address, normalise
from gateway.records.policies import Cap, Caps, Level, Name, Risk, Rule, SendingRule

T = TypeVar("T", bound=str)

MOST_PATTERNS = 500
MOST_SENDS = 1_000_000
MOST_REVIEWERS = 20
MOST_RAMP_DAYS = 365
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A rule as a caller gives it; None says nothing."""

    mode: str | None = None
    allow: Sequence[str] | None = None
    only: Sequence[str] | None = None
    block: Sequence[str] | None = None
    reviewers: Sequence[str] | None = None
    risky: Sequence[str] | None = None
    caps_action: str | None = None
    caps: Mapping[Cap, int | None] = field(default_factory=dict)
    locked: Sequence[str] = ()


def checked(wanted: Wanted) -> Rule:
    """The rule. Raises Invalid, TooLarge."""
    return Rule(
        sending=SendingRule(
            mode=_one(wanted.mode, "sending.mode", MODES),
            allow=_patterns(wanted.allow, "sending.allow"),
            only=_patterns(wanted.only, "sending.only"),
            block=_patterns(wanted.block, "sending.block"),
            reviewers=_reviewers(wanted.reviewers),
            risky=_risky(wanted.risky),
            caps_action=_one(wanted.caps_action, "sending.caps_action", CAPS_ACTIONS),
            caps=Caps(**{cap: _cap(cap, wanted.caps.get(cap)) for cap in CAPS}),
        ),
        locked=_locked(wanted.locked),
    )


def check_locks(rule: Rule, above: Policy) -> None:
    """Raise Forbidden for a value that is laxer than the wider policy which locks it (``above``)."""
    own, mode, only, block = rule.sending, above.mode, above.only, above.block
    allow, risky, action = above.allow, above.risky, above.caps_action
    if mode.locked and own.mode is not None and stricter_mode(own.mode, mode.value) != own.mode:
        raise _locked_error("sending.mode", mode.locked, mode.value)
    if only.locked and own.only is not None and not within(own.only, only.value):
        raise _locked_error("sending.only", only.locked, _listed(only.value))
    if block.locked and own.block is not None and not within(block.value, own.block):
        raise _locked_error("sending.block", block.locked, _listed(block.value))
    people = above.reviewers
    if people.locked and own.reviewers is not None and own.reviewers != people.value:
        raise _locked_error("sending.reviewers", people.locked, _listed(people.value))
    if allow.locked and own.allow is not None and not within(own.allow, allow.value):
        raise _locked_error("sending.allow", allow.locked, _listed(allow.value))
    if risky.locked and own.risky is not None and not set(risky.value) <= set(own.risky):
        raise _locked_error("sending.risky", risky.locked, ", ".join(risky.value))
    if action.locked and own.caps_action is not None and action.value == "refuse" != own.caps_action:
        raise _locked_error("sending.caps_action", action.locked, action.value)
    for cap, held in above.caps.items():
        wanted: int | None = getattr(own.caps, cap)
        if held.locked and wanted is not None and stricter_cap(cap, wanted, held.value) != wanted:
            raise _locked_error(NAME_OF_CAP[cap], held.locked, str(held.value))


def _locked_error(name: Name, level: Level, held: str) -> Forbidden:
    return Forbidden(
        f"{name} is locked by the policy of the {level} ({held}): here it may only be stricter",
        field=name,
        code="policy_locked",
        fix=f"ask for the same or more, leave {name} out, or have the lock taken off there",
    )


def _listed(patterns: Sequence[str]) -> str:
    shown = ", ".join(patterns[:_SHOWN]) or "nobody"
    return shown if len(patterns) <= _SHOWN else f"{shown} and {len(patterns) - _SHOWN} more"


def _one(text: str | None, name: Name, known: Sequence[T]) -> T | None:
    if text is None:
        return None
    for one in known:
        if one == text:
            return one
    raise Invalid(f"{text[:100]!r} is no value of {name}", field=name, fix=f"write one of {', '.join(known)}")


def _risky(given: Sequence[str] | None) -> tuple[Risk, ...] | None:
    if given is None:
        return None
    for at, one in enumerate(given):
        if one not in RISKS:
            raise Invalid(
                f"{one[:100]!r} is no reason",
                field=f"sending.risky[{at}]",
                fix=f"write some of {', '.join(RISKS)}",
            )
    return tuple(risk for risk in RISKS if risk in given)


def _cap(cap: Cap, given: int | None) -> int | None:
    most = MOST_RAMP_DAYS if cap == "ramp_days" else MOST_SENDS
    if given is not None and not 0 <= given <= most:
        name = NAME_OF_CAP[cap]
        raise Invalid(f"{name} is from 0 to {most}", field=name, fix="write 0 for no limit")
    return given


def _patterns(given: Sequence[str] | None, field: Name) -> tuple[str, ...] | None:
    if given is None:
        return None
    if len(given) > MOST_PATTERNS:
        raise TooLarge(
            f"{len(given)} patterns are too many: at most {MOST_PATTERNS}",
            field=field,
            fix="name domains instead of their addresses, or use /lists, which have no limit",
        )
    return tuple(sorted({check_pattern(one, f"{field}[{at}]") for at, one in enumerate(given)}))


def _reviewers(given: Sequence[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    field = "sending.reviewers"
    if len(given) > MOST_REVIEWERS:
        raise TooLarge(f"{len(given)} reviewers are too many: at most {MOST_REVIEWERS}", field=field)
    people = []
    for at, one in enumerate(given):
        try:
            people.append(normalise(check_address(one.strip())))
        except InvalidAddress as error:
            raise Invalid(
                f"{field}[{at}]: {error}", field=f"{field}[{at}]", fix="write an address, name@example.com"
            ) from error
    return tuple(sorted(set(people)))


def _locked(given: Sequence[str]) -> tuple[Name, ...]:
    for at, one in enumerate(given):
        if one not in NAMES:
            raise Invalid(
                f"{one[:100]!r} is no value of a policy",
                field=f"locked[{at}]",
                fix=f"write one of {', '.join(NAMES)}",
            )
    return tuple(name for name in NAMES if name in given)
