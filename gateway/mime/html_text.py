"""HTML to the text a person sees: hidden text is dropped and reported, structure becomes lines.

Iterative walk over selectolax's tree; what would cost its parser quadratic time is taken out first (html_safe).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from gateway.mime.html_safe import safe_for_parser
from gateway.mime.html_style import WHITE, Look, Sheet, conceals, look_of, read_sheet

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
_SPACE = re.compile(r"[ \t\r\n\f\u00a0]+")
_BLANKS = re.compile(r"\n{3,}")
_INVISIBLE = re.compile("[\u00ad\u034f\u200b\u2060\u2063\ufeff]|(?<!\U0001f3f4)[\U000e0001-\U000e007f]{4,}")
# what mails put behind their hidden preview line, so that nothing of the mail shows there
_PADDING = re.compile("(?:[\u200c\u200d\u2007\u00a0] ?){4,}")
_MAX_NODES = 200_000


class HtmlText(NamedTuple):
    """What a person sees, whether something readable was hidden from people, and the words set in large type."""

    text: str
    hidden: bool
    large: frozenset[str] = frozenset()


def html_to_text(html: str) -> HtmlText:
    """Visible text of ``html``: lines for blocks, ``- `` for list items, ``text <url>`` for links. Linear."""
    tree = LexborHTMLParser(safe_for_parser(html))
    root = tree.body
    if root is None:
        return HtmlText("", False)
    sheet = Sheet()
    if "<style" in html or "<STYLE" in html:
        sheet = read_sheet("\n".join(node.text(deep=True) for node in tree.css("style")[:50]))
    return _Walk(sheet).run(root)


class _Walk:
    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.out: list[str] = []
        self.hidden = False
        self.large: set[str] = set()

    def run(self, root: LexborNode) -> HtmlText:
        # (node, the look around it) = entering; (node, None) = leaving an element that was entered
        look = Look(ground=None if self.sheet.paints else WHITE)
        stack: list[tuple[LexborNode, Look | None]] = [(root, look)]
        steps = 0
        pre = 0
        while stack and steps < _MAX_NODES:
            steps += 1
            node, around = stack.pop()
            if around is None:
                pre -= node.tag == "pre"
                self.leave(node)
                continue
            following = node.next if node is not root else None
            if following is not None:
                stack.append((following, around))
            if node.is_text_node:
                self.write(node.text_content or "", pre > 0, around)
                continue
            if not node.is_element_node:
                continue
            inside = self.enter(node, around)
            if inside is None:
                continue
            stack.append((node, None))
            pre += node.tag == "pre"
            child = node.first_child
            if child is not None:
                stack.append((child, inside))
        text = "".join(self.out)
        if not text.isascii():
            text = _PADDING.sub(" ", _INVISIBLE.sub("", text))
        lines = [line.strip() if not line.startswith("    ") else line.rstrip() for line in text.split("\n")]
        seen = _BLANKS.sub("\n\n", "\n".join(lines)).strip()
        return HtmlText(seen, self.hidden, frozenset(self.large))

    def enter(self, node: LexborNode, around: Look) -> Look | None:
        """What opens an element is written; the look inside it, None when there is nothing in it to see."""
        tag = node.tag or ""
        if tag in _DROPPED:
            return None
        attributes = node.attributes
        look = around
        if attributes:
            if self.conceals(attributes):
                if (node.text(deep=True) if node.first_child is not None else "").strip():
                    self.hidden = True
                return None
            look = look_of(tag, attributes, around, self.sheet)
            if tag == "a" and look.colour is not None and look.unseen:
                self.hidden = True
                return None
        elif tag in ("h1", "h2"):
            look = look_of(tag, {}, around, self.sheet)
        if tag == "br":
            self.out.append("\n")
        elif tag == "li":
            self.line()
            self.out.append("- ")
        elif tag == "img":
            alt = (attributes.get("alt") or "").strip()
            if alt:
                self.write(f"[{alt[:200]}]", False, around)
        elif tag in ("td", "th"):
            self.out.append(" ")
        elif tag in _BLOCKS:
            self.line()
            if tag in _SPACED:
                self.out.append("\n")
        return look

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

    def conceals(self, attributes: dict[str, str | None]) -> bool:
        if "hidden" in attributes:
            return True
        style = attributes.get("style")
        if style and conceals(style):
            return True
        if not self.sheet.hiding:
            return False
        names = [f".{name}" for name in (attributes.get("class") or "")[:1000].split()]
        if identity := attributes.get("id"):
            names.append(f"#{identity}")
        return not self.sheet.hiding.isdisjoint(names)

    def line(self) -> None:
        if self.out and not self.out[-1].endswith("\n"):
            self.out.append("\n")

    def write(self, text: str, pre: bool, look: Look) -> None:
        if look.colour is not None and look.unseen:
            self.hidden = self.hidden or bool(text.strip())
            return
        if not pre:
            text = _SPACE.sub(" ", text)
            if text == " " and (not self.out or self.out[-1].endswith(("\n", " "))):
                return
            if text.startswith(" ") and self.out and self.out[-1].endswith(("\n", " ")):
                text = text[1:]
        if text:
            self.out.append(text)
            if look.large and len(text) <= 80 and len(self.large) < 200:
                self.large.update(text.split())
