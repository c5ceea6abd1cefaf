"""Header fields as they go on the wire: each value is encoded once, here, and never parsed on its way out.

A field is made of pieces, of which each but the first may begin a new line (RFC 5322 §2.2.3). Nothing of the
standard library's ``email`` package takes part: its header classes decode RFC 2047 words in what they are given
and write the result raw on some versions of Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import quote

from gateway.mime.encoded_words import MAX_WORD, encode_words, needs_words
from gateway.mime.types import Address
from mailserver.addresses import wire_form

MAX_LINE = 998  # RFC 5322 §2.1.1, without CRLF
_LINE = 78
_WORD_LINE = 76  # RFC 2047 §2: of a line with an encoded word
MAX_PLAIN_WORD = 900  # characters of a word that is not encoded: the name of its field fits before it
_TOKEN = re.compile(r"[ \t]*[^ \t]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_SEGMENT = 54  # of a percent-encoded parameter on one line


class Field(NamedTuple):
    """One header field: its name, the pieces of its line, and what a reader makes of them (decoded once)."""

    name: str
    pieces: Sequence[str]
    text: str

    def octets(self) -> bytes:
        """The folded field with its CRLF."""
        lines: list[str] = []
        line = f"{self.name}:"
        for count, piece in enumerate(self.pieces):
            most = _WORD_LINE if "=?" in piece else _LINE
            if len(line) + len(piece) > most and (count or len(line) > 40):
                lines.append(line)
                line = ""
            line += piece
        return "\r\n".join([*lines, line, ""]).encode("ascii")


def text_field(name: str, text: str) -> Field:
    """An unstructured field (RFC 5322 §3.6.5). ``text``: one line without controls; its outer space is dropped."""
    text = text.strip()
    tokens = _TOKEN.findall(text)
    odd = [count for count, token in enumerate(tokens) if _is_odd(token)]
    if not odd:
        return Field(name, _spaced(tokens), text)
    before, after = tokens[: odd[0]], tokens[odd[-1] + 1 :]
    middle = "".join(tokens[odd[0] : odd[-1] + 1])
    space = " "
    if before:  # the space between plain text and an encoded word is part of the text
        space, middle = middle[0], middle[1:]
    room = MAX_WORD if before or len(name) > 30 else _WORD_LINE - len(name) - 2
    words = encode_words(middle, room)
    return Field(
        name, [*_spaced(before), f"{space}{words[0]}", *(f" {one}" for one in words[1:]), *after], text
    )


def _is_odd(token: str) -> bool:
    word = token.lstrip(" \t")
    return needs_words(word) or len(word) > MAX_PLAIN_WORD or len(token) - len(word) > 1 or token[0] == "\t"


def _spaced(tokens: Sequence[str]) -> list[str]:
    return [f" {tokens[0]}", *tokens[1:]] if tokens else [" "]


def address_field(name: str, addresses: Iterable[Address]) -> Field:
    """To, Cc, From, Reply-To: mailboxes of which each has a checked address; names are any text on one line."""
    pieces: list[str] = []
    texts: list[str] = []
    for one in addresses:
        if pieces:
            pieces[-1] += ","
        shown = " ".join(one.name.split())
        written, read = _phrase(shown)
        pieces += [f" {word}" for word in written]
        address = wire_form(one.email)
        pieces.append(f" <{address}>" if shown else f" {address}")
        texts.append(f"{read} <{address}>" if shown else address)
    return Field(name, pieces, ", ".join(texts))


def _phrase(name: str) -> tuple[list[str], str]:
    """A display name's words on the wire, and as they read with encoded words decoded."""
    if not name:
        return [], ""
    written = name
    if not _ATOMS.match(name):
        written = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    words = written.split(" ")
    if needs_words(name) or max(map(len, words)) > MAX_PLAIN_WORD:
        return encode_words(name), name
    return words, written


def plain_field(name: str, words: Iterable[str]) -> Field:
    """Words that a reader takes as they are (identifiers, dates, URLs): printable ASCII, folded only between them."""
    kept = list(words)
    return Field(name, [f" {one}" for one in kept], " ".join(kept))


def parameter_field(name: str, value: str, parameters: Iterable[tuple[str, str]] = ()) -> Field:
    """Content-Type or Content-Disposition: parameter values that are no plain ASCII go as RFC 2231 says."""
    pieces = [f" {value}"]
    for key, text in parameters:
        for one in _parameter(key, text):
            pieces[-1] += ";"
            pieces.append(f" {one}")
    return Field(name, pieces, "".join(pieces).strip())


def _parameter(key: str, text: str) -> list[str]:
    if not needs_words(text) and len(text) <= 200:
        return [f'{key}="' + text.replace("\\", "\\\\").replace('"', '\\"') + '"']
    segments = ["utf-8''"]
    for character in text:
        escaped = quote(character, safe="")
        if len(segments[-1]) + len(escaped) > _SEGMENT:
            segments.append("")
        segments[-1] += escaped
    if len(segments) == 1:
        return [f"{key}*={segments[0]}"]
    return [f"{key}*{count}*={one}" for count, one in enumerate(segments)]
