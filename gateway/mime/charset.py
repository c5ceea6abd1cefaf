"""Octets to text: the charset labels seen in mail, mapped to the codecs that really decode them."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

# Labels are used loosely in mail: each maps to the superset that mail programs mean by it.
_SUPERSETS = {
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "ansi_x3.4-1968": "cp1252",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "gb_2312-80": "gb18030",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "big5": "big5hkscs",
    "x-big5": "big5hkscs",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "unicode-1-1-utf-7": "utf-7",
    "utf8": "utf-8",
    "unicode": "utf-16",
    "macintosh": "mac_roman",
    "x-mac-roman": "mac_roman",
    "cp-850": "cp850",
}
# Python codecs that are text to text, stateful oddities, or slow: never reachable from a label in a mail.
_FORBIDDEN = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem", "charmap"}
)
_SURROGATES = re.compile("[\x00\ud800-\udfff]")


@lru_cache(maxsize=512)
def codec_name(label: str) -> str | None:
    """The Python codec for a charset label (RFC 2978), or None when it names no text charset."""
    key = label.strip().strip("\"'").lower()[:64]
    name = _SUPERSETS.get(key, key)
    try:
        info = codecs.lookup(name)
        b"a".decode(name, "replace")  # refuses codecs that are not text (zip, rot13, ...)
    except (LookupError, ValueError, TypeError):
        return None
    return None if info.name.replace("-", "_") in _FORBIDDEN else name


def decode(data: bytes, label: str | None) -> tuple[str, bool]:
    """Decode ``data``; never raises. Returns (scrubbed text, True when nothing had to be guessed)."""
    codec = codec_name(label) if label else None
    if codec is not None and codec != "cp1252":
        try:
            return scrub(data.decode(codec)), True
        except (UnicodeError, ValueError):
            return scrub(data.decode(codec, "replace")), False
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return scrub(data.decode("cp1252", "replace")), codec is not None
    if label is None and "\x1b$" in text:
        # RFC 1468 text without a label: 7-bit, so it passed as UTF-8.
        return scrub(data.decode("iso2022_jp_ext", "replace")), False
    return scrub(text), codec is not None or label is None


def scrub(text: str) -> str:
    """``text`` without NUL and lone surrogates, which no database and no JSON takes."""
    return _SURROGATES.sub("\ufffd", text) if _SURROGATES.search(text) else text
