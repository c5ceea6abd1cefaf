"""What holds for each element: the rules that select it, by specificity and order, and its own style (CSS Cascade 4).

Selectors of one name are looked up; all others are asked of selectolax, whose time is bounded before: it may go back
over all ancestors for each descendant combinator.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from gateway.mime.css.declarations import Declared, read_declarations
from gateway.mime.css.rules import read_rules

_SIMPLE = re.compile(r"(\*|[a-z][a-z0-9-]{0,30})?([.#][\w-]{1,100})?", re.I | re.A)
_PSEUDO_ELEMENT = re.compile(r"::|:(?:before|after|first-line|first-letter)\b", re.I)
_OF_A_STATE = re.compile(r":(?:hover|focus|active|visited|target|checked|-webkit-|-moz-|-ms-)", re.I)
_COUNTING = re.compile(r":(?:nth-|last-|only-|has\(|empty)", re.I)
_LOOSE = re.compile(r"(?<![>+~,(\s])\s+(?![>+~,)\s])|~(?!=)")
_MIXED = re.compile(r"[>+]|~(?!=)|\(")
_IDS, _CLASSES, _TAGS = (
    re.compile(r"#[\w-]"),
    re.compile(r"\.[\w-]|\[|:(?!:)[a-z]"),
    re.compile(r"(?:^|[\s>+~(])[a-z]", re.I),
)
_WORK = 4_000_000
"""How many steps selectors may take in the worst case, at about a nanosecond each."""

_MOST_COMPLEX = 400
_MOST_MATCHES = 300_000  # rules that select elements, counted for each element

_Found = tuple[int, int, Declared]  # specificity, order


class Cascade:
    """The style sheets of a document.

    ``cut``: some rules were not applied, because they are too many or too costly.
    """

    def __init__(self, css: str, tree: LexborHTMLParser) -> None:
        self.cut = False
        self._named: dict[str, list[tuple[str, _Found]]] = {}
        self._nodes: dict[int, list[_Found]] = {}
        self._merged: dict[tuple[object, ...], dict[str, str]] = {}
        self._left = _MOST_MATCHES
        if css.strip():
            self._read(css, tree)

    def _read(self, css: str, tree: LexborHTMLParser) -> None:
        rules, self.cut = read_rules(css)
        complex_ones: list[tuple[str, _Found]] = []
        for order, (selector, declared) in enumerate(rules):
            found = (_specificity(selector), order, declared)
            simple = _SIMPLE.fullmatch(selector)
            if simple and selector:
                name = simple[2].lower() if simple[2] else (simple[1] or "*").lower()
                tag = (simple[1] or "*").lower() if simple[2] else "*"
                self._named.setdefault(name, []).append((tag, found))
            elif not _PSEUDO_ELEMENT.search(selector) and not _OF_A_STATE.search(selector):
                complex_ones.append((selector, found))
        if complex_ones:
            self._select(complex_ones, tree)

    def _select(self, wanted: list[tuple[str, _Found]], tree: LexborHTMLParser) -> None:
        """Find the elements of selectors that need the tree, as long as the worst case is bounded."""
        count, deep, broad = _shape(tree)
        left = _WORK
        self.cut |= len(wanted) > _MOST_COMPLEX
        for selector, found in wanted[:_MOST_COMPLEX]:
            loose = len(_LOOSE.findall(selector))
            reach = max(deep, broad if "~" in selector else 1)
            # combinators of one kind never go back: the first that fits is as good as any other
            cost = count * reach ** (loose if _MIXED.search(selector) else min(loose, 1))
            cost *= broad if _COUNTING.search(selector) else 1
            if cost > left:
                self.cut = True
                continue
            left -= cost
            try:
                nodes = tree.css(selector)
            except (SelectolaxError, ValueError):
                continue  # browsers leave out what they do not know, too
            left -= 100 * len(nodes)
            for node in nodes:
                self._nodes.setdefault(node.mem_id, []).append(found)

    def declared(self, node: LexborNode, tag: str, attributes: dict[str, str | None]) -> dict[str, str]:
        """Values by property for an element; empty when nothing is said of it."""
        style = attributes.get("style")
        if not style and not self._named and not self._nodes:
            return {}
        found = self._nodes.get(node.mem_id, [])
        if self._named and self._left > 0:
            names = [tag, "*"]
            if classes := attributes.get("class"):
                names += dict.fromkeys(f".{one}" for one in classes[:1000].lower().split())
            if identity := attributes.get("id"):
                names.append(f"#{identity.lower()}")
            found = found + [
                one for name in names for only, one in self._named.get(name, ()) if only in ("*", tag)
            ]
        if not found and not style:
            return {}
        self._left -= len(found)
        if self._left <= 0:
            self.cut, found = True, []
        key = (style, *sorted({(one[0], one[1]) for one in found}))
        merged = self._merged.get(key)
        if merged is None:
            merged = self._merged[key] = self._merge(found, style)
        return merged

    def _merge(self, found: list[_Found], style: str | None) -> dict[str, str]:
        layers = [one[2] for one in sorted(found, key=lambda one: one[:2])]
        if style:
            layers.append(read_declarations(style))
        merged: dict[str, str] = {}
        for layer in layers:
            _put(merged, layer.normal)
        for layer in layers:
            _put(merged, layer.important)
        return merged


def _put(merged: dict[str, str], values: dict[str, str]) -> None:
    """Later values replace earlier ones; a shorthand resets what it stands for."""
    for name, value in values.items():
        merged.pop(name, None)  # so that the order is that of the last declaration
        merged[name] = value


def _specificity(selector: str) -> int:
    if ":where(" in selector:
        return 0
    ids, classes, tags = (len(one.findall(selector)) for one in (_IDS, _CLASSES, _TAGS))
    return ids * 1_000_000 + classes * 1000 + tags


def _shape(tree: LexborHTMLParser) -> tuple[int, int, int]:
    """How many elements there are, how deep they are nested, and the longest row of siblings."""
    root = tree.root
    count = deep = broad = 0
    level = 1
    node = root
    row = [0]
    while node is not None:
        count += 1
        deep = max(deep, level)
        row[-1] += 1
        if row[-1] > broad:
            broad = row[-1]
        child = node.first_child
        if child is not None:
            level += 1
            row.append(0)
            node = child
            continue
        while node is not None and node.next is None:
            node = node.parent
            level -= 1
            row.pop()
            if level <= 0 or not row:
                return count, deep, broad
        node = node.next if node is not None else None
    return count, deep, broad
