"""What the styles of a mail do to its text: hide it, colour it like its ground, set it large.

``css.cascade`` says what is declared for an element; here is what that makes of the text in it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.mime.css.colours import BLACK, WHITE, Colour, attribute_colour, colour_of

Attributes = dict[str, str | None]
Styles = dict[str, str]

_LARGE_SIZE = re.compile(r"font(?:-size)?\s*:[^;]{0,60}?(\d{1,4}(?:\.\d{1,4})?)\s*(px|pt|r?em|%)", re.I)
_SPREAD = re.compile(
    r"letter-spacing\s*:\s*(?:[2-9]|\d\d)(?:\.\d+)?px|letter-spacing\s*:\s*0?\.[1-9]\d*em", re.I
)
_LARGE = {"px": 20.0, "pt": 15.0, "em": 1.5, "rem": 1.5, "%": 150.0}
_LENGTH = re.compile(r"([-+]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})(?:e[-+]?\d)?)([a-z]{1,5}|%)?(?![\w.%])")
_UNITS = {"px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "q": 0.94, "rem": 16.0}
_VIEW = {"vw": 10.0, "vh": 8.0, "vmin": 8.0, "vmax": 10.0}
_CALL = re.compile(r"([a-z0-9-]{3,20})\(([^()]{0,200})\)")
_VARIABLE = re.compile(r"var\(\s*(--[\w-]{1,60})\s*(?:,([^()]{0,100}))?\)")
_NONE = ("inherit", "initial", "unset", "revert", "none", "transparent")
_PLAIN = 16.0  # pixels of type whose size nobody says
_TINY = 2.5  # pixels of type that nobody can read
_FAINT = 0.1  # opacity that leaves nothing to see
_THIN = 1.5  # pixels of a box that shows no line
_OFF_LEFT, _OFF_RIGHT = -300.0, 3000.0  # pixels: out of the window
_OF_BOXES = frozenset(
    (
        *(
            "display",
            "content-visibility",
            "mso-hide",
            "clip",
            "clip-path",
            "-webkit-clip-path",
            "scale",
            "zoom",
        ),
        *(
            "transform",
            "-webkit-transform",
            "overflow",
            "overflow-x",
            "overflow-y",
            "text-indent",
            "position",
        ),
        *("margin", "margin-left", "margin-top", "translate"),
    )
)
_LINK = Colour(0, 0, 238)


class Look(NamedTuple):
    """How text looks at its place. ``ground`` and ``colour`` are None where they are not known.

    ``gone``: what hides it, whatever is said further inside. ``size``: of type, in pixels.
    """

    colour: Colour | None = None
    ground: Colour | None = WHITE
    large: bool = False
    size: float = _PLAIN
    shown: bool = True
    opacity: float = 1.0
    gone: str | None = None
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def unseen(self) -> str | None:
        """What keeps text from being seen here; None where people see it."""
        if self.gone is not None:
            return self.gone
        if not self.shown:
            return "visibility"
        if self.size < _TINY:
            return "font_size"
        if self.colour is None:
            return None
        if self.colour.alpha <= 0.05:
            return "color"
        if self.ground is None:
            return None
        return "color" if self.colour.over(self.ground).looks_like(self.ground) else None


def look_of(tag: str, attributes: Attributes, declared: Styles, around: Look) -> Look:
    """The look inside an element, from the look around it."""
    look = _from_attributes(tag, attributes, around)
    if declared:
        if any(name.startswith("--") for name in declared):
            own = [(name, value) for name, value in declared.items() if name.startswith("--")]
            look = look._replace(variables=(*look.variables, *own)[-100:])
        if look.variables:
            declared = {name: _resolved(value, look.variables) for name, value in declared.items()}
        look = _from_styles(declared, look, around)
    if "hidden" in attributes and declared.get("display", "none") in _NONE:
        look = look._replace(gone=look.gone or "hidden_attribute")
    return look._replace(large=_is_large(tag, attributes.get("style") or "", around.large))


def _from_attributes(tag: str, attributes: Attributes, look: Look) -> Look:
    colour, ground = look.colour, look.ground
    if attributes.get("bgcolor"):
        ground = attribute_colour(attributes["bgcolor"] or "")
    if attributes.get("background"):
        ground = None
    if tag == "font" and attributes.get("color"):
        colour = attribute_colour(attributes["color"] or "")
    elif tag == "body" and attributes.get("text"):
        colour = attribute_colour(attributes["text"] or "")
    elif tag == "a" and "href" in attributes:
        colour = _LINK
    if tag == "mark":
        ground = Colour(255, 255, 0)
    return (
        look
        if colour is look.colour and ground is look.ground
        else look._replace(colour=colour, ground=ground)
    )


def _from_styles(said: Styles, look: Look, around: Look) -> Look:
    size = _type_size(said, around.size)
    shown, colour = look.shown, look.colour
    visible = said.get("visibility")
    if visible is not None and visible != "inherit":
        shown = visible not in ("hidden", "collapse")
    ground = _ground(said, look.ground)
    for name in ("-webkit-text-fill-color", "color"):
        if value := said.get(name):
            colour = _colour(value, look, around)
            break
    if "text" in (said.get("background-clip"), said.get("-webkit-background-clip")):
        colour = ground = None  # the ground shows through the letters
    opacity = around.opacity * min(_opacity(said.get("opacity")), _filter_opacity(said.get("filter", "")))
    gone = around.gone or _box_hides(said, size) or ("opacity" if opacity <= _FAINT else None)
    return look._replace(
        colour=colour, ground=ground, size=size, shown=shown, opacity=opacity, gone=gone or look.gone
    )


def _resolved(value: str, variables: tuple[tuple[str, str], ...]) -> str:
    """``value`` with its custom properties filled in, as far as four levels deep."""
    known = dict(variables)
    for _ in range(4):
        if "var(" not in value:
            break
        value = _VARIABLE.sub(lambda found: (known.get(found[1]) or found[2] or "")[:200], value)[:1000]
    return value


def _colour(value: str, look: Look, around: Look) -> Colour | None:
    if value in ("inherit", "currentcolor", "unset", "revert"):
        return around.colour
    return BLACK if value == "initial" else colour_of(value) if value else look.colour


def _ground(said: Styles, around: Colour | None) -> Colour | None:
    """The ground that is painted. The order of declarations is that of their effect."""
    ground = around
    for name, value in said.items():
        if name not in ("background", "background-color", "background-image"):
            continue
        if "url(" in value or "gradient" in value:
            ground = None
        elif name == "background" and value in ("none", "transparent", "initial"):
            ground = around
        elif name != "background-image" and value not in _NONE:
            colour = colour_of(value)
            if colour is not None and colour.alpha < 1:
                colour = None if around is None else colour.over(around)
            if colour is not None or name == "background-color":
                ground = colour
    return ground


def _type_size(said: Styles, around: float) -> float:
    size = around
    for name, value in said.items():
        if name == "font-size":
            found = _pixels(value, around)
        elif name == "font":
            # [style] [weight] size[/line-height] family
            before = value.partition("/")[0]
            lengths = [one for one in _LENGTH.finditer(before) if one[2] or float(one[1]) == 0]
            found = (
                _pixels(lengths[0][0], around)
                if lengths
                else _pixels(before, around)
                if "(" in before
                else None
            )
            if found is None and "inherit" not in value:
                found = _PLAIN if value else None
        else:
            continue
        if found is not None:
            size = found
        elif value in ("initial", "medium", "small", "large", "x-large", "smaller", "larger", "x-small"):
            size = _PLAIN
    return size


def _pixels(value: str, font: float, whole: float | None = None) -> float | None:
    """A length in pixels; of a calculation, nought when any factor or all parts of it are."""
    lengths = [_length(one[1], one[2], font, whole) for one in _LENGTH.finditer(value)]
    if not lengths or None in lengths:
        return None
    numbers = [one for one in lengths if one is not None]
    if "(" not in value:
        return numbers[0] if _LENGTH.fullmatch(value) else None
    if value.startswith("min("):
        return min(numbers)
    if value.startswith(("max(", "clamp(")):
        return max(numbers) if value.startswith("max(") else numbers[-1]
    if "*" in value:
        product = 1.0
        for one in numbers:
            product *= one
        return product
    return numbers[0] if not any(numbers) or ("/" not in value and len(numbers) == 1) else None


def _length(number: str, unit: str, font: float, whole: float | None) -> float | None:
    value = float(number)
    if not unit:
        return value
    if unit == "%":
        return value / 100 * (font if whole is None else whole)
    if unit in ("em", "ex", "ch", "lh"):
        return value * font * (1.0 if unit in ("em", "lh") else 0.5)
    factor = _UNITS.get(unit) or _VIEW.get(unit)
    return None if factor is None else value * factor


def _opacity(value: str | None) -> float:
    if not value:
        return 1.0
    found = _LENGTH.match(value)
    if found is None:
        return 0.0 if value.startswith("calc(") and _pixels(value, 1.0) == 0 else 1.0
    return min(max(float(found[1]) / (100 if found[2] == "%" else 1), 0.0), 1.0)


def _filter_opacity(value: str) -> float:
    return min(
        (_opacity(one[2].strip()) for one in _CALL.finditer(value) if one[1] == "opacity"), default=1.0
    )


def _box_hides(said: Styles, font: float) -> str | None:
    """What of an element's box takes its text out of sight."""
    if _OF_BOXES.isdisjoint(said):
        return None
    if said.get("display") == "none" or said.get("content-visibility") == "hidden":
        return "display_none"
    if said.get("mso-hide") == "all":
        return "display_none"
    if _is_clipped(said, font):
        return "clipped"
    if _is_scaled_away(said):
        return "scaled"
    if _has_no_room(said, font):
        return "no_room"
    return "off_screen" if _is_off_screen(said, font) else None


def _has_no_room(said: Styles, font: float) -> bool:
    overflow = " ".join(said.get(name, "") for name in ("overflow", "overflow-x", "overflow-y"))
    if not any(word in overflow for word in ("hidden", "clip", "scroll", "auto")):
        return False
    for name in ("height", "max-height", "width", "max-width"):
        size = _pixels(said[name], font, 500.0) if name in said else None
        if size is not None and size <= _THIN:
            return True
    line = _pixels(said["line-height"], font) if "line-height" in said else None
    return line is not None and line < 0.2 and _pixels(said.get("height", ""), font) is None


def _is_clipped(said: Styles, font: float) -> bool:
    clip = said.get("clip", "")
    if clip.startswith("rect("):
        sides = [_pixels(one, font) for one in clip[5:].rstrip(") ").replace(",", " ").split()]
        if len(sides) == 4:
            top, right, bottom, left = sides
            for begin, end in ((top, bottom), (left, right)):
                if end is not None and end - (begin or 0) <= _THIN:
                    return True
    path = said.get("clip-path") or said.get("-webkit-clip-path") or ""
    found = _CALL.match(path)
    if found is None:
        return False
    words = [one for one in found[2].split(" round ")[0].replace(",", " ").split() if one != "at"]
    lengths = [_pixels(one, font, 100.0) for one in words]
    if found[1] == "inset" and lengths:
        top, right, bottom, left = (lengths * 4 if len(lengths) < 3 else [*lengths, lengths[1]])[:4]
        return (top or 0) + (bottom or 0) >= 98 or (right or 0) + (left or 0) >= 98
    if found[1] in ("circle", "ellipse"):
        return bool(lengths) and lengths[0] is not None and lengths[0] <= _THIN
    if found[1] == "polygon":
        known = [one for one in lengths if one is not None]
        return bool(known) and (
            max(known[::2]) - min(known[::2]) <= _THIN
            or max(known[1::2] or [0]) - min(known[1::2] or [0]) <= _THIN
        )
    return False


def _is_scaled_away(said: Styles) -> bool:
    for name in ("scale", "zoom"):
        found = _LENGTH.match(said.get(name, ""))
        if found is not None and abs(float(found[1]) / (100 if found[2] == "%" else 1)) <= 0.05:
            return True
    for call in _CALL.finditer(f"{said.get('transform', '')} {said.get('-webkit-transform', '')}"):
        numbers = [float(one[1]) / (100 if one[2] == "%" else 1) for one in _LENGTH.finditer(call[2])]
        if not numbers:
            continue
        if call[1] in ("scale", "scale3d", "scalex", "scaley") and min(map(abs, numbers[:2])) <= 0.05:
            return True
        if call[1] in ("rotatex", "rotatey") and "deg" in call[2] and abs(numbers[0]) % 180 == 90:
            return True
        if (
            call[1] == "matrix"
            and len(numbers) >= 4
            and abs(numbers[0] * numbers[3] - numbers[1] * numbers[2]) < 0.01
        ):
            return True
    return False


def _is_off_screen(said: Styles, font: float) -> bool:
    placed = said.get("position") in ("absolute", "fixed", "relative")
    offsets = [said.get(name, "") for name in ("text-indent", "margin-left", "margin-top")]
    if placed:
        offsets += [said.get(name, "") for name in ("left", "right", "top", "bottom")]
    offsets += said.get("margin", "").split() + said.get("translate", "").split()
    for call in _CALL.finditer(f"{said.get('transform', '')} {said.get('-webkit-transform', '')}"):
        if call[1] in ("translate", "translatex", "translatey", "translate3d"):
            offsets += call[2].replace(",", " ").split()
    for value in offsets:
        far = _pixels(value, font, 500.0) if value else None
        if far is not None and (far <= _OFF_LEFT or far >= _OFF_RIGHT):
            return True
    return False


def _is_large(tag: str, style: str, around: bool) -> bool:
    """Whether the words inside are set large: there stands what a mail is about, such as a code."""
    large = around
    style = style[:4000]
    lower = style.lower()
    if "font" in lower and (size := _LARGE_SIZE.search(style)):
        large = float(size[1]) >= _LARGE[size[2].lower()]
    if "letter-spacing" in lower and _SPREAD.search(style):
        large = True
    if tag in ("h1", "h2") and not large:
        large = "font-size" not in style
    return large
