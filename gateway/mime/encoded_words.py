"""Encoded words (RFC 2047): text for a header field that holds more than plain ASCII, written once and read once."""

from __future__ import annotations

import base64
import binascii
import re

MAX_WORD = 75  # RFC 2047 §2
_FRAME = len("=?utf-8?q??=")
_SAFE = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
)  # §5 (3): a phrase's
_WORD = re.compile(r"=\?utf-8\?([qb])\?([!->@-~]*)\?=")
_BETWEEN = re.compile(r"(?<=\?=)[ \t]+(?==\?utf-8\?[qb]\?)")
_QP = re.compile(rb"=([0-9A-F]{2})")


def needs_words(text: str) -> bool:
    """Whether ``text`` must be encoded: not printable ASCII, or what a reader could take for an encoded word's start or
    end (an end before a word of ours would take the space between them away)."""
    return "=?" in text or "?=" in text or not (text.isascii() and text.isprintable())


def encode_words(text: str, first: int = MAX_WORD) -> list[str]:
    """``text`` as encoded words that a reader joins again without the space between them.

    Args:
        text: any Unicode but lone surrogates.
        first: characters that the first word may have; the others have at most 75. No character is split.
    """
    octets = text.encode()
    quoted = sum(1 if one in _SAFE or one == 32 else 3 for one in octets)
    use_base64 = (len(octets) + 2) // 3 * 4 < quoted
    words: list[str] = []
    piece: list[bytes] = []
    used, room = 0, first - _FRAME
    for character in text:
        octets = character.encode()
        cost = len(octets) if use_base64 else len(_quoted(octets))
        most = room // 4 * 3 if use_base64 else room
        if used + cost > most and (piece or room < MAX_WORD - _FRAME):
            if piece:
                words.append(_word(b"".join(piece), use_base64))
            piece, used, room = [], 0, MAX_WORD - _FRAME
        piece.append(octets)
        used += cost
    if piece:
        words.append(_word(b"".join(piece), use_base64))
    return words


def _word(octets: bytes, use_base64: bool) -> str:
    if use_base64:
        return f"=?utf-8?b?{base64.b64encode(octets).decode('ascii')}?="
    return f"=?utf-8?q?{_quoted(octets)}?="


def _quoted(octets: bytes) -> str:
    return "".join(chr(one) if one in _SAFE else "_" if one == 32 else f"={one:02X}" for one in octets)


def decode_once(text: str) -> str:
    """``text`` with the words of ``encode_words`` decoded; what they hold is not looked into again.

    Raises ValueError for words that are not well-formed.
    """
    return _WORD.sub(_decoded, _BETWEEN.sub("", text))


def _decoded(found: re.Match[str]) -> str:
    payload = found[2].encode("ascii")
    if found[1] == "b":
        try:
            return base64.b64decode(payload, validate=True).decode()
        except binascii.Error as error:
            raise ValueError(f"bad base64 in an encoded word: {error}") from error
    return _QP.sub(lambda one: bytes.fromhex(one[1].decode()), payload.replace(b"_", b" ")).decode()
