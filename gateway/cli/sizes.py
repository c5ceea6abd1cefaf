"""Sizes as people write and read them: 500M, 2G. Units are powers of 1024, as Dovecot counts."""

from __future__ import annotations

import re

from gateway.cli.failure import USAGE, Failure

_UNITS = "KMGT"
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,3})?)\s*([kKmMgGtT]?)(?:i?[bB])?")


def octets_of(text: str) -> int:
    """Octets of a size such as ``500M``, ``1.5G`` or ``1048576``. Raises Failure."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise Failure(
            f"{text!r} is not a size", USAGE, fix="write a size such as 500M or 2G, or none, or default"
        )
    power = _UNITS.index(match[2].upper()) + 1 if match[2] else 0
    return round(float(match[1]) * float(1 << 10 * power))


def size_of(octets: int) -> str:
    """A size as people write it: ``500M``, ``1.5G``, ``312K``."""
    for power in range(len(_UNITS), 0, -1):
        if octets >= 1024**power:
            return f"{octets / 1024**power:.1f}".removesuffix(".0") + _UNITS[power - 1]
    return str(octets)
