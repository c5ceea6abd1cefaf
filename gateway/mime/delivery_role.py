"""As what a mailbox got a mail: written to, or only copied."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from gateway.mime.types import Address


def delivery_role(
    own: Collection[str], to: Iterable[Address], cc: Iterable[Address]
) -> Literal["to", "cc"] | None:
    """``to`` when an address of the mailbox (``own``: those that the mail names) is in To, ``cc`` when only in Cc.

    None when it is in neither: a blind copy, a list, a forward.
    """
    if any(one.email in own for one in to):
        return "to"
    if any(one.email in own for one in cc):
        return "cc"
    return None
