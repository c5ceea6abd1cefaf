"""Content-Transfer-Encoding (RFC 2045 §6) and uuencode, lenient and linear."""

from __future__ import annotations

import binascii
import quopri
import re

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


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
