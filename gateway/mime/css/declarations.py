"""The declarations of a style attribute or a rule, as far as they can hide text (CSS Syntax 3 §5.4.4)."""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.mime.css.text import STRING, plain_css

PROPERTIES = frozenset(
    (
        *("display", "visibility", "content-visibility", "opacity", "filter", "zoom", "mso-hide"),
        *("font", "font-size", "line-height", "color", "-webkit-text-fill-color"),
        *("background", "background-color", "background-image", "background-clip", "-webkit-background-clip"),
        *("width", "height", "max-width", "max-height", "overflow", "overflow-x", "overflow-y"),
        *("clip", "clip-path", "-webkit-clip-path", "transform", "-webkit-transform", "scale", "translate"),
        *("position", "left", "right", "top", "bottom", "text-indent", "margin", "margin-left", "margin-top"),
    )
)
_PARTS = re.compile(rf"(?:[^;\"'()]++|{STRING}|\((?:[^()\"']++|{STRING}|\([^()]*+\))*\)?|\))+")
_LONGEST = 8000  # characters of one block


class Declared(NamedTuple):
    """Values by property, in lower case; custom properties too (``--name``)."""

    normal: dict[str, str]
    important: dict[str, str]


NOTHING = Declared({}, {})


def read_declarations(block: str) -> Declared:
    """Read the inside of a ``style`` attribute or of a rule. The later of two declarations holds."""
    block = plain_css(block[:_LONGEST])
    whole = '"' in block or "'" in block or "url(" in block.lower()
    normal: dict[str, str] = {}
    important: dict[str, str] = {}
    for part in _PARTS.findall(block) if whole else block.split(";"):
        name, colon, value = part.partition(":")
        name = name.strip().lower()
        if not colon or not (name in PROPERTIES or name.startswith("--")):
            continue
        value = " ".join(value.lower().split())
        before, mark, after = value.rpartition("!")
        if mark and after.strip() == "important":
            important[name] = before.strip()
        else:
            normal[name] = value
    return Declared(normal, important) if normal or important else NOTHING
