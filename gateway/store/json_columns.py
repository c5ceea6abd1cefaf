"""JSON columns: compact text in, values out. No ASCII escapes, as on the wire (DESIGN §4)."""

from __future__ import annotations

from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def dump(value: object) -> str:
    """Compact JSON text of ``value`` (structs included)."""
    return _encoder.encode(value).decode()


def load(text: str | None) -> Any:
    """The value of a JSON column; None for NULL."""
    return None if text is None else _decoder.decode(text)
