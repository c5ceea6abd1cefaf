"""What text looks like to a reader: characters that look alike become one (a Cyrillic ``а`` is an ``a``).

A small table of our own for Latin, Cyrillic, Greek and Armenian letters; the rest is compatibility forms (NFKC), case
and accents. It says that two texts look alike, never that one is bad.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

_LONGEST = 300
_ALIKE = {
    "a": "аαɑᴀ",
    "b": "вьъβʙ",
    "c": "сϲᴄ",
    "d": "ԁđᴅ",
    "e": "еєεᴇ",
    "f": "ƒꜰ",
    "g": "ɡցɢ",
    "h": "һнħհʜ",
    "j": "јᴊ",
    "k": "кκᴋ",
    "l": "iі1ӏїıɩιɪłʟ|",
    "m": "мᴍ",
    "n": "пηոɴ",
    "o": "0оοσօøᴏ",
    "p": "рρᴘ",
    "q": "ԛզ",
    "r": "гʀ",
    "s": "5ѕꜱ",
    "t": "тτŧᴛ",
    "u": "цυμսᴜ",
    "v": "ѵνᴠ",
    "w": "ԝωшᴡ",
    "x": "хχ",
    "y": "уγʏ",
    "z": "ζᴢ",
}
_TABLE: Mapping[int, str] = {ord(one): letter for letter, alike in _ALIKE.items() for one in alike}
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


def skeleton(text: str) -> str:
    """The first 300 characters of ``text`` as they look. Equal for texts that a reader takes for the same."""
    folded = unicodedata.normalize("NFKC", text[:_LONGEST]).casefold()
    parts = unicodedata.normalize("NFD", folded)
    seen = "".join(one for one in parts if unicodedata.category(one) not in ("Mn", "Me", "Cf"))
    seen = seen.translate(_TABLE)
    for pair, letter in _PAIRS:
        seen = seen.replace(pair, letter)
    return seen


def shown_domain(domain: str) -> str:
    """A domain (A-labels) as mail programs may show it (U-labels); labels that are no punycode stay."""
    return ".".join(map(_shown_label, domain.split(".")))


def _shown_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label
