"""Octets to text: as the label says, unless the octets say that it is wrong.

Valid UTF-8 wins over every other label. What the label's codec cannot read is read with the characters that Windows
adds to that charset, else in the charset in which it reads best (``charset_guess``).
"""

from __future__ import annotations

import codecs
import re

from gateway.mime.charset_guess import better_than, fit, guess
from gateway.mime.charset_labels import codec_name

_SURROGATES = re.compile("[\x00\ud800-\udfff]")
_LONG = re.compile("[\u0800-\uffff\U00010000-\U0010ffff]")  # three octets and more in UTF-8
_CONTROLS = re.compile("[\x80-\x9f]")
_SEVEN_BIT = frozenset(("utf-7", "hz", "iso2022_jp_ext", "iso2022_kr"))
_UTF_16 = frozenset(
    ("utf-16", "utf-16-le", "utf-16-be", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be")
)
_DISPROVED = _SEVEN_BIT | _UTF_16 | {"ascii", "utf-8"}  # by octets beyond ASCII that are no UTF-8
# a word in one of these can be valid UTF-8 of two octets a character
_BY_CHANCE = frozenset(("gb18030", "big5hkscs", "cp932", "cp949", "euc_jp", "cp874"))
# what Windows programs write under the label of an ISO charset, and what their charset adds to another
_WINDOWS = {
    "iso8859-2": "cp1250", "iso8859-4": "cp1257", "iso8859-6": "cp1256", "iso8859-7": "cp1253",
    "iso8859-8": "cp1255", "iso8859-13": "cp1257", "iso8859-15": "cp1252", "big5hkscs": "cp950",
}  # fmt: skip
_LEGIBLE = 0.5  # a reading that scores less is hardly text
_ESCAPE = re.compile(rb"\x1b(\$[@AB]|\$\(D|\([BHIJ])")
_PAIR = re.compile(rb"[\xa1-\xfe]{2}")
_TO_HIGH = bytes(octet | 0x80 if 0x21 <= octet <= 0x7E else octet for octet in range(256))


def decode(data: bytes, label: str | None, likely: str | None = None) -> str:
    """``data`` as text without NUL and lone surrogates; never raises.

    Args:
        data: octets of a body, a header value or an encoded word.
        label: their charset as the mail names it; None when it names none.
        likely: a label that the mail has elsewhere: it decides where several charsets read well.
    """
    return scrub(_read(data, codec_name(label) if label else None, likely))


def _read(data: bytes, codec: str | None, likely: str | None) -> str:
    if codec in _UTF_16 and (b"\0" in data or data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))):
        return data.decode(codec, "replace")
    if data.isascii():
        return _read_ascii(data, codec)
    text = _utf8(data)
    if text is not None and not (codec in _BY_CHANCE and _by_chance(text, data, codec)):
        return text
    if codec is not None and codec not in _DISPROVED:
        return _labelled(data, codec, likely)
    if b"\x1b$" in data and codec != "utf-8":
        return _iso2022_jp(data)
    found, score = guess(data, codec_name(likely) if likely else None)
    text = data.decode("utf-8", "replace")
    bad, beyond = text.count("\ufffd"), _beyond_ascii(text)
    if 4 * bad <= beyond or (codec == "utf-8" and 2 * bad <= beyond and score < _LEGIBLE):
        return text  # damaged in places
    return data.decode(found if score > 0 else "cp1252", "replace")


def _read_ascii(data: bytes, codec: str | None) -> str:
    if codec in _SEVEN_BIT:
        try:
            return data.decode(codec)
        except (UnicodeError, ValueError):
            pass
    if b"\x1b$" in data:  # RFC 1468 and RFC 1557, with or without the label
        return data.decode("iso2022_kr", "replace") if b"\x1b$)C" in data else _iso2022_jp(data)
    return data.decode("ascii")


def _utf8(data: bytes) -> str | None:
    """``data`` as UTF-8, without a last character that was cut; None when it is none."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data" or data[: error.start].isascii():
            return None
        return data[: error.start].decode("utf-8")


def _labelled(data: bytes, codec: str, likely: str | None) -> str:
    try:
        text = data.decode(codec, "windows_jis" if codec == "euc_jp" else "strict")
    except UnicodeDecodeError as error:
        if len(data) - 3 <= error.start and not data[: error.start].isascii():
            return data[: error.start].decode(codec)  # cut inside its last character
        text = data.decode(codec, "euro" if codec == "gb18030" else "replace")
    bad = text.count("\ufffd")
    if (bad or _CONTROLS.search(text)) and codec in _WINDOWS:
        other = data.decode(_WINDOWS[codec], "replace")
        if (wrong := other.count("\ufffd")) < bad or not bad:
            text, bad = other, wrong
    if bad * 10 > _beyond_ascii(text):
        found, score = guess(data, codec_name(likely) if likely else None)
        return data.decode(found, "replace") if score >= _LEGIBLE else text
    better = better_than(codec, data)
    return text if better is None else data.decode(better, "replace")


def _by_chance(text: str, data: bytes, codec: str) -> bool:
    """Whether octets are a word in ``codec`` though they are valid UTF-8, too (``text``)."""
    few = _beyond_ascii(text) <= 4 and not _LONG.search(text)
    return few and (fit(data, codec) or 0.0) > _LEGIBLE + 0.1


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _iso2022_jp(data: bytes) -> str:
    """RFC 1468 text with what Windows adds to it: its rows of JIS X 0208, half-width kana."""
    pieces = _ESCAPE.split(data)
    out = [pieces[0].decode("cp932", "replace")]
    for escape, octets in zip(pieces[1::2], pieces[2::2], strict=True):
        if escape in (b"$B", b"$@"):
            out.append(octets.translate(_TO_HIGH).decode("euc_jp", "windows_jis"))
        elif escape == b"$(D":
            high = _PAIR.sub(rb"\x8f\g<0>", octets.translate(_TO_HIGH))
            out.append(high.decode("euc_jp", "replace"))
        elif escape == b"$A":
            out.append(octets.translate(_TO_HIGH).decode("gb18030", "replace"))
        elif escape == b"(I":
            out.append(octets.translate(_TO_HIGH).decode("cp932", "replace"))
        else:
            out.append(octets.decode("cp932", "replace"))
    return "".join(out)


def _windows_jis(error: UnicodeError) -> tuple[str, int]:
    """A character of EUC-JP that only Windows has: found by its place in Shift_JIS."""
    assert isinstance(error, UnicodeDecodeError)
    pair = error.object[error.start : error.start + 2]
    if len(pair) < 2 or not _PAIR.match(pair):
        return "\ufffd", error.start + 1
    row, cell = pair[0] - 0xA1, pair[1] - 0xA1
    first = row // 2 + (0x81 if row < 62 else 0xC1)
    second = cell + 0x9F if row % 2 else cell + 0x40 + (cell >= 63)
    return bytes((first, second)).decode("cp932", "replace"), error.start + 2


def _euro(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return ("€" if error.object[error.start] == 0x80 else "\ufffd"), error.start + 1


codecs.register_error("windows_jis", _windows_jis)
codecs.register_error("euro", _euro)


def scrub(text: str) -> str:
    """``text`` without NUL and lone surrogates, which no database and no JSON takes."""
    return _SURROGATES.sub("\ufffd", text) if _SURROGATES.search(text) else text
