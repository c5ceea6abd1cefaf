"""Public ids: what a thing is, and its ULID (``inb_01j…``). ``store.ids`` mints ULIDs and reads public ids."""

from __future__ import annotations

from typing import Literal, overload

Prefix = Literal["att", "dft", "evt", "inb", "key", "msg", "org", "pod", "rule", "thr", "wh"]


@overload
def public_id(prefix: Prefix, ulid: str) -> str: ...


@overload
def public_id(prefix: Prefix, ulid: str | None) -> str | None: ...


def public_id(prefix: Prefix, ulid: str | None) -> str | None:
    """The public id of a thing; None for None."""
    return None if ulid is None else f"{prefix}_{ulid}"
