"""The rule ``sending.mode``: whether anything goes out at all, and whether a person approves it first."""

from __future__ import annotations

from gateway.core.errors import Rejected
from gateway.core.policy.resolve import Policy, Unreadable

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


def held_by_mode(policy: Policy) -> tuple[str, ...]:
    """Why a message is held until a person approves it, in stable words; empty when it is not."""
    return ("approve_all",) if policy.mode.value == "approve_all" else ()


def unreadable_error(policy: Unreadable) -> Rejected:
    """The refusal while nobody knows what the policy says."""
    return Rejected(
        f"the policy of the {policy.origin} cannot be read by this version of Postern, so nothing is sent",
        code=CODE,
        fix="do not try again; whoever manages the policy sets it anew (PUT …/policy), or upgrades Postern",
    )
