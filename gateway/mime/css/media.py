"""Whether a media query holds in the window that mails are read for (Media Queries 4)."""

from __future__ import annotations

import re

_WIDTH, _HEIGHT = 1000.0, 800.0  # pixels
_LENGTHS = {"px": 1.0, "em": 16.0, "rem": 16.0, "pt": 4 / 3, "in": 96.0, "cm": 37.8}
_PIECES = re.compile(r"\(([^()]{0,200})\)|([a-z-]{1,40})")
_LENGTH = re.compile(r"(-?\d{0,9}\.?\d{0,9})\s?([a-z]{0,4})\Z")
_RANGE = re.compile(r"(<=|>=|<|>|=)")
_SIZES = {"width": _WIDTH, "device-width": _WIDTH, "height": _HEIGHT, "device-height": _HEIGHT}
_FACTS = {
    "prefers-color-scheme": "light",
    "prefers-reduced-motion": "no-preference",
    "orientation": "landscape",
    "hover": "hover",
    "any-hover": "hover",
    "pointer": "fine",
    "any-pointer": "fine",
    "scripting": "none",
    "update": "fast",
    "grid": "0",
}
_TRUE = frozenset(("color", "color-gamut", "hover", "any-hover", "pointer", "any-pointer", "update"))
_RATIOS = re.compile(r"(?:-webkit-|-moz-)?(min|max)-?-?(?:-moz-)?(?:device-pixel-ratio|resolution)")


def media_holds(query: str) -> bool:
    """Whether any of the comma-separated queries holds on a large light screen. One that is not known does not."""
    return any(_holds(one.strip()) for one in query.lower()[:1000].split(","))


def _holds(query: str) -> bool:
    if not query:
        return True
    negated = query.startswith("not ")
    found = []
    for feature, word in _PIECES.findall(query.removeprefix("not ")):
        if feature:
            found.append(_feature(feature))
        elif word not in ("and", "or", "only", "not"):
            found.append(word in ("all", "screen"))
    holds = (any if " or " in query else all)(found) if found else False
    return holds is not negated


def _feature(text: str) -> bool:
    if _RANGE.search(text):
        return _in_range([one.strip() for one in _RANGE.split(text)])
    name, colon, value = (one.strip() for one in text.partition(":"))
    if not colon:
        return name in _SIZES or name in _TRUE
    bound, _, size = name.partition("-")
    if size in _SIZES and bound in ("min", "max"):
        length = _pixels(value)
        return length is not None and (_SIZES[size] >= length if bound == "min" else _SIZES[size] <= length)
    if ratio := _RATIOS.fullmatch(name):
        wanted = re.match(r"\d{0,6}\.?\d{0,6}", value)
        number = float(wanted[0]) if wanted and wanted[0].strip(".") else 0.0
        number /= 96.0 if value.endswith("dpi") else 1.0
        return number <= 1.0 if ratio[1] == "min" else number >= 1.0
    return _FACTS.get(name) == value


def _in_range(pieces: list[str]) -> bool:
    """``width >= 600px``, ``400px <= width < 700px``."""
    values = [_SIZES.get(one) if one in _SIZES else _pixels(one) for one in pieces[::2]]
    for left, sign, right in zip(values, pieces[1::2], values[1:], strict=False):
        if left is None or right is None:
            return False
        if not {"<=": left <= right, ">=": left >= right, "<": left < right, ">": left > right}.get(
            sign, left == right
        ):
            return False
    return True


def _pixels(value: str) -> float | None:
    found = _LENGTH.match(value.strip())
    if found is None or not found[1].strip("-."):
        return None
    factor = _LENGTHS.get(found[2], 1.0 if not found[2] else None)
    return None if factor is None else float(found[1]) * factor
