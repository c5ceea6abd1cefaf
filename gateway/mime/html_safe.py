"""Hostile HTML made safe for an HTML5 parser, without losing a word of its text.

Such parsers take quadratic time for a tag with thousands of attributes, and for elements nested thousands deep (each
block asks all that are open whether a ``p`` is among them). Browsers cap the depth for the same reason.
"""

from __future__ import annotations

import re
from collections import Counter

_LONG_TAG = re.compile(r"<[A-Za-z][^<>]{2000,}")
_MAX_ATTRIBUTES = 256
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]{0,20})[^<>]*>?")
_MAX_DEPTH = 512
_FEW_TAGS = 4000  # even if all of them are nested, they cost less than looking at them
# These close themselves, or one another: unclosed ones do not nest.
_FLAT = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
     "p", "li", "td", "th", "tr", "tbody", "thead", "tfoot", "dt", "dd", "option", "optgroup", "colgroup", "rt", "rp",
     "a")
)  # fmt: skip


def safe_for_parser(html: str) -> str:
    """``html`` with tags of more than 256 attributes emptied and nested no deeper than 512 elements."""
    html = _LONG_TAG.sub(_shorten, html)
    return _flatten(html) if html.count("<") > _FEW_TAGS else html


def _shorten(match: re.Match[str]) -> str:
    tag = match[0]
    if tag.count("=") + len(tag.split()) > 2 * _MAX_ATTRIBUTES:
        return tag.split(None, 1)[0][:40]
    return tag


def _flatten(html: str) -> str:
    """Leave out the start tags that would nest too deep. Linear."""
    kept: list[str] = []
    begun = 0
    depth = 0
    open_tags: Counter[str] = Counter()
    for tag in _TAG.finditer(html):
        name = tag[2].lower()
        if name in _FLAT:
            continue
        if tag[1]:
            if open_tags[name]:
                open_tags[name] -= 1
                depth -= 1
        elif depth < _MAX_DEPTH:
            open_tags[name] += 1
            depth += 1
        else:
            kept.append(html[begun : tag.start()])
            begun = tag.end()
    return "".join((*kept, html[begun:])) if kept else html
