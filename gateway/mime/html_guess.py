"""Whether a text that says no more of itself is HTML."""

from __future__ import annotations

import re

_MARKUP = (
    "a abbr address article aside b big blockquote body br caption center cite code col colgroup dd del details "
    "dfn div dl dt em figcaption figure font footer form h1 h2 h3 h4 h5 h6 head header hr html i iframe img ins "
    "kbd label li link main map mark meta nav object ol p picture pre q s samp script section select small span "
    "strike strong style sub summary sup svg table tbody td template textarea tfoot th thead time title tr tt u "
    "ul var video"
)
_VOID = frozenset(("br", "col", "hr", "img", "link", "meta"))
_BLOCK = frozenset(
    ("blockquote", "body", "center", "div", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "head", "html", "li", "ol",
     "p", "pre", "section", "style", "table", "td", "tr", "ul")
)  # fmt: skip
_TAG = re.compile(
    rf"<(?P<close>/?)(?P<name>{'|'.join(sorted(_MARKUP.split(), key=len, reverse=True))})"
    # attributes, each a name and perhaps a value: "if a <b and c> d" has none with a value
    r"(?P<more>(?:\s[^<>]*)?)\s*/?>",
    re.I,
)
_DOCTYPE = re.compile(r"\s*(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+html|html[\s>])", re.I | re.S)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]{1,500}`", re.S)


def looks_like_html(text: str) -> bool:
    """True for a document, or when ``text`` holds real tags: an element that is closed, a ``<br>``, an ``<img …>``,
    or a block that begins the text.

    Not for a lone ``<`` or ``>``, an address or URL in angle brackets, ``List<int>``, ``a <b and c> d``, nor for
    tags that stand only in Markdown code.
    """
    if "<" not in text or ">" not in text:
        return False
    if _DOCTYPE.match(text):
        return True
    if "`" in text:
        text = _CODE.sub(" ", text)
    opened: set[str] = set()
    start = len(text) - len(text.lstrip())
    for tag in _TAG.finditer(text):
        name, more = tag["name"].lower(), tag["more"].strip()
        if more and "=" not in more and more != "/":
            continue
        if tag["close"]:
            if name in opened:
                return True
        elif name in _VOID:
            if name in ("br", "hr") or "=" in more:
                return True
        else:
            if tag.start() == start and name in _BLOCK:
                return True
            opened.add(name)
    return False
