"""The rule ``sending.mode``: whether anything goes out at all, and whether a person approves it first."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.errors import Rejected
from gateway.core.policy.resolve import Policy

CODE = "refused_by_policy"


def mode_error(policy: Policy) -> Rejected | None:
    """Why nothing goes out; None when it may."""
    if policy.mode.value != "receive_only":
        return None
    return Rejected(
        f"this inbox receives only: the policy of the {policy.mode.origin} refuses everything that is sent",
        code=CODE,
        fix="do not try again; whoever manages the policy changes sending.mode (PUT …/policy, postern policy set)",
    )


def held_by_mode(policy: Policy, reasons: Sequence[str]) -> tuple[str, ...]:
    """Why a message is held until a person approves it, in stable words; empty when it is not. ``reasons``: what is
    risky about it."""
    mode = policy.mode.value
    if mode == "approve_all":
        return (*reasons, "approve_all")
    return tuple(reasons) if mode == "approve_risky" else ()


def counts_risks(policy: Policy) -> bool:
    """Whether it matters what is risky about a message."""
    return policy.mode.value in ("monitored", "approve_risky", "approve_all")


def holds_beyond_caps(policy: Policy) -> bool:
    """Whether a message beyond a cap is held, where it would be refused otherwise."""
    return policy.caps_action.value == "hold" and policy.mode.value in ("approve_risky", "approve_all")
