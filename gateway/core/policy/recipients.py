"""The rules ``sending.block`` and ``sending.only``: to whom mail may go. A block always wins."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.core.errors import Rejected
from gateway.core.policy.mode import CODE
from gateway.core.policy.patterns import EVERYBODY, means
from gateway.core.policy.resolve import Policy


def recipient_error(policy: Policy, recipients: Iterable[tuple[str, str]]) -> Rejected | None:
    """Why a message may not go to one of its ``recipients`` (field, address); None when it may go to all."""
    block, only = frozenset(policy.block.value), frozenset(policy.only.value)
    if not block and EVERYBODY in only:
        return None
    for field, address in recipients:
        if means(block, address):
            return Rejected(
                f"the policy of the {policy.block.origin} blocks mail to {address}",
                field=field,
                code=CODE,
                fix="take the recipient out, or have whoever manages the policy change sending.block",
            )
        if not means(only, address):
            return Rejected(
                f"the policy of the {policy.only.origin} does not allow mail to {address}",
                field=field,
                code=CODE,
                fix="take the recipient out, or have whoever manages the policy add it to sending.only",
            )
    return None
