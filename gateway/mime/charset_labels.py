"""The codec that a charset label of a mail means: IANA's names, those of the Encoding Standard, Windows and Java.

Labels are used loosely: each names the superset that mail programs mean by it.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_NAMES = {
    "ascii": "ascii usascii ansix341968 ansix341986 iso646us isoir6",
    "cp1252": "latin1 l1 csisolatin1 isoir100 ansi",
    "cp1254": "latin5 l5 csisolatin5 isoir148",
    "cp874": "tis620",
    "iso8859-2": "csisolatin2",
    "iso8859-4": "csisolatin4",
    "iso8859-5": "csisolatincyrillic",
    "iso8859-6": "csisolatinarabic arabic asmo708",
    "iso8859-7": "csisolatingreek suneugreek",
    "iso8859-8": "csisolatinhebrew visual logical",
    "iso8859-15": "csisolatin9 latin9 l9",
    "koi8-r": "koi koi8 cskoi8r",
    "koi8-u": "koi8ru",
    "utf-8": "utf8 utf8mb4 unicode11utf8 unicode20utf8 utf8n",
    "utf-7": "unicode11utf7",
    "utf-16": "unicode ucs2 csunicode iso10646ucs2",
    "mac_roman": "mac macintosh csmacintosh macroman",
    "mac_cyrillic": "maccyrillic macukrainian",
    "mac_greek": "macgreek",
    "mac_latin2": "macce maccentraleurope",
    "mac_turkish": "macturkish",
    "gb18030": "gb2312 gb231280 gbk euccn cngb cngb231280 chinese csgb2312 csgb231280 csiso58gb231280 isoir58 "
    "gb180302000 gb180302005",
    "hz": "hzgb2312 hzgb",
    "big5hkscs": "big5 cnbig5 csbig5 big5eten big5hkscs ms950hkscs",
    "cp932": "shiftjis sjis csshiftjis mskanji shiftjisms sjiswin windows31j cswindows31j",
    "euc_jp": "eucjp eucjpms eucjpwin cseucpkdfmtjapanese ujis",
    "iso2022_jp_ext": "iso2022jp csiso2022jp iso2022jpms iso2022jp1 jis7 jis windowsiso2022jp",
    "iso2022_kr": "iso2022kr csiso2022kr",
    "cp949": "euckr cseuckr ksc56011987 ksc56011989 ksc5601 ksc56011992 csksc56011987 korean isoir149 uhc",
}
_CODECS = {label: codec for codec, labels in _NAMES.items() for label in labels.split()}
# by the number of a code page of Windows
_PAGES = {
    367: "ascii", 819: "cp1252", 874: "cp874", 932: "cp932", 936: "gb18030", 943: "cp932", 949: "cp949",
    950: "big5hkscs", 970: "cp949", 1200: "utf-16-le", 1201: "utf-16-be", 1381: "gb18030", 1386: "gb18030",
    10000: "mac_roman", 10006: "mac_greek", 10007: "mac_cyrillic", 10029: "mac_latin2", 10081: "mac_turkish",
    20127: "ascii", 20866: "koi8-r", 20932: "euc_jp", 20936: "gb18030", 20949: "cp949", 21866: "koi8-u",
    28591: "cp1252", 28599: "cp1254", 28605: "iso8859-15", 38598: "iso8859-8", 50220: "iso2022_jp_ext",
    50221: "iso2022_jp_ext", 50222: "iso2022_jp_ext", 50225: "iso2022_kr", 51932: "euc_jp", 51936: "gb18030",
    51949: "cp949", 52936: "hz", 54936: "gb18030", 65000: "utf-7", 65001: "utf-8",
}  # fmt: skip
_PAGE = re.compile(r"(?:windows|win|cp|ms|dos|ibm|csibm|oem|codepage|microsoftcp|ccsid)?0*([1-9]\d{2,4})")
_ISO = re.compile(r"(?:cs)?(?:iso)?[-_ ]?8859[-_ ]?([1-9]\d?)(?:[-_ ]?[ei])?(?::\d{4})?")
_SUPERSETS = {1: "cp1252", 9: "cp1254", 11: "cp874"}
_LABEL = re.compile(r"[\s\"']*([\w.:+-]{1,64})")
_DROPPED = re.compile(r"[^a-z0-9]")
# Python codecs that are text to text, stateful oddities, or slow: never reachable from a label in a mail.
_FORBIDDEN = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem", "charmap"}
)


@lru_cache(maxsize=512)
def codec_name(label: str) -> str | None:
    """The Python codec for a charset label (RFC 2978), or None when it names no text charset."""
    found = _LABEL.match(label)
    if found is None:
        return None
    name = _codec(found[1].lower())
    try:
        info = codecs.lookup(name)
        letter = b"a".decode(name, "replace")  # refuses codecs that are not text (zip, rot13, ...)
    except (LookupError, ValueError, TypeError):
        return None
    if info.name.replace("-", "_") in _FORBIDDEN or not (letter == "a" or name.startswith("utf")):
        return None  # EBCDIC is no charset of mail
    return name


def _codec(label: str) -> str:
    while label.startswith("x-"):
        label = label[2:]
    short = _DROPPED.sub("", label)
    if short in _CODECS:
        return _CODECS[short]
    if iso := _ISO.fullmatch(label):
        return _SUPERSETS.get(int(iso[1]), f"iso8859-{iso[1]}")
    if page := _PAGE.fullmatch(short):
        number = int(page[1])
        if 28592 <= number <= 28606:
            return f"iso8859-{number - 28590}"
        return _PAGES.get(number, f"cp{number}")
    return label
