"""Describes what an operation needs of the key (``gateway.core.access``), as text and as values for programs."""

from __future__ import annotations

from typing import Any

from gateway.core.access import EVERY_KIND, Access

_KINDS = {
    frozenset({"organization"}): "a key of the whole organization",
    frozenset({"organization", "pod"}): "a key of the whole organization or of a pod",
}
_SANDBOX = {
    "any": "",
    "own": "A sandbox key may use it on objects that the sandbox made.",
    "none": "A sandbox key may not use it.",
}


def access_words(access: Access) -> str:
    """Which keys may use an operation, as Markdown; "" when any key may."""
    if access.open:
        return "No key is needed."
    if access.operator:
        return "Only the server's operator may use it" + (f": {access.fix}." if access.fix else ".")
    needs = []
    if access.permissions:
        names = " and ".join(f"`{one}`" for one in access.permissions)
        needs.append(f"the permission{'s' * (len(access.permissions) > 1)} {names}")
    if access.kinds != EVERY_KIND:
        needs.append(_KINDS.get(access.kinds) or "a key of " + " or ".join(sorted(access.kinds)))
    sentences = [f"It needs {' and '.join(needs)}."] if needs else []
    return " ".join([*sentences, _SANDBOX[access.test]]).strip()


def access_values(access: Access) -> dict[str, Any]:
    """The value of ``x-postern-access``."""
    if access.open:
        return {"open": True}
    if access.operator:
        return {"operator": True}
    return {
        "permissions": list(access.permissions),
        "keys": [one for one in ("organization", "pod", "inbox") if one in access.kinds],
        "sandbox": access.test,
    }
