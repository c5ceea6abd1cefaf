"""What the styles of a mail do to its text: hide it, colour it like its ground, set it large.

Only what inline styles, presentational attributes and plain class rules say: the ways in which mails hide text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# bounded repeats everywhere: a style is the sender's to write
_HIDING = re.compile(
    r"display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}(?:hidden|collapse)|mso-hide\s{0,9}:\s{0,9}all"
    r"|(?:opacity|font-size|max-height|(?<!-)(?:width|height))\s{0,9}:\s{0,9}0{0,9}\.?0{1,9}(?:px|pt|em|%)?\s{0,9}(?:[;!]|$)"
    r"|font-size\s{0,9}:\s{0,9}1px|(?:left|top|text-indent)\s{0,9}:\s{0,9}-\d{3}|clip\s{0,9}:\s{0,9}rect\(\s{0,9}0"
    r"|(?<!-)color\s{0,9}:\s{0,9}transparent",
    re.I,
)
_MAYBE_HIDDEN = re.compile(
    r"display\s{0,9}:|visibility|opacity|font-size\s{0,9}:\s{0,9}[01.]|hidden|height\s{0,9}:\s{0,9}0|width\s{0,9}:\s{0,9}0"
    r"|mso-hide|:\s{0,9}-\d{3}|clip\s{0,9}:|transparent|[\U000e0001-\U000e007f]|color\s{0,9}[:=]",
    re.I,
)
_COLOUR = re.compile(r"(?<![-\w])color\s*:\s*([^;!]{1,40})", re.I)
_GROUND = re.compile(r"(?<![-\w])background(?:-color|-image)?\s*:\s*([^;!]{1,400})", re.I)
_HEX = re.compile(
    r"#(?:([0-9a-f])([0-9a-f])([0-9a-f])|([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2}))(?![0-9a-f])", re.I
)
_RGB = re.compile(r"rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})(?:[\s,/]+([\d.]{1,6}))?", re.I)
_SIZE = re.compile(r"font(?:-size)?\s*:[^;]{0,60}?(\d{1,4}(?:\.\d{1,4})?)\s*(px|pt|r?em|%)", re.I)
_SPREAD = re.compile(
    r"letter-spacing\s*:\s*(?:[2-9]|\d\d)(?:\.\d+)?px|letter-spacing\s*:\s*0?\.[1-9]\d*em", re.I
)
_LARGE = {"px": 20.0, "pt": 15.0, "em": 1.5, "rem": 1.5, "%": 150.0}
_SELECTOR = re.compile(r"[A-Za-z]*([.#][\w-]{1,80})\Z")
_MARK = re.compile(r"[{};]")
_NEAR = 12  # how far two channels may be apart and still look the same
_MAX_CSS = 100_000

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)


class Look(NamedTuple):
    """How text looks at its place. ``ground`` and ``colour`` are None where they are not known."""

    colour: Colour | None = None
    ground: Colour | None = WHITE
    large: bool = False

    @property
    def unseen(self) -> bool:
        """Whether text here has the colour of its ground."""
        if self.colour is None or self.ground is None:
            return False
        return all(abs(one - other) <= _NEAR for one, other in zip(self.colour, self.ground, strict=True))


class Sheet(NamedTuple):
    """What the style elements of a mail say: which classes and ids hide, and whether any rule paints a ground."""

    hiding: frozenset[str] = frozenset()
    paints: bool = False


def may_hide(html: str) -> bool:
    """Cheap test: False means nothing in ``html`` can be hidden text."""
    return _MAYBE_HIDDEN.search(html) is not None


def read_sheet(css: str) -> Sheet:
    """Read style sheets joined to one text. Rules inside ``@media`` hold on some screens only and hide nothing."""
    css = _without_comments(css[:_MAX_CSS])
    paints = "background" in css.lower()
    if not may_hide(css):
        return Sheet(paints=paints)
    hiding = set()
    for selectors, declarations in _rules(css):
        if conceals(declarations.strip()):
            for selector in selectors.split(","):
                if found := _SELECTOR.match(selector.strip()):
                    hiding.add(found[1])
    return Sheet(frozenset(hiding), paints)


def _without_comments(css: str) -> str:
    pieces = css.split("/*")
    return pieces[0] + " ".join(piece.partition("*/")[2] for piece in pieces[1:])


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """Selectors and declarations of the rules that are in no other block."""
    depth = start = opened = 0
    nested = False
    for mark in _MARK.finditer(css):
        at = mark.start()
        if mark[0] == "{":
            depth += 1
            nested = nested or depth > 1
            if depth == 1:
                opened = at
        elif mark[0] == "}":
            depth = max(depth - 1, 0)
            if depth == 0:
                if not nested:
                    yield css[start:opened], css[opened + 1 : at]
                start, nested = at + 1, False
        elif depth == 0:
            start = at + 1


def conceals(style: str) -> bool:
    """Whether a declaration block takes an element out of sight."""
    return _HIDING.search(style[:4000]) is not None


def look_of(tag: str, attributes: dict[str, str | None], around: Look, sheet: Sheet) -> Look:
    """The look inside an element, from the look around it."""
    colour, ground, large = around
    style = (attributes.get("style") or "")[:4000]
    if sheet.paints and attributes.get("class"):
        ground = None
    if "bgcolor" in attributes:
        ground = colour_of(attributes["bgcolor"] or "") or None
    if attributes.get("background"):
        ground = None
    if tag == "font" and attributes.get("color"):
        colour = colour_of(attributes["color"] or "")
    if style:
        lower = style.lower()
        if "background" in lower:
            for found in _GROUND.finditer(style):
                value = found[1].strip().lower()
                if value not in ("inherit", "transparent", "none", "initial", "unset"):
                    ground = None if "url(" in value or "gradient" in value else colour_of(value)
        if "color" in lower and (said := _COLOUR.search(style)) and said[1].strip().lower() != "inherit":
            colour = colour_of(said[1])
        if "font" in lower and (size := _SIZE.search(style)):
            large = float(size[1]) >= _LARGE[size[2].lower()]
        if "letter-spacing" in lower and _SPREAD.search(style):
            large = True
    if tag in ("h1", "h2") and not large:
        large = "font-size" not in style
    return Look(colour, ground, large)


def colour_of(value: str) -> Colour | None:
    """The first colour that is named in a CSS value, None when there is none that we know."""
    value = value.strip()[:200]
    if found := _HEX.search(value):
        digits = [d for d in found.groups() if d]
        red, green, blue = (int(d * 2 if len(d) == 1 else d, 16) for d in digits)
        return red, green, blue
    if found := _RGB.search(value):
        if found[4] and found[4].strip("0.") == "":
            return None  # wholly transparent: what shines through is not known
        return min(int(found[1]), 255), min(int(found[2]), 255), min(int(found[3]), 255)
    word = value.lower().split(None, 1)[0] if value else ""
    return {"white": WHITE, "black": (0, 0, 0), "snow": (255, 250, 250), "ivory": (255, 255, 240)}.get(word)
