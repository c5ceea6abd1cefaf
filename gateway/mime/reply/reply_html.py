"""The new part of an HTML mail: without the containers that mail programs put around history and signatures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

from gateway.mime.html_safe import safe_for_parser
from gateway.mime.html_text import html_to_text
from gateway.mime.reply.reply_marks import (
    ADDRESS,
    COLON,
    DASHED,
    DATE,
    FORWARDED,
    FROM,
    FROM_WORDS,
    LABEL,
    UNSEEN,
    is_attribution,
    is_header_block,
)

# They hold the attribution, the quotation, any answers written between its parts, and sometimes what is no quotation
_MIXED = (
    "div.gmail_quote, div.gmail_quote_container, div.gmail_extra, .yahoo_quoted, div.protonmail_quote, .zmail_extra, "
    "[name=messageReplySection], .tutanota_quote, .ms-outlook-mobile-reference-message, #replybody"
)
_INTRODUCTIONS = ".gmail_attr, .moz-cite-prefix, .OutlookMessageHeader, .moz-email-headers-table, .airmail_on"
_CITED = (
    "blockquote[type=cite], blockquote.gmail_quote, blockquote.protonmail_quote, blockquote.front-blockquote"
)
# from here on everything is history
_CUTS = (
    "#divRplyFwdMsg, #appendonsend, #mail-editor-reference-message-container, #OLK_SRC_BODY_SECTION, "
    "#isReplyContent, #stopSpelling, #zwchr, hr[data-marker=__DIVIDER__]"
)
_SIGNATURES = (
    ".gmail_signature, .gmail_signature_prefix, .moz-signature, #Signature, #signature, .protonmail_signature_block, "
    "#ms-outlook-mobile-signature, #ms-outlook-mobile-body-separator-line, [name=messageSignatureSection], "
    ".front-signature, #AppleMailSignature, #lineBreakAtBeginningOfSignature"
)
_HINTS = re.compile(
    r"gmail_|cite|yahoo_quoted|protonmail|moz-|divRplyFwdMsg|appendonsend|mail-editor-ref|OLK_SRC|border-top|"
    r"isReplyContent|signature|tutanota_quote|zmail_extra|ms-outlook-mobile|OutlookMessageHeader|stopSpelling|zwchr|"
    r"__DIVIDER__|messageReplySection|front-|replybody|<blockquote|<hr|airmail_on|<(?:b|strong)(?:\s[^<>]{0,200})?>"
    rf"(?:\s|<[^<>]{{0,200}}>){{0,5}}{FROM_WORDS}\s{{0,5}}(?:</[^<>]{{0,20}}>\s*){{0,3}}[:：]",
    re.I,
)
_MAX_NODES = 1000
_MAX_LOOKED_AT = 50


def extract_reply_html(html: str, *, forward: bool = False, reply: bool = True) -> str:
    """``html`` without quotation and signature; unchanged when nothing visible would remain, or for a forward.

    Args:
        html: the HTML of a mail.
        forward: its subject says that it passes a message on.
        reply: it answers a message, so what it cites is history even where nothing says who wrote it.
    """
    if forward or not _HINTS.search(html):
        return html
    tree = LexborHTMLParser(safe_for_parser(html))
    if not _Cutter(tree, reply=reply).run():
        return html
    body = tree.body
    result = (tree.html or "") if "<html" in html[:2000].lower() else (body.inner_html or "" if body else "")
    return result.strip() if html_to_text(result).text.strip() else html


class _Cutter:
    def __init__(self, tree: LexborHTMLParser, *, reply: bool) -> None:
        self.tree = tree
        self.reply = reply
        self.gone: set[int] = set()  # never touched again: their memory is freed with them

    def run(self) -> bool:
        """Whether anything was taken out."""
        if not self.cut_at_mark():
            self.cut_at_headers()
        for node in self.nodes(_MIXED):
            self.open_mixed(node)
        for node in self.nodes("blockquote", _MAX_LOOKED_AT):
            before = _before(node)
            if before is not None and _attributes(before):
                self.drop(before)
                self.drop(node)
        for node in self.nodes(_CITED):
            self.open_cited(node)
        for node in self.nodes(_INTRODUCTIONS):
            if not _forwards(node):
                self.drop(node)
        if self.gone:
            self.drop_last_blockquotes()
        for node in self.nodes(_SIGNATURES):
            self.drop(node)
        return bool(self.gone)

    def nodes(self, selector: str, most: int = _MAX_NODES) -> list[LexborNode]:
        """What ``selector`` finds now, none of it inside another that it finds."""
        found = self.tree.css(selector)[:most]
        ids = {node.mem_id for node in found}
        return [node for node in found if not _inside(node, ids)]

    def drop(self, node: LexborNode) -> None:
        self.gone.add(node.mem_id)
        node.decompose()

    def cut_at_mark(self) -> bool:
        for node in self.tree.css(_CUTS)[:1]:
            self.cut_from(node)
            return True
        return False

    def cut_at_headers(self) -> None:
        for node in self.tree.css("div[style*='border-top']")[:_MAX_LOOKED_AT]:
            if _looks_like_headers(node.text(deep=True, separator="\n")[:3000]):
                return self.cut_from(node)
        for node in self.tree.css("hr")[:_MAX_LOOKED_AT]:
            if _looks_like_headers(_text_from(node.next)):
                return self.cut_from(node)
        for node in self.tree.css("b, strong")[:_MAX_LOOKED_AT]:
            label = node.text(deep=True)[:40].strip()
            if label.endswith((":", "：")) and FROM.match(label[:-1].strip()):
                block = _block(node)
                if _before(block) is not None and _looks_like_headers(_text_from(block)):
                    return self.cut_from(block)
        return None

    def open_cited(self, node: LexborNode) -> None:
        """Take out what a mail cites where that is what it answers, and not what its writer set like that."""
        if _forwards(node):
            return
        before, introduction = _before(node), self.introduction(node)
        introduced = before is not None and "cite-prefix" in (_attribute(before, "class") or "")
        if introduction is not None and not introduced and not self.reply:
            introduced = _text_of(node).strip().startswith(_text_of(introduction).strip())
            if not introduced:
                return self.cut_from(introduction, inside=node)
        if introduced or self.reply:
            self.drop(node)
        return None

    def introduction(self, node: LexborNode) -> LexborNode | None:
        """The first thing inside ``node``, in no quotation, that says who wrote what follows it."""
        quotes = {one.mem_id for one in node.css("blockquote") if one.mem_id != node.mem_id}
        for inner in islice(_inside_of(node), _MAX_LOOKED_AT):
            if _attributes(inner) or _looks_like_headers(_text_from(inner)):
                return None if _inside(inner, quotes) else inner
        return None

    def open_mixed(self, node: LexborNode) -> None:
        """Take out of a container what it quotes; all of it, unless something else was written in it."""
        if _forwards(node):
            return
        introduction = self.introduction(node)
        if introduction is not None and not _quotation_follows(introduction, node):
            self.cut_from(introduction, inside=node)
        quotes = node.css("blockquote, .gmail_attr")[:_MAX_NODES]
        ids = {one.mem_id for one in quotes}
        for one in [one for one in quotes if not _inside(one, ids)]:
            self.drop(one)
        if not node.text(deep=True).strip() or _attributes(node):
            self.drop(node)

    def drop_last_blockquotes(self) -> None:
        """Take out quotations that end the mail below one that was taken out: the outer levels of its history."""
        for node in reversed(self.tree.css("blockquote:not([type]):not([class])")[-_MAX_LOOKED_AT:]):
            body = self.tree.body
            text = node.text(deep=True).strip()
            if body is None or not text or not body.text(deep=True).rstrip().endswith(text):
                break
            self.drop(node)

    def cut_from(self, node: LexborNode, inside: LexborNode | None = None) -> None:
        """Remove ``node`` and everything after it in document order, as far as ``inside`` goes."""
        current: LexborNode | None = node
        for _ in range(600):
            if (
                current is None
                or current.tag in ("body", "html")
                or (inside and current.mem_id == inside.mem_id)
            ):
                break
            parent = current.parent
            following = current.next
            while following is not None:
                after = following.next
                following.decompose()
                following = after
            if current is node:
                self.drop(node)
            current = parent


def _inside(node: LexborNode, ids: set[int]) -> bool:
    above = node.parent
    while above is not None:
        if above.mem_id in ids:
            return True
        above = above.parent
    return False


def _before(node: LexborNode) -> LexborNode | None:
    """What is before ``node`` at its level, without blanks and line breaks."""
    before = node.prev
    for _ in range(6):
        if before is None or before.text(deep=True).strip():
            break
        before = before.prev
    return before


def _quotation_follows(node: LexborNode, inside: LexborNode) -> bool:
    """Whether a ``blockquote`` comes next after ``node``, in what is inside ``inside``."""
    current: LexborNode | None = node
    for _ in range(20):
        if current is None or current.mem_id == inside.mem_id:
            return False
        after = current.next
        while after is not None and not _text_of(after).strip():
            after = after.next
        if after is not None:
            quote = (
                after
                if after.tag == "blockquote"
                else after.css_first("blockquote")
                if after.is_element_node
                else None
            )
            return quote is not None and _text_of(after).strip().startswith(_text_of(quote).strip())
        current = current.parent
    return False


def _text_of(node: LexborNode) -> str:
    return (node.text_content or "") if node.is_text_node else node.text(deep=True)


def _block(node: LexborNode) -> LexborNode:
    """The paragraph, division or cell that ``node`` is in."""
    block = node
    for _ in range(6):
        if (
            block.parent is None
            or block.parent.tag in ("body", "html")
            or block.tag in ("p", "div", "td", "li")
        ):
            break
        block = block.parent
    return block


def _inside_of(node: LexborNode) -> Iterator[LexborNode]:
    """The nodes inside ``node`` in document order."""
    stack = [node.first_child] if node.first_child is not None else []
    while stack:
        current = stack.pop()
        if current.next is not None:
            stack.append(current.next)
        if current.first_child is not None:
            stack.append(current.first_child)
        yield current


def _text_from(node: LexborNode | None) -> str:
    """The beginning of the text of ``node`` and what follows it at its level."""
    text = ""
    while node is not None and len(text) < 1500:
        text += (
            node.text(deep=True, separator="\n") if not node.is_text_node else node.text_content or ""
        ) + "\n"
        node = node.next
    return text[:3000]


def _attribute(node: LexborNode, name: str) -> str | None:
    return node.attributes.get(name) if node.is_element_node else None


def _attributes(node: LexborNode) -> bool:
    """Whether all that a node says is who wrote what follows."""
    text = " ".join(_text_of(node).translate(UNSEEN).split())
    return (
        len(text) < 500
        and (text.endswith(COLON) or DASHED.match(text) is not None)
        and is_attribution(text, quoted=True)
        and DATE.search(text) is not None
    )


def _forwards(node: LexborNode) -> bool:
    return FORWARDED.search(node.text(deep=True).strip()[:120]) is not None


def _looks_like_headers(text: str) -> bool:
    """Whether ``text`` begins like the head of a message; labels and values may be in elements of their own."""
    words = [line.strip() for line in text.split("\n") if line.strip()][:16]
    labels: list[str] = []
    for word in words:
        if found := LABEL.match(f"{word} "):
            labels.append(found["label"].strip(" *_"))
    values = " ".join(words)
    if not words or LABEL.match(f"{words[0]} ") is None:
        return False
    dated = DATE.search(values) is not None
    return is_header_block(labels, values, banner=False, apart=True) or (
        len(labels) >= 3 and dated and ADDRESS.search(values) is not None
    )
