"""Colours of style sheets in every notation that names one (CSS Color 4): names, hex, rgb, hsl, hwb, lab, lch."""

from __future__ import annotations

import colorsys
import re
from typing import NamedTuple

_TABLE = (
    "aliceblue f0f8ff antiquewhite faebd7 aqua 00ffff aquamarine 7fffd4 azure f0ffff beige f5f5dc bisque ffe4c4 "
    "black 000000 blanchedalmond ffebcd blue 0000ff blueviolet 8a2be2 brown a52a2a burlywood deb887 cadetblue "
    "5f9ea0 chartreuse 7fff00 chocolate d2691e coral ff7f50 cornflowerblue 6495ed cornsilk fff8dc crimson dc143c "
    "cyan 00ffff darkblue 00008b darkcyan 008b8b darkgoldenrod b8860b darkgray a9a9a9 darkgreen 006400 darkgrey "
    "a9a9a9 darkkhaki bdb76b darkmagenta 8b008b darkolivegreen 556b2f darkorange ff8c00 darkorchid 9932cc darkred "
    "8b0000 darksalmon e9967a darkseagreen 8fbc8f darkslateblue 483d8b darkslategray 2f4f4f darkslategrey 2f4f4f "
    "darkturquoise 00ced1 darkviolet 9400d3 deeppink ff1493 deepskyblue 00bfff dimgray 696969 dimgrey 696969 "
    "dodgerblue 1e90ff firebrick b22222 floralwhite fffaf0 forestgreen 228b22 fuchsia ff00ff gainsboro dcdcdc "
    "ghostwhite f8f8ff gold ffd700 goldenrod daa520 gray 808080 green 008000 greenyellow adff2f grey 808080 "
    "honeydew f0fff0 hotpink ff69b4 indianred cd5c5c indigo 4b0082 ivory fffff0 khaki f0e68c lavender e6e6fa "
    "lavenderblush fff0f5 lawngreen 7cfc00 lemonchiffon fffacd lightblue add8e6 lightcoral f08080 lightcyan "
    "e0ffff lightgoldenrodyellow fafad2 lightgray d3d3d3 lightgreen 90ee90 lightgrey d3d3d3 lightpink ffb6c1 "
    "lightsalmon ffa07a lightseagreen 20b2aa lightskyblue 87cefa lightslategray 778899 lightslategrey 778899 "
    "lightsteelblue b0c4de lightyellow ffffe0 lime 00ff00 limegreen 32cd32 linen faf0e6 magenta ff00ff maroon "
    "800000 mediumaquamarine 66cdaa mediumblue 0000cd mediumorchid ba55d3 mediumpurple 9370db mediumseagreen "
    "3cb371 mediumslateblue 7b68ee mediumspringgreen 00fa9a mediumturquoise 48d1cc mediumvioletred c71585 "
    "midnightblue 191970 mintcream f5fffa mistyrose ffe4e1 moccasin ffe4b5 navajowhite ffdead navy 000080 oldlace "
    "fdf5e6 olive 808000 olivedrab 6b8e23 orange ffa500 orangered ff4500 orchid da70d6 palegoldenrod eee8aa "
    "palegreen 98fb98 paleturquoise afeeee palevioletred db7093 papayawhip ffefd5 peachpuff ffdab9 peru cd853f "
    "pink ffc0cb plum dda0dd powderblue b0e0e6 purple 800080 rebeccapurple 663399 red ff0000 rosybrown bc8f8f "
    "royalblue 4169e1 saddlebrown 8b4513 salmon fa8072 sandybrown f4a460 seagreen 2e8b57 seashell fff5ee sienna "
    "a0522d silver c0c0c0 skyblue 87ceeb slateblue 6a5acd slategray 708090 slategrey 708090 snow fffafa "
    "springgreen 00ff7f steelblue 4682b4 tan d2b48c teal 008080 thistle d8bfd8 tomato ff6347 turquoise 40e0d0 "
    "violet ee82ee wheat f5deb3 white ffffff whitesmoke f5f5f5 yellow ffff00 yellowgreen 9acd32 "
)
_WORDS = _TABLE.split()
_NAMES = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))
_HEX = re.compile(r"#([0-9a-f]{3,8})(?![0-9a-f])")
_CALL = re.compile(r"(rgba?|hsla?|hwb|lab|lch|oklab|oklch|color)\(([^()]{1,120})\)")
_NUMBER = re.compile(r"([-+]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})(?:e[-+]?\d)?)(%|deg|rad|grad|turn)?")
_WORD = re.compile(r"[a-z]{3,24}")
_LONGEST = 400  # characters of a value
_NEAR = 16  # how far each channel may be apart and still look the same


class Colour(NamedTuple):
    """Red, green and blue from 0 to 255, and how much it covers from 0 to 1."""

    red: float
    green: float
    blue: float
    alpha: float = 1.0

    def over(self, ground: Colour) -> Colour:
        """What is seen of it on ``ground``."""
        share = self.alpha
        red, green, blue = (
            one * share + other * (1 - share) for one, other in zip(self[:3], ground[:3], strict=True)
        )
        return Colour(red, green, blue)

    def looks_like(self, other: Colour) -> bool:
        """Whether people cannot tell it from ``other``."""
        return all(abs(one - two) <= _NEAR for one, two in zip(self[:3], other[:3], strict=True))


WHITE = Colour(255, 255, 255)
BLACK = Colour(0, 0, 0)
CLEAR = Colour(0, 0, 0, 0.0)


def colour_of(value: str) -> Colour | None:
    """The first colour that a CSS value names, in lower case; None when it names none that is known."""
    value = value[:_LONGEST]
    if found := _HEX.search(value):
        return _from_hex(found[1])
    if found := _CALL.search(value):
        return _from_call(found[1], found[2])
    for word in _WORD.findall(value):
        if word == "transparent":
            return CLEAR
        if word in _NAMES:
            return _from_hex(_NAMES[word])
    return None


def attribute_colour(value: str) -> Colour | None:
    """The colour of an attribute such as ``bgcolor``, which may leave out the number sign."""
    value = value.strip().lower()
    return colour_of(value) or (_from_hex(value) if re.fullmatch(r"[0-9a-f]{6}", value) else None)


def _from_hex(digits: str) -> Colour | None:
    if len(digits) in (3, 4):
        digits = "".join(one * 2 for one in digits)
    if len(digits) not in (6, 8):
        return None
    red, green, blue, *alpha = (int(digits[at : at + 2], 16) for at in range(0, len(digits), 2))
    return Colour(red, green, blue, alpha[0] / 255 if alpha else 1.0)


def _from_call(name: str, arguments: str) -> Colour | None:
    found = [(float(number), unit) for number, unit in _NUMBER.findall(arguments.replace("none", "0"))]
    if len(found) < 3:
        return None
    alpha = _share(*found[3], 1.0) if len(found) > 3 else 1.0
    first, second, third = found[:3]
    if name.startswith("rgb"):
        red, green, blue = (255 * _share(*one, 255.0) for one in found[:3])
    elif name == "color":
        red, green, blue = (255 * _share(*one, 1.0) for one in found[:3])
    elif name.startswith("hsl"):
        red, green, blue = _scaled(
            colorsys.hls_to_rgb(_turn(*first), _share(*third, 100.0), _share(*second, 100.0))
        )
    elif name == "hwb":
        white, black = _share(*second, 100.0), _share(*third, 100.0)
        grey = white / (white + black) if white + black > 1 else None
        pure = colorsys.hls_to_rgb(_turn(*first), 0.5, 1.0)
        red, green, blue = (
            255 * (grey if grey is not None else one * (1 - white - black) + white) for one in pure
        )
    else:
        return _from_lightness(name, first, alpha)
    return Colour(red, green, blue, alpha)


def _from_lightness(name: str, lightness: tuple[float, str], alpha: float) -> Colour | None:
    """White and black of the notations by lightness. The others are left unknown: what they show stays."""
    share = _share(*lightness, 1.0 if name.startswith("ok") else 100.0)
    if alpha < 1 and alpha * 255 < _NEAR:
        return CLEAR
    if share >= 0.98:
        return WHITE._replace(alpha=alpha)
    return BLACK._replace(alpha=alpha) if share <= 0.02 else None


def _scaled(channels: tuple[float, float, float]) -> tuple[float, float, float]:
    red, green, blue = channels
    return 255 * red, 255 * green, 255 * blue


def _share(number: float, unit: str, whole: float) -> float:
    return min(max(number / (100.0 if unit == "%" else whole), 0.0), 1.0)


def _turn(number: float, unit: str) -> float:
    return (number / {"turn": 1.0, "rad": 6.283185307, "grad": 400.0}.get(unit, 360.0)) % 1.0
