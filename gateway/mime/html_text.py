"""HTML to the text a person sees: hidden text is dropped and reported, structure becomes lines.

Iterative walk over selectolax's tree (20,000 nested divs are only 20,000 steps). Tags with absurd numbers of
attributes are emptied first: every HTML5 tokenizer is quadratic in them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

_DROPPED = frozenset(
    [
        "script",
        "style",
        "head",
        "title",
        "template",
        "noscript",
        "iframe",
        "object",
        "svg",
        "math",
        "textarea",
        "select",
        "meta",
        "link",
        "audio",
        "video",
        "canvas",
        "xml",
    ]
)
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
        "tbody",
        "thead",
    ]
)
_SPACED = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "ul", "ol", "table"))
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0*\.?0+(?![.\d])"
    r"|font-size\s*:\s*0*\.?0+\s*(?![.\d])|font-size\s*:\s*1px|max-height\s*:\s*0+(?![.\d])|mso-hide\s*:\s*all"
    r"|(?:left|top|text-indent)\s*:\s*-\d{3,}|clip\s*:\s*rect\(\s*0|(?<!-)(?:width|height)\s*:\s*0+(?:px)?\s*(?:;|$)"
    r"|(?<!-)color\s*:\s*transparent",
    re.I,
)
_MAYBE_HIDDEN = re.compile(
    r"display\s*:|visibility|opacity|font-size\s*:\s*[01.]|hidden|height\s*:\s*0|width\s*:\s*0|mso-hide|:\s*-\d{3}"
    r"|clip\s*:|transparent|[\U000e0001-\U000e007f]",
    re.I,
)
_LONG_TAG = re.compile(r"<[A-Za-z][^<>]{2000,}")
_SPACE = re.compile(r"[ \t\r\n\f\u00a0]+")
_BLANKS = re.compile(r"\n{3,}")
_INVISIBLE = re.compile("[\u00ad\u034f\u200b\u2060\u2063\ufeff]|(?<!\U0001f3f4)[\U000e0001-\U000e007f]{4,}")
_MAX_ATTRIBUTES = 256
_MAX_NODES = 200_000


class HtmlText(NamedTuple):
    """What a person sees, and whether something readable was hidden from people."""

    text: str
    hidden: bool


def safe_for_parser(html: str) -> str:
    """``html`` with tags of more than 256 attributes emptied (they cost quadratic time in any tokenizer)."""

    def shorten(match: re.Match[str]) -> str:
        tag = match[0]
        if tag.count("=") + len(tag.split()) > 2 * _MAX_ATTRIBUTES:
            return tag.split(None, 1)[0][:40]
        return tag

    return _LONG_TAG.sub(shorten, html)


def may_hide(html: str) -> bool:
    """Cheap test: False means nothing in ``html`` can be hidden text."""
    return _MAYBE_HIDDEN.search(html) is not None


def html_to_text(html: str) -> HtmlText:
    """Visible text of ``html``: lines for blocks, ``- `` for list items, ``text <url>`` for links. Linear."""
    root = LexborHTMLParser(safe_for_parser(html)).body
    if root is None:
        return HtmlText("", False)
    return _Walk().run(root)


class _Walk:
    def __init__(self) -> None:
        self.out: list[str] = []
        self.hidden = False

    def run(self, root: LexborNode) -> HtmlText:
        # (node, True) = entering; (node, False) = leaving an element that was entered
        stack: list[tuple[LexborNode, bool]] = [(root, True)]
        steps = 0
        pre = 0
        while stack and steps < _MAX_NODES:
            steps += 1
            node, entering = stack.pop()
            if not entering:
                pre -= node.tag == "pre"
                self.leave(node)
                continue
            following = node.next if node is not root else None
            if following is not None:
                stack.append((following, True))
            if node.is_text_node:
                self.write(node.text_content or "", pre > 0)
                continue
            if not node.is_element_node or not self.enter(node):
                continue
            stack.append((node, False))
            pre += node.tag == "pre"
            child = node.first_child
            if child is not None:
                stack.append((child, True))
        text = "".join(self.out)
        if not text.isascii() and _INVISIBLE.search(text):
            text = _INVISIBLE.sub("", text)
        lines = [line.strip() if not line.startswith("    ") else line.rstrip() for line in text.split("\n")]
        return HtmlText(_BLANKS.sub("\n\n", "\n".join(lines)).strip(), self.hidden)

    def enter(self, node: LexborNode) -> bool:
        tag = node.tag or ""
        if tag in _DROPPED:
            return False
        attributes = node.attributes
        if attributes and self.conceals(attributes):
            if (node.text(deep=True) if node.first_child is not None else "").strip():
                self.hidden = True
            return False
        if tag == "br":
            self.out.append("\n")
        elif tag == "li":
            self.line()
            self.out.append("- ")
        elif tag == "img":
            alt = (attributes.get("alt") or "").strip()
            if alt:
                self.write(f"[{alt[:200]}]", False)
        elif tag in ("td", "th"):
            self.out.append(" ")
        elif tag in _BLOCKS:
            self.line()
            if tag in _SPACED:
                self.out.append("\n")
        return True

    def leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag in _BLOCKS:
            self.line()
            if tag in _SPACED:
                self.out.append("\n")
        elif tag == "a":
            url = (node.attributes.get("href") or "").strip()
            if url.startswith(("http://", "https://")) and url not in "".join(self.out[-3:]):
                self.out.append(f" <{url[:2000]}>")

    @staticmethod
    def conceals(attributes: dict[str, str | None]) -> bool:
        if "hidden" in attributes:
            return True
        style = attributes.get("style")
        if not style:
            return False
        return _HIDING.search(style[:4000]) is not None

    def line(self) -> None:
        if self.out and not self.out[-1].endswith("\n"):
            self.out.append("\n")

    def write(self, text: str, pre: bool) -> None:
        if not pre:
            text = _SPACE.sub(" ", text)
            if text == " " and (not self.out or self.out[-1].endswith(("\n", " "))):
                return
            if text.startswith(" ") and self.out and self.out[-1].endswith(("\n", " ")):
                text = text[1:]
        if text:
            self.out.append(text)
