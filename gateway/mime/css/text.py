"""The text of a style sheet without what only disguises it: comments, and letters written as escapes."""

from __future__ import annotations

import re

# no possessive groups: CPython before 3.11.5 matches them wrongly where they hold alternatives
STRING = r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*"?|' r"'[^'\\\n]*+(?:\\.[^'\\\n]*+)*'?"
_COMMENT = re.compile(rf"{STRING}|/\*.*?(?:\*/|\Z)", re.S)
_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})(?:\r\n|[ \t\r\n\f])?|\\([g-zG-Z_-])")


def plain_css(css: str) -> str:
    """``css`` without comments, with letters and digits that are written as escapes (CSS Syntax 3 §4.3.7)."""
    if "/*" in css:
        css = _COMMENT.sub(lambda found: " " if found[0].startswith("/*") else found[0], css)
    return _ESCAPE.sub(_unescaped, css) if "\\" in css else css


def _unescaped(found: re.Match[str]) -> str:
    if found[2]:
        return found[2]
    code = int(found[1], 16)
    letter = chr(code) if code < 0x80 else ""
    return letter if letter.isalnum() or letter in ("-", "_") else found[0]
