"""The exact bytes of a webhook body: what ``JSON.stringify(JSON.parse(body))`` would give again.

Receivers that verify a signature over a re-serialised body (many JavaScript frameworks parse first) get the same
bytes back. ECMA-262 decides: §25.5.2 (JSON.stringify), §6.1.6.1.20 (Number::toString) and §10.1.11.1 (keys that
look like array indices come first, ascending).
"""

from __future__ import annotations

import math
from decimal import Decimal

import msgspec

_MAX_INDEX = (1 << 32) - 2
_EXACT = 1 << 53
_encode = msgspec.json.Encoder().encode


def body_bytes(value: object) -> bytes:
    """Encode plain JSON data (dicts with text keys, lists, text, numbers, booleans, None) as compact UTF-8."""
    return _encode(_settled(value))


def _settled(value: object) -> object:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, dict):
        indices = [key for key in value if _is_index(key)]
        if not indices:
            return {key: _settled(one) for key, one in value.items()}
        order = [*sorted(indices, key=int), *(key for key in value if not _is_index(key))]
        return {key: _settled(value[key]) for key in order}
    if isinstance(value, list | tuple):
        return [_settled(one) for one in value]
    if isinstance(value, int):
        return value if -_EXACT <= value <= _EXACT else msgspec.Raw(_number(float(value)))
    if isinstance(value, float):
        return msgspec.Raw(_number(value))
    return _settled(msgspec.to_builtins(value))


def _is_index(key: str) -> bool:
    """Whether JavaScript would move this key to the front of its object."""
    if not ("0" <= key[:1] <= "9") or len(key) > 10 or not (key.isascii() and key.isdigit()):
        return False
    return (key == "0" or key[0] != "0") and int(key) <= _MAX_INDEX


def _number(value: float) -> bytes:
    """Number::toString of a double."""
    if not math.isfinite(value):
        return b"null"
    if value == 0:
        return b"0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)  # where the decimal point stands, counted from the first digit
    if 0 < point <= 21:
        shown = text.ljust(point, "0") if point >= len(text) else f"{text[:point]}.{text[point:]}"
    elif -6 < point <= 0:
        shown = "0." + "0" * -point + text
    else:
        shown = (
            f"{text[0]}{'.' if len(text) > 1 else ''}{text[1:]}e{'+' if point > 0 else '-'}{abs(point - 1)}"
        )
    return (("-" if sign else "") + shown).encode()
