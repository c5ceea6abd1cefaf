"""Text that strangers wrote, made safe for a terminal and measured in its cells.

Everything of a mail that goes to the screen goes through :func:`visible`: nothing in it can move the cursor, change a
colour, turn the direction of the line around, or be there without being seen.
"""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Letters and marks by category, and nothing to see."""
_NON_JOINER, _JOINER = "\u200c", "\u200d"
_STYLES = "\ufe0e\ufe0f"  # as text, as emoji
_FIRST_JOINING = 0x0590  # scripts below write no joiners
_FIRST_SYMBOL = 0x203C
_MOST_MARKS = 4  # on one letter; more of them reach into other lines


def visible(text: str, *, lines: bool = False) -> str:
    """``text`` with each control, format and invisible character as something to see.

    Controls become control pictures (ESC is ␛), others their code point (a right-to-left override is <U+202E>), and
    a run of one of them is counted. What letters and emoji need to be written right stays. ``lines``: line breaks and
    tabs stay, too.
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n") if lines else text
    found: list[str] = []
    at, marks = 0, 0
    while at < len(text):
        char = text[at]
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if " " <= char <= "~" or (lines and char in "\n\t") or (marks <= _MOST_MARKS and _shown(text, at)):
            found.append(char)
        elif not _only_style(text, at):
            end = at + 1
            while end < len(text) and text[end] == char:
                end += 1
            found.append(_named(char, end - at))
            at = end - 1
        at += 1
    return "".join(found)


def cells(text: str) -> int:
    """How many cells of a terminal visible text takes."""
    if text.isascii():
        return len(text)
    return sum(_width(char) for char in text)


def fit(text: str, most: int, *, middle: bool = False) -> str:
    """Visible text cut to ``most`` cells, with an ellipsis at the end, or in the ``middle``: of an address, whose
    end says whose it is."""
    if cells(text) <= most:
        return text
    if most < 2:
        return "…"[:most]
    kept = (most - 1) // 3 if middle else most - 1
    head, tail = _first(text, kept), ""
    if middle:
        tail = _first(text[::-1], most - 1 - cells(head))[::-1]
    return f"{head}…{tail}"


def _first(text: str, most: int) -> str:
    at = taken = 0
    for char in text:
        taken += _width(char)
        if taken > most:
            break
        at += 1
    return text[:at]


def _width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _shown(text: str, at: int) -> bool:
    char = text[at]
    if char in (_NON_JOINER, _JOINER):
        before = text[at - 1] if at else ""
        if before in _STYLES and at > 1:
            before = text[at - 2]
        after = text[at + 1] if at + 1 < len(text) else ""
        if not before or not after:
            return False
        return (_joins(before) and _joins(after)) or (char == _JOINER and _symbol(before) and _symbol(after))
    if "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef":
        return False
    return unicodedata.category(char) not in _HIDDEN and char not in _BLANK


def _only_style(text: str, at: int) -> bool:
    """Whether it only says if the symbol before it is drawn in colour: it is left out without a trace."""
    if text[at] not in _STYLES or not at:
        return False
    keycap = text[at - 1] in "0123456789#*" and text[at + 1 : at + 2] == "\u20e3"
    return _symbol(text[at - 1]) or keycap


def _joins(char: str) -> bool:
    """A letter or mark of a script that writes with joiners."""
    return ord(char) >= _FIRST_JOINING and unicodedata.category(char)[0] in "LM"


def _symbol(char: str) -> bool:
    return ord(char) >= _FIRST_SYMBOL and unicodedata.category(char)[0] in "SP"


def _named(char: str, count: int) -> str:
    code = ord(char)
    if code < 0x20 or code == 0x7F:
        picture = "\u2421" if code == 0x7F else chr(0x2400 + code)
        return picture * count if count < 4 else f"{picture}×{count}"
    return f"<U+{code:04X}×{count}>" if count > 1 else f"<U+{code:04X}>"
