"""Reading the mailboxes of an address field (From, To …), however its writer bent RFC 5322 §3.4.

One pass over tokens (quotes, comments, groups, angle brackets), so nested comments and 3,000 recipients cost what they
weigh. Names and addresses are kept apart: a name that looks like an address never becomes one (CVE-2023-27043). What is
shown as the author of a mail, checked by DMARC and compared with a login comes from here, so that they never differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailserver.addresses import stored_form

_TOKEN = re.compile(
    r"=\?[^?\s]{1,60}\?[bBqQ]\?[^?<>\"]{0,4000}\?="  # one token, although some write commas into encoded words
    r'|"(?:[^"\\]|\\.)*"|[()<>,;:"=]|\\.|[^"()<>,;:=\\]+|\\',
    re.S,
)
_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s"])+', re.S)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S)
_SPACED = re.compile(r'[^\s@",]+\s*@\s*[^\s@".]+(?:\s*\.\s*[^\s@".]+)+')  # RFC 5322 §4.4
_LEFT_OUT = re.compile(
    r"[\x00-\x1f\x7f\x80-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
_FOLD = re.compile(rb"\r?\n|\r")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u2028\u2029]+")
_MAX_FIELD = 256 * 1024  # 3,000 recipients are legal
_PHRASES = 3  # parts without an address that a name may have before its last one: Acme, Inc., Ltd. <a@b>
_PIECES = 64  # tokens of an address or comment
_MAX = 998


class Mailbox(NamedTuple):
    """A mailbox of a field: its name as it is written (quotes, encoded words) and its address. One may be empty; an
    address without an @ is words that belong to no mailbox."""

    name: str
    address: str


class _Entry(NamedTuple):
    """What is between two separators. ``goes_on``: the separator may be part of a name."""

    words: str
    angle: str | None
    comment: str
    separator: str
    goes_on: bool


def mailboxes(value: str) -> Iterator[Mailbox]:
    """The mailboxes of an unfolded field value, in order, groups flattened.

    Where a name has a comma or semicolon without quotes (``Acme, Inc. <a@b>``), the words before it belong to the name
    of the mailbox behind it.
    """
    before: list[str] = []  # words without an address, each with its separator
    for entry in _entries(value):
        found = _addressed(entry)
        phrase = "" if found else entry.words.strip()
        if found:
            name = " ".join([*before, found[0].name]).rstrip(" ,;") if before else found[0].name
            yield Mailbox(name, found[0].address)
            yield from found[1:]
            before = []
        elif phrase and entry.goes_on and len(before) < _PHRASES:
            before.append(phrase + entry.separator)
        elif phrase or not entry.goes_on:
            yield from (_nobody(one) for one in (*(one[:-1] for one in before), phrase) if one)
            before = []


def _entries(value: str) -> Iterator[_Entry]:
    words: list[str] = []
    angle: list[str] | None = None
    closed = group = False
    comment: list[str] = []
    depth = 0

    def entry(separator: str = "", *, goes_on: bool = False) -> _Entry:
        nonlocal words, angle, closed, comment
        made = _Entry(
            "".join(words), None if angle is None else "".join(angle), "".join(comment), separator, goes_on
        )
        words, angle, closed, comment = [], None, False, []
        return made

    for match in _TOKEN.finditer(value):
        piece = match[0]
        if depth:
            depth += (piece == "(") - (piece == ")")
            if depth and len(comment) < _PIECES:
                comment.append(piece)
        elif piece == "(":
            depth = 1
        elif piece == "<":
            if angle is not None and any("@" in one for one in angle):
                yield entry()  # the address before was not closed, or had no comma behind it
            words += angle or []
            angle, closed = [], False
        elif piece == ">":
            closed = angle is not None
        elif (
            angle is not None
            and not closed
            and (piece not in ",;" or not angle or angle[0].startswith("@"))  # a route has commas
        ):
            if len(angle) < _PIECES:
                angle.append(piece)
        elif piece in ",;":
            yield entry(piece, goes_on=not (group and piece == ";"))
            group = group and piece != ";"
        elif piece == ":":
            if not closed and "@" not in "".join(words[-1:]):
                words, group = [], True  # the group's name (RFC 5322 §3.4)
        elif piece not in ')"' and not (closed and any("@" in one for one in angle or ())):
            words.append(piece)
    yield entry()


def _addressed(entry: _Entry) -> list[Mailbox]:
    """The mailboxes of an entry; none where it has words only."""
    angle = (entry.angle or "").strip()
    if "@" in angle:
        return [
            Mailbox(entry.words, _address(angle))
        ]  # "a@b" <c@d>: what is before the brackets is only a name
    found = _without_brackets(entry.words, angle or entry.comment)
    if not found and entry.angle is not None and (angle or entry.words.strip()):
        return [Mailbox(entry.words, _address(angle))]
    return found


def _without_brackets(text: str, name: str) -> list[Mailbox]:
    """``jane@x.y``, ``Jane Doe jane@x.y``, ``jane@x.y john@x.y``: the words with an @ are the addresses."""
    text = text.strip()
    if _SPACED.fullmatch(text):
        return [Mailbox(name, _address(text))]
    words = _WORD.findall(text)
    addresses = [one for one in words if _is_address(one, alone=len(words) == 1)]
    if not addresses:
        return []
    name = " ".join(one for one in words if one not in addresses) or name
    return [Mailbox(name, _address(addresses[0])), *(Mailbox("", _address(one)) for one in addresses[1:])]


def _is_address(word: str, *, alone: bool) -> bool:
    local, at, domain = word.rpartition("@")
    return bool(at) and not domain.endswith('"') and (alone or bool(local and domain))


def _nobody(phrase: str) -> Mailbox:
    return Mailbox(phrase, "") if "@" in phrase else Mailbox("", phrase)


def addresses(fields: Iterable[bytes]) -> list[str]:
    """The addresses (with an @) of header fields as they are in a message, folded, with their names."""
    found = []
    for field in fields:
        text = field_text(field.partition(b":")[2])
        found += [one.address for one in mailboxes(text) if "@" in one.address]
    return found


def field_text(value: bytes) -> str:
    """The unfolded text of a field's octets in which its addresses are found: UTF-8, else Latin-1, which keeps each."""
    value = _FOLD.sub(b"", value)[:_MAX_FIELD]
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return _CONTROLS.sub(" ", text)


def _address(text: str) -> str:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if text.startswith("@") and ":" in text:
        text = text.split(":", 1)[1].strip()  # obsolete source route (RFC 5322 §4.4)
    if text[:7].lower() == "mailto:":
        text = text[7:]
    quoted = _QUOTED.match(text)
    local = quoted[0] if quoted else ""
    rest = "".join(text[len(local) :].replace('"', "").split())
    return stored_form(_LEFT_OUT.sub("", local + rest)[:_MAX])
