"""The rules of style sheets that hold in the window that mails are read for, nested ones spelled out."""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.mime.css.declarations import NOTHING, Declared, read_declarations
from gateway.mime.css.media import media_holds
from gateway.mime.css.text import STRING, plain_css

MAX_CSS = 256 * 1024
"""Characters of all style sheets of a mail that are read."""

_MAX_RULES = 4000
_MAX_DEPTH = 8
_MARK = re.compile(rf"[{{}};]|{STRING}|url\([^)\"']*+\)?")
_COMMA = re.compile(rf"[,()\[\]]|{STRING}")
_LONGEST_SELECTOR = 500


class Rule(NamedTuple):
    """One selector and what is declared for it."""

    selector: str
    declared: Declared


class Rules(NamedTuple):
    """Rules in their order, and whether some were left out because there are too many."""

    rules: list[Rule]
    cut: bool


class _Block:
    """An open block: whether what is in it holds, the selectors of a rule (None: not a rule), and its declarations."""

    def __init__(self, holds: bool, selectors: list[str] | None) -> None:
        self.holds = holds
        self.selectors = selectors
        self.pieces: list[str] = []


def read_rules(css: str) -> Rules:
    """Read style sheets joined to one text. Blocks that are not closed end with the text, as in browsers. Linear."""
    cut = len(css) > MAX_CSS
    css = plain_css(css[:MAX_CSS].replace("<!--", " ").replace("-->", " "))
    rules: list[Rule] = []
    top = _Block(True, None)
    open_blocks = [top]
    start = 0
    for mark in _MARK.finditer(css):
        sign, at = mark[0], mark.start()
        if sign not in ("{", "}", ";"):
            continue
        block = open_blocks[-1]
        if sign == "{":
            if len(open_blocks) > 50:
                return Rules(rules, True)
            open_blocks.append(_opened(css[start:at].strip(), block, len(open_blocks)))
        else:
            if block.selectors is not None:
                block.pieces.append(css[start:at])
            if sign == "}" and block is not top:
                cut |= not _close(open_blocks.pop(), rules)
        start = at + 1
    open_blocks[-1].pieces.append(css[start:])
    while len(open_blocks) > 1:
        cut |= not _close(open_blocks.pop(), rules)
    return Rules(rules, cut)


def _opened(prelude: str, around: _Block, depth: int) -> _Block:
    if prelude.startswith("@"):
        name, _, query = prelude[:1000].partition(" ")
        name, bracket, more = name.lower().partition("(")
        query = f"{bracket}{more} {query}".strip()
        holds = around.holds and (
            (name == "@media" and media_holds(query))
            or (name == "@supports" and not query.lower().startswith("not"))
            or name == "@layer"
        )
        return _Block(holds, around.selectors)
    if not around.holds or depth > _MAX_DEPTH or len(prelude) > 20 * _LONGEST_SELECTOR:
        return _Block(False, None)
    selectors = split_selectors(prelude)
    if around.selectors is not None:
        parent = around.selectors[0] if len(around.selectors) == 1 else f":is({','.join(around.selectors)})"
        selectors = [
            one.replace("&", parent) if "&" in one else f"{parent} {one}"
            for one in selectors
            if len(one) + len(parent) * (1 + one.count("&")) <= _LONGEST_SELECTOR
        ]
    return _Block(True, selectors)


def _close(block: _Block, rules: list[Rule]) -> bool:
    """Add what the block declares. False: there is no room for it."""
    if not block.holds or not block.selectors:
        return True
    declared = read_declarations(";".join(block.pieces))
    if declared is NOTHING:
        return True
    room = _MAX_RULES - len(rules)
    rules += [Rule(one, declared) for one in block.selectors[:room]]
    return len(block.selectors) <= room


def split_selectors(text: str) -> list[str]:
    """The selectors of a list, split at the commas that are in no brackets."""
    if "(" not in text and "[" not in text:
        return [one.strip() for one in text.split(",")]
    found = []
    depth = start = 0
    for mark in _COMMA.finditer(text):
        if mark[0] in "([":
            depth += 1
        elif mark[0] in ")]":
            depth -= 1
        elif mark[0] == "," and depth <= 0:
            found.append(text[start : mark.start()].strip())
            start = mark.end()
    return [*found, text[start:].strip()]
