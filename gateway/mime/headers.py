"""Header block of a message or part: split, unfold, decode. Every function is linear and never raises."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from gateway.mime.charset import decode, scrub
from gateway.mime.charset_guess import guess
from gateway.mime.charset_labels import codec_name
from gateway.mime.limits import DEFAULT_LIMITS, Limits

_END = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.M)
_WORD = re.compile(r"=\?([A-Za-z0-9_.:+\-]{1,60})(?:\*[A-Za-z0-9\-]{0,20})?\?([bBqQ])\?([^?]{0,4000})\?=")
_QP = re.compile(rb"=([0-9A-Fa-f]{2})")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u2028\u2029]+")
_FOLD = re.compile(rb"\r?\n|\r")
_MAX_WORDS = 2000
_CHARSET = re.compile(rb"(?:charset\s{0,9}=\s{0,9}[\"']?|=\?)([A-Za-z0-9_.:+-]{2,40})", re.I)
_NEAR = 16 * 1024  # octets of the body in which a charset is looked for
_SAYS_NOTHING = frozenset(("ascii", "utf-8", "cp1252"))


class Head(NamedTuple):
    """A split header block: fields in order (name as written, raw value octets), where the body starts, and the charset
    in which raw 8-bit values are that are not UTF-8 (None: each is read by itself)."""

    fields: list[tuple[str, bytes]]
    body_start: int
    truncated: bool
    charset: str | None = None

    def raw(self, name: str) -> list[bytes]:
        """Raw values of every field called ``name`` (lower case), topmost first."""
        length = len(name)
        return [value for field, value in self.fields if len(field) == length and field.lower() == name]

    def first(self, name: str) -> str:
        """Decoded, unfolded value of the topmost field called ``name`` (lower case); empty when absent."""
        for field, value in self.fields:
            if field.lower() == name:
                return decode_value(value, likely=self.charset)
        return ""

    def text(self, name: str) -> str:
        """Unfolded value without RFC 2047 decoding: what structured fields must be tokenised from."""
        for field, value in self.fields:
            if field.lower() == name:
                return unfold(value, likely=self.charset)
        return ""


def head_end(raw: bytes, start: int = 0) -> tuple[int, int]:
    """(end of the last header line, start of the body) of the entity at ``start`` (RFC 5322 §2.1)."""
    if raw.startswith((b"\r\n", b"\n"), start):
        return start, start + (2 if raw[start] == 13 else 1)
    found = _END.search(raw, start)
    return (found.start() + 1, found.end()) if found else (len(raw), len(raw))


def split_head(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> Head:
    """Split ``raw`` at its first empty line. A message without one valid field is all body."""
    end, body = head_end(raw)
    block = raw[: min(end, limits.head)]
    fields, truncated = split_fields(block, limits.fields)
    if not fields and end:
        return Head([], 0, False)
    charset = None if block.isascii() else _raw_charset(fields, raw[: body + _NEAR])
    return Head(fields, body, truncated or end > limits.head, charset)


def _raw_charset(fields: list[tuple[str, bytes]], start: bytes) -> str | None:
    """The charset of raw 8-bit values that are no UTF-8, weighed together; one that the mail names is likely."""
    odd = [value for _, value in fields if not value.isascii() and not _is_utf8(value)]
    if not odd:
        return None
    names = (found[1].decode("ascii") for found in _CHARSET.finditer(start))
    likely = next(
        (codec for name in names if (codec := codec_name(name)) and codec not in _SAYS_NOTHING), None
    )
    return guess(b"\n".join(odd), likely)[0]


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def split_fields(block: bytes, cap: int) -> tuple[list[tuple[str, bytes]], bool]:
    """Fields of a header block, at most ``cap``; lines that are neither field nor continuation are skipped."""
    fields: list[tuple[str, bytes]] = []
    for found in _FIELD.finditer(block):
        if len(fields) >= cap:
            return fields, True
        fields.append((found[1].decode("ascii"), found[2]))
    return fields, False


def unfold(value: bytes, cap: int = DEFAULT_LIMITS.value, likely: str | None = None) -> str:
    """One line of text from a raw value (RFC 5322 §2.2.3); raw 8-bit is UTF-8, else in the charset it reads best in,
    which is probably ``likely``."""
    value = _FOLD.sub(b"", value[:cap]).strip()
    text = value.decode("ascii") if value.isascii() else decode(value, None, likely)
    return _CONTROLS.sub(" ", text) if _CONTROLS.search(text) else text


def decode_value(value: bytes, cap: int = DEFAULT_LIMITS.value, likely: str | None = None) -> str:
    """Unfolded value with encoded words decoded (RFC 2047); no control characters, no CR or LF."""
    return decode_words(unfold(value, cap, likely))


def decode_words(text: str) -> str:
    """Decode RFC 2047 words. Neighbours of one charset are joined first: many split inside a character."""
    if "=?" not in text:
        return text
    out: list[str] = []
    pending: list[bytes] = []
    charset = ""
    position = 0
    for count, found in enumerate(_WORD.finditer(text)):
        if count >= _MAX_WORDS:
            break
        between = text[position : found.start()]
        adjacent = position > 0 and not between.strip()
        if pending and not (adjacent and found[1].lower() == charset):
            out.append(decode(b"".join(pending), charset))
            pending = []
        if not adjacent:
            out.append(between)
        charset = found[1].lower()
        pending.append(_word_octets(found[2], found[3]))
        position = found.end()
    if pending:
        out.append(decode(b"".join(pending), charset))
    out.append(text[position:])
    return scrub(_CONTROLS.sub(" ", "".join(out)))


def _word_octets(encoding: str, payload: str) -> bytes:
    octets = payload.encode("utf-8", "replace")
    if encoding in "qQ":
        return _QP.sub(lambda m: bytes.fromhex(m[1].decode()), octets.replace(b"_", b" "))
    try:
        return base64.b64decode(octets + b"=" * (-len(octets.rstrip(b"=")) % 4))
    except (binascii.Error, ValueError):
        cut = octets.rstrip(b"=")
        try:
            return base64.b64decode(cut[: len(cut) // 4 * 4])
        except (binascii.Error, ValueError):
            return octets


def header_map(head: Head, limits: Limits) -> tuple[dict[str, str], bool]:
    """Decoded fields by name as first written; repeated ones joined by newline. (map, True when capped)."""
    result: dict[str, str] = {}
    spelled: dict[str, str] = {}
    room = limits.headers_total
    for name, value in head.fields:
        decoded = decode_value(value, limits.value, head.charset)
        room -= len(name) + len(decoded)
        if room < 0:
            return result, True
        key = spelled.setdefault(name.lower(), name[:200])
        result[key] = f"{result[key]}\n{decoded}" if key in result else decoded
    return result, False


_PARAM = re.compile(r';\s*([^\s=;"]{1,80})\s*=\s*("(?:[^"\\]|\\.)*"?|[^;\s"]*[^;"]*)')
_MAX_PARAMS = 200


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """(lower-case main value, parameters) of a Content-* field (RFC 2045 §5.1), RFC 2231 forms joined."""
    main, _, rest = value[:16384].partition(";")
    found: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    for count, match in enumerate(_PARAM.finditer(";" + rest)):
        if count >= _MAX_PARAMS:
            break
        name, text = match[1].lower(), match[2].strip()
        if text.startswith('"'):
            text = re.sub(r"\\(.)", r"\1", text[1:-1] if text.endswith('"') and len(text) > 1 else text[1:])
        base, star, index = name.partition("*")
        if not star:
            found.setdefault(name, text)
            continue
        encoded = index.endswith("*") or index == ""
        number = index.rstrip("*") or "0"
        if number.isdecimal() and len(number) < 4:
            pieces.setdefault(base, {}).setdefault(int(number), (encoded, text))
    for base, parts in pieces.items():
        found[base] = _join_rfc2231([parts[i] for i in sorted(parts)])
    return main.strip().lower(), found


def _join_rfc2231(parts: list[tuple[bool, str]]) -> str:
    charset = "utf-8"
    octets: list[bytes] = []
    for index, (encoded, text) in enumerate(parts):
        if index == 0 and encoded and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        data = text.encode("utf-8", "replace")
        if encoded:
            data = re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes.fromhex(m[1].decode()), data)
        octets.append(data)
    return decode(b"".join(octets), charset or "utf-8")
