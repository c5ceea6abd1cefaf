"""HTML to the text a person sees: hidden text is dropped and reported, structure becomes lines.

Iterative walk over selectolax's tree; what would cost its parser quadratic time is taken out first (html_safe).
"""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from gateway.mime.css.cascade import Cascade
from gateway.mime.css.media import media_holds
from gateway.mime.hidden_text import Hidden, HiddenCollector
from gateway.mime.html_safe import safe_for_parser
from gateway.mime.html_style import Look, look_of
from gateway.mime.invisible import visible

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
        "datalist",
        "noframes",
        "noembed",
    ]
)
# what is in them is no text to anybody, or is shown elsewhere
_NO_TEXT = frozenset(
    ("script", "style", "head", "title", "meta", "link", "math", "svg", "select", "textarea")
)
_PLUMBING = frozenset(
    ("style", "href", "src", "class", "srcset", "sizes", "background", "content", "d", "points")
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
# what mails put behind their hidden preview line, so that nothing of the mail shows there
_PADDING = re.compile("(?:[\u200c\u200d\u2007\u00a0] ?){4,}")
_COMMENT = re.compile(r"<!--(.*?)(?:-->|\Z)", re.S)
_ANY_TAG = re.compile(r"<[^<>]{0,2000}>")
_NO_SIZE = re.compile(r"\s*0*[0-3](?:\.\d+)?\s*(?:px|pt)?\s*(?:!.*)?\Z")
_MAX_ALT = 60  # characters of an alternative text
_MAX_NODES = 200_000
_MAX_SHEETS = 50
_MAX_ASIDES = 200


class HtmlText(NamedTuple):
    """What a person sees, what is hidden from people, and the words set in large type.

    ``css`` and ``look``: the style sheets of the document and how its body looks, for a part of it that lost them.
    ``cut``: style sheets were too costly to apply in full.
    """

    text: str
    hidden: Hidden = Hidden()
    large: frozenset[str] = frozenset()
    css: str = ""
    look: Look = Look()
    cut: bool = False


def html_to_text(html: str, part_of: HtmlText | None = None) -> HtmlText:
    """Visible text of ``html``: lines for blocks, ``- `` for list items, ``text <url>`` for links. Linear.

    ``part_of``: the document that ``html`` was taken out of, whose style sheets hold for it.
    """
    tree = LexborHTMLParser(safe_for_parser(html))
    root = tree.body
    if root is None:
        return HtmlText("")
    css = ""
    if "<style" in html or "<STYLE" in html or "<Style" in html:
        css = "\n".join(
            node.text(deep=True) for node in tree.css("style")[:_MAX_SHEETS] if _holds(node.attributes)
        )
    whole = part_of is None or css == part_of.css
    if part_of is not None and not css:
        css = part_of.css
    walk = _Walk(Cascade(css, tree), Look() if whole or part_of is None else part_of.look)
    walk.read_asides(html, tree)
    return walk.run(root)._replace(css=css)


def _holds(attributes: dict[str, str | None]) -> bool:
    """Whether a style element says what holds for the window that mails are read for."""
    media, kind = attributes.get("media"), attributes.get("type")
    return media_holds(media or "") and (kind or "text/css").strip().lower() == "text/css"


class _Walk:
    def __init__(self, cascade: Cascade, look: Look) -> None:
        self.cascade = cascade
        self.look = look
        self.out: list[str] = []
        self.hidden = HiddenCollector()
        self.large: set[str] = set()
        self.shown = 0  # texts and pictures
        self.unseen_link: int | None = (
            None  # how many of these were before the open link whose own text is unseen
        )

    def read_asides(self, html: str, tree: LexborHTMLParser) -> None:
        """Collect what is beside the text: comments, the title."""
        for found in islice(_COMMENT.finditer(html), _MAX_ASIDES):
            if found[1] and not found[1].isspace():
                self.hidden.aside("comment", _ANY_TAG.sub(" ", found[1]))
        for node in tree.css("head title, head meta[content]")[:_MAX_ASIDES]:
            text = node.text(deep=True) if node.tag == "title" else node.attributes.get("content") or ""
            self.hidden.aside("head", text)

    def run(self, root: LexborNode) -> HtmlText:
        # (node, the look around it) = entering; (node, None) = leaving an element that was entered
        base = self.look
        if root.parent is not None:
            base = self.look_inside(root.parent, "html", base)
        stack: list[tuple[LexborNode, Look | None]] = [(root, base)]
        body: Look | None = None
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
            if body is None:
                body = inside or base
            if inside is None:
                continue
            stack.append((node, None))
            pre += node.tag == "pre"
            child = node.first_child
            if child is not None:
                stack.append((child, inside))
        text = "".join(self.out)
        if not text.isascii():
            text = visible(_PADDING.sub(" ", text))
        lines = [line.strip() if not line.startswith("    ") else line.rstrip() for line in text.split("\n")]
        seen = _BLANKS.sub("\n\n", "\n".join(lines)).strip()
        return HtmlText(
            seen,
            self.hidden.result(),
            frozenset(self.large),
            look=body or base,
            cut=self.cascade.cut or steps >= _MAX_NODES,
        )

    def look_inside(self, node: LexborNode, tag: str, around: Look) -> Look:
        attributes = node.attributes
        return look_of(tag, attributes, self.cascade.declared(node, tag, attributes), around)

    def enter(self, node: LexborNode, around: Look) -> Look | None:
        """What opens an element is written; the look inside it, None when there is nothing in it to see."""
        tag = node.tag or ""
        if tag in _DROPPED:
            self.drop(node, tag)
            return None
        attributes = node.attributes
        declared = self.cascade.declared(node, tag, attributes)
        look = around
        if attributes or declared or tag in ("h1", "h2", "mark"):
            look = look_of(tag, attributes, declared, around)
            if look.gone is not None:
                if node.first_child is not None:
                    self.hidden.left_out(look.gone, visible(node.text(deep=True, separator=" ")))
                elif tag == "img":
                    self.hidden.aside("image_alt", attributes.get("alt") or "")
                return None
            for name, value in attributes.items():
                if value and len(value) > 24 and name not in _PLUMBING and " " in value:
                    self.hidden.aside("attribute", value)
        if tag == "dialog" and "open" not in attributes:
            self.hidden.left_out("display_none", node.text(deep=True, separator=" "))
            return None
        if tag == "br":
            self.out.append("\n")
        elif tag == "a":
            self.unseen_link = self.shown if look.unseen else None
        elif tag == "li":
            self.line()
            self.out.append("- ")
        elif tag == "img":
            self.write_alt(attributes, declared, look)
        elif tag in ("td", "th"):
            self.out.append(" ")
        elif tag in _BLOCKS:
            self.line()
            if tag in _SPACED:
                self.out.append("\n")
        return look

    def drop(self, node: LexborNode, tag: str) -> None:
        """Collect what is in an element that is not shown."""
        if tag == "template":  # what is in it is no child of it
            self.hidden.left_out(tag, _ANY_TAG.sub(" ", node.html or ""))
        if node.first_child is None or tag == "style":
            return
        text = node.text(deep=True, separator=" ")
        if tag in _NO_TEXT:
            self.hidden.aside(tag, text)
        else:
            self.hidden.left_out(tag, text)

    def write_alt(self, attributes: dict[str, str | None], declared: dict[str, str], look: Look) -> None:
        """A short text for a picture that has a size. People see long ones as little as those of tracking pixels."""
        alt = " ".join((attributes.get("alt") or "").split())
        sizes = [attributes.get(name) or declared.get(name) or "" for name in ("width", "height")]
        if not alt:
            self.shown += not any(_NO_SIZE.match(one) for one in sizes)
        elif len(alt) > _MAX_ALT or any(_NO_SIZE.match(one) for one in sizes):
            self.hidden.left_out("image_alt", alt)
        else:
            self.write(f"[{alt}]", False, look)

    def leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag in _BLOCKS:
            self.line()
            if tag in _SPACED:
                self.out.append("\n")
        elif tag == "a":
            before, self.unseen_link = self.unseen_link, None
            if before == self.shown:
                return
            url = (node.attributes.get("href") or "").strip()
            if url.startswith(("http://", "https://")) and url not in "".join(self.out[-3:]):
                self.out.append(f" <{url[:2000]}>")

    def line(self) -> None:
        if self.out and not self.out[-1].endswith("\n"):
            self.out.append("\n")

    def write(self, text: str, pre: bool, look: Look) -> None:
        form = look.unseen
        if form is not None:
            if not text.isspace():
                self.hidden.left_out(form, visible(text))
            return
        if not pre:
            text = _SPACE.sub(" ", text)
            if text == " " and (not self.out or self.out[-1].endswith(("\n", " "))):
                return
            if text.startswith(" ") and self.out and self.out[-1].endswith(("\n", " ")):
                text = text[1:]
        if text:
            self.out.append(text)
            self.shown += not text.isspace()
            if look.large and len(text) <= 80 and len(self.large) < 200:
                self.large.update(text.split())
