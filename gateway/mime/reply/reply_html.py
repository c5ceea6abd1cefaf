"""The new part of an HTML mail: without the containers that mail programs put around history and signatures."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from gateway.mime.html_safe import safe_for_parser
from gateway.mime.html_text import html_to_text
from gateway.mime.reply.reply_marks import (
    ADDRESS,
    COLON,
    DATE,
    FORWARDED,
    LABEL,
    is_attribution,
    is_header_block,
)

# Gmail's holds the attribution, the quotation, and any answers written between its parts
_MIXED = "div.gmail_quote, div.gmail_quote_container, div.gmail_extra"
_QUOTES = (
    "blockquote.gmail_quote, .gmail_attr, blockquote[type=cite], .moz-cite-prefix, .yahoo_quoted, .protonmail_quote, "
    ".tutanota_quote, .zmail_extra, .ms-outlook-mobile-reference-message, .OutlookMessageHeader, "
    "[name=messageReplySection], blockquote.front-blockquote, #replybody, .moz-email-headers-table"
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
    r"__DIVIDER__|messageReplySection|front-|replybody|<blockquote|<hr",
    re.I,
)
_MAX_NODES = 1000
_MAX_LOOKED_AT = 50


def extract_reply_html(html: str, *, forward: bool = False) -> str:
    """``html`` without quotation and signature; unchanged when nothing visible would remain, or for a forward."""
    if forward or not _HINTS.search(html):
        return html
    tree = LexborHTMLParser(safe_for_parser(html))
    if not _Cutter(tree).run():
        return html
    body = tree.body
    result = (tree.html or "") if "<html" in html[:2000].lower() else (body.inner_html or "" if body else "")
    return result.strip() if html_to_text(result).text.strip() else html


class _Cutter:
    def __init__(self, tree: LexborHTMLParser) -> None:
        self.tree = tree
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
        for node in self.nodes(_QUOTES):
            if not _forwards(node):
                self.drop(node)
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
            after, text = node.next, ""
            while after is not None and len(text) < 1500:
                text += after.text(deep=True, separator="\n") + "\n"
                after = after.next
            if _looks_like_headers(text[:3000]):
                return self.cut_from(node)
        return None

    def open_mixed(self, node: LexborNode) -> None:
        """Take out of Gmail's container what it quotes; all of it, unless an answer was written in between."""
        if _forwards(node):
            return
        quotes = node.css("blockquote, .gmail_attr")[:_MAX_NODES]
        if quotes:
            ids = {one.mem_id for one in quotes}
            for one in [one for one in quotes if not _inside(one, ids)]:
                self.drop(one)
            rest = node.text(deep=True).strip()
            if rest and not _attributes(node):
                return
        elif "gmail_extra" in (node.attributes.get("class") or ""):
            return
        self.drop(node)

    def cut_from(self, node: LexborNode) -> None:
        """Remove ``node`` and everything after it in document order."""
        current: LexborNode | None = node
        for _ in range(600):
            if current is None or current.tag in ("body", "html"):
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
    """What stands before ``node`` at its level, without blanks and line breaks."""
    before = node.prev
    for _ in range(6):
        if before is None or before.text(deep=True).strip():
            break
        before = before.prev
    return before


def _attributes(node: LexborNode) -> bool:
    """Whether all that a node says is who wrote what follows."""
    text = (
        " ".join(node.text(deep=True).split())
        if not node.is_text_node
        else " ".join((node.text_content or "").split())
    )
    return (
        len(text) < 500
        and text.endswith(COLON)
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
