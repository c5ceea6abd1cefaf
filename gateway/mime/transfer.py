"""Content-Transfer-Encoding (RFC 2045 §6) and uuencode, lenient and linear."""

from __future__ import annotations

import binascii
import quopri
import re

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_BLANKS = b" \t\r\n"
_SAMPLE = 1024
_WORD = 16  # characters: lines of base64 are longer than words on average
# a line that is no base64: it has another character, or a blank between others
_PLAIN_LINE = re.compile(rb"^[ \t]*[A-Za-z0-9+/=]*(?:[^A-Za-z0-9+/=\s]|[A-Za-z0-9+/=][ \t]+[^\s])", re.M)


def is_base64(data: bytes, start: int, end: int) -> bool:
    """Whether the octets from ``start`` to ``end`` can be base64, which some programs claim of plain text."""
    sample = data[start : min(end, start + _SAMPLE)]
    words = sample.split()
    plain = _PLAIN_LINE.search(sample)
    if not words or plain is None:
        return len(words) != 1 or len(words[0].rstrip(b"=")) % 4 != 1
    if len(b"".join(sample[: plain.start()].split())) >= _WORD:
        return True  # text follows it
    other = len(sample.translate(None, _ALPHABET + _BLANKS))
    long = sum(map(len, words)) >= _WORD * len(words)
    return long and 10 * other <= len(sample) and not words[0].translate(None, _ALPHABET)


def decode_text(data: bytes, encoding: str) -> bytes:
    """As ``decode_part``, for text: with what a mailing list wrote under a base64 body, not encoded."""
    if encoding == "base64" and data.rstrip()[-200:].translate(None, _ALPHABET + b"\r\n"):
        footer = _PLAIN_LINE.search(data)
        if footer is not None:
            coded = decode_part(data[: footer.start()], encoding)
            return coded + data[footer.start() :]
    return decode_part(data, encoding)


def decode_part(data: bytes, encoding: str) -> bytes:
    """The octets a part stands for: ``data`` as fetched by IMAP ``BODY[section]``. Never raises."""
    name = encoding.strip().lower()
    if name == "base64":
        return _base64(data)
    if name == "quoted-printable":
        return quopri.decodestring(data)
    if name in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return _uuencode(data)
    return data


def _base64(data: bytes) -> bytes:
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        # Wrong padding: keep every whole quantum, then the octets of the cut one.
        clean = _NOT_BASE64.sub(b"", data)
        whole, rest = clean[: len(clean) // 4 * 4], clean[len(clean) // 4 * 4 :]
        tail = binascii.a2b_base64(rest + b"=" * (4 - len(rest))) if len(rest) > 1 else b""
        return binascii.a2b_base64(whole) + tail


def _uuencode(data: bytes) -> bytes:
    out: list[bytes] = []
    started = False
    for line in data.splitlines():
        if not started:
            started = line.startswith(b"begin ")
            continue
        if line.strip() in (b"end", b"`", b""):
            if line.strip() == b"end":
                break
            continue
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            count = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                out.append(binascii.a2b_uu(line[:count]))
            except binascii.Error:
                continue
    return b"".join(out) if started else data
