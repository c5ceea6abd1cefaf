"""Text, tables of text and HTML: decoded by their label, or by their content."""

from __future__ import annotations

import codecs

from gateway.extract.limits import TEXT_CHARS, Unreadable
from gateway.mime.charset import decode
from gateway.mime.html_text import html_to_text

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as UTF-16's does, so it is asked first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ENOUGH = 4 * TEXT_CHARS  # octets: no charset takes more for a character
_HTML_OCTETS = 1024 * 1024


def read_text(data: bytes, charset: str | None) -> str:
    """The text with ``\\n`` line ends, of as much as is kept. Raises Unreadable for what is no text."""
    for mark, codec in _BOMS:
        if data.startswith(mark):
            text = data[len(mark) : len(mark) + _ENOUGH].decode(codec, "replace")
            break
    else:
        wide = (charset or "").lower().startswith(("utf-16", "utf-32"))
        if b"\0" in data[:4096] and not wide:
            raise Unreadable("it is not text")
        text = decode(_beginning(data, _ENOUGH), charset)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_html(data: bytes, charset: str | None) -> str:
    """What a person sees of an HTML file."""
    text = decode(_beginning(data, _HTML_OCTETS), charset)
    return html_to_text(text).text


def _beginning(data: bytes, octets: int) -> bytes:
    """The first octets, without the piece of a UTF-8 character that would make it all look like another charset."""
    if len(data) <= octets:
        return data
    while octets and data[octets] & 0xC0 == 0x80 and data[octets - 1] >= 0x80:
        octets -= 1
    return data[:octets]
