"""As what a mailbox got a mail: written to, or only copied."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from gateway.mime.addresses import is_own
from gateway.mime.types import Address


def delivery_role(own: str, to: Iterable[Address], cc: Iterable[Address]) -> Literal["to", "cc"] | None:
    """``to`` when the mailbox ``own`` (with any subaddress) is in To, ``cc`` when only in Cc.

    None when it is in neither: a blind copy, a list, a forward.
    """
    if any(is_own(one.email, own) for one in to):
        return "to"
    if any(is_own(one.email, own) for one in cc):
        return "cc"
    return None
