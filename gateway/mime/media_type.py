"""A media type with its parameters (RFC 2045 §5.1), as it was given and as it may be written into a mail."""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.mime.headers import parse_parameters

OCTETS = "application/octet-stream"
_NAME = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}\Z")
_KEY = re.compile(r"[a-z0-9!#$&+^_`{|}~.-]{1,60}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_OURS = frozenset(
    ("name", "boundary")
)  # the file name has a field of its own; a boundary would be another body's
_MAX_PARAMETERS = 10
_MAX_VALUE = 300  # characters


class MediaType(NamedTuple):
    """``name``: type/subtype in lower case. ``parameters``: ``method`` or ``charset`` by name; no control character."""

    name: str
    parameters: dict[str, str]

    def __str__(self) -> str:
        """As ``media_type`` reads it again."""
        shown = [
            f'; {key}="' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
            for key, value in self.parameters.items()
        ]
        return self.name + "".join(shown)


def media_type(text: str) -> MediaType:
    """The type that ``text`` names, ``application/octet-stream`` where it names none; parameters that cannot be written
    into a header, the file name and a boundary are left out."""
    name, parameters = parse_parameters(text)
    return MediaType(name, fit_parameters(parameters)) if is_type(name) else MediaType(OCTETS, {})


def is_type(name: str) -> bool:
    """Whether ``name`` is a type and a subtype in lower case."""
    return _NAME.match(name) is not None


def fit_parameters(parameters: dict[str, str]) -> dict[str, str]:
    """The parameters that describe content and can be written into a header of ours."""
    kept = {
        key: value
        for key, value in parameters.items()
        if key not in _OURS
        and _KEY.match(key)
        and 0 < len(value) <= _MAX_VALUE
        and not _CONTROL.search(value)
    }
    return dict(list(kept.items())[:_MAX_PARAMETERS])
