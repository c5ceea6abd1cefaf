"""The new part of a reply: text and HTML without the quoted history and the signature.

Structural, not a list of phrases: attribution lines are known by a date and an address before a colon, header
blocks by their ``Label: value`` shape, so any language works. Linear; never empty when something was written.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from gateway.mime.html_text import html_to_text, safe_for_parser

_MAX_LINES = 20_000
_DATE = re.compile(r"\d{4}|\d{1,2}[:.h]\d{2}|\d{1,2}[./-]\d{1,2}[./-]\d{2}|\d{1,2}月")
_ADDRESS = re.compile(r"[^\s<>@]{1,64}@[^\s<>@]{1,200}")
_COLON = (":", "：", ":*", ": *")
_LABEL = re.compile(r"[*_ ]{0,3}[^\W\d_][^:：<>@\n]{0,30}[:：][*_]{0,2}(?:\s|$)\s*(?P<value>.*)")
_RULE = re.compile(r"(?:[-_=*]{5,}|[-_]{2,} ?[^-_\n]{3,60} ?[-_]{2,})\s*$")
_BANNER = re.compile(r"-{2,} ?[^-\n]{3,60} ?-{2,}\s*$")
_SIGNATURE = re.compile(r"--\s?$|— ?$")
_DEVICE = re.compile(
    r"(?:Sent from (?:my|Mail|Outlook|Yahoo)|Get Outlook for|Von meinem .{1,30} gesendet|Gesendet von|"
    r"Envoy[ée] (?:de|depuis)|Enviado (?:desde|do|de) |Inviato da|Verzonden (?:vanaf|met)|Skickat från|"
    r"Wysłane z|Отправлено (?:с|из)|Sendt fra|iPhoneから送信|从我的 iPhone|发自我的)",
    re.I,
)
# Containers that mail programs put around what they quote.
_QUOTES = (
    ".gmail_quote, .gmail_quote_container, .gmail_extra > .gmail_quote, blockquote[type=cite], .moz-cite-prefix, "
    ".yahoo_quoted, .protonmail_quote, .gmail_attr, .tutanota_quote, .zmail_extra, .ms-outlook-mobile-reference-message"
)
_CUTS = (
    "#divRplyFwdMsg, #appendonsend, #mail-editor-reference-message-container, #OLK_SRC_BODY_SECTION, "
    "#isReplyContent"
)
_SIGNATURES = (
    ".gmail_signature, .moz-signature, #Signature, .protonmail_signature_block, #ms-outlook-mobile-signature"
)
_HINTS = re.compile(
    r"gmail_|cite|yahoo_quoted|protonmail|moz-|divRplyFwdMsg|appendonsend|mail-editor-ref|OLK_SRC|border-top|"
    r"isReplyContent|Signature|tutanota_quote|zmail_extra|ms-outlook-mobile",
    re.I,
)


def extract_reply_text(text: str) -> str:
    """``text`` (``\\n`` line ends) without quotation and signature; the stripped whole when nothing would remain."""
    lines = text.split("\n")
    if len(lines) > _MAX_LINES:
        return text.strip()
    kept = _cut(lines)
    result = "\n".join(_without_signature(kept)).strip()
    if not result:
        result = "\n".join(kept).strip()
    return result or text.strip()


def _cut(lines: list[str]) -> list[str]:
    kept: list[str] = []
    quoting = False  # an attribution was seen: lines with ">" are the history
    starts = True
    index = 0
    while index < len(lines):
        line = lines[index]
        if quoting and line.startswith(">"):
            index += 1
            starts = True
            continue
        # An attribution or a header block begins a paragraph or follows a rule: other lines cost nothing.
        if (starts or line[:1] in "-_=*") and line and len(line) < 1000 and not line.isspace():
            size, quoted = _attribution(lines, index) if starts else (0, False)
            if size:
                if not quoted:
                    break
                quoting = True
                index += size
                continue
            if _header_block(lines, index) and any(kept_line.strip() for kept_line in kept):
                break
        starts = not line or line[0] == ">" or line.isspace()
        kept.append(line)
        index += 1
    return kept


def _attribution(lines: list[str], index: int) -> tuple[int, bool]:
    """(lines of the attribution that begins at ``index`` or 0, True when ``>`` lines follow it)."""
    block = ""
    for size in range(1, 4):
        if index + size > len(lines):
            return 0, False
        line = lines[index + size - 1].strip()
        if not line or line.startswith(">") or len(block) + len(line) > 500:
            return 0, False
        block = f"{block} {line}"
        if not line.endswith(_COLON):
            continue
        after = index + size
        while after < len(lines) and after < index + size + 3 and not lines[after].strip():
            after += 1
        quoted = after < len(lines) and lines[after].startswith(">")
        dated = _DATE.search(block) is not None
        if dated and (quoted or _ADDRESS.search(block)):
            return size, quoted
        if quoted and _ADDRESS.search(block):
            return size, quoted
    return 0, False


def _header_block(lines: list[str], index: int) -> bool:
    """Whether a quoted header block (Outlook, forwards) begins at ``index``, with or without a rule above it."""
    line = lines[index].strip()
    start = index
    banner = False
    if _RULE.match(line):
        banner = _BANNER.match(line) is not None
        start += 1
        while start < len(lines) and start < index + 3 and not lines[start].strip():
            start += 1
    elif index and lines[index - 1].strip():
        return False
    labels = 0
    block = ""
    for line in lines[start : start + 8]:
        found = _LABEL.match(line.strip()[:300])
        if found is None:
            if not labels or not line.strip():
                break
            block += line[:300]  # a folded value
            continue
        labels += 1
        block += found["value"]
    if labels < (2 if banner else 3):
        return False
    return (_ADDRESS.search(block) is not None or banner) and _DATE.search(block) is not None


def _without_signature(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    for index in range(end - 1, max(end - 16, 0), -1):
        if _SIGNATURE.match(lines[index]):
            return lines[:index]
    if end and len(lines[end - 1]) < 200 and _DEVICE.match(lines[end - 1].strip()):
        return lines[: end - 1]
    return lines[:end]


def extract_reply_html(html: str) -> str:
    """``html`` without the containers of quotations and signatures; unchanged when nothing visible would remain."""
    if not _HINTS.search(html):
        return html
    tree = LexborHTMLParser(safe_for_parser(html))
    changed = False
    for node in tree.css(_CUTS)[:1]:
        _cut_from(node)
        changed = True
    if not changed:
        for node in tree.css("div[style*='border-top']")[:20]:
            if _looks_like_headers(node):
                _cut_from(node)
                changed = True
                break
    for selector in (_QUOTES, _SIGNATURES):
        for node in tree.css(selector)[:1000]:
            # A forward is a quotation that is the message: the emptiness check below keeps it.
            node.decompose()
            changed = True
    if not changed:
        return html
    body = tree.body
    result = (tree.html or "") if "<html" in html[:2000].lower() else (body.inner_html or "" if body else "")
    return result.strip() if html_to_text(result).text.strip() else html


def _looks_like_headers(node: LexborNode) -> bool:
    text = node.text(deep=True)[:1500]
    return text.count(":") >= 3 and "@" in text and _DATE.search(text) is not None


def _cut_from(node: LexborNode) -> None:
    """Remove ``node`` and everything after it in document order."""
    current: LexborNode | None = node
    for _ in range(200):
        if current is None or current.tag in ("body", "html"):
            break
        parent = current.parent
        following = current.next
        while following is not None:
            after = following.next
            following.decompose()
            following = after
        if current is node:
            node.decompose()
        current = parent
