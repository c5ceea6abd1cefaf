"""A message or part put together, and read again before it leaves: the last check against a header that nobody set.

Every entity (RFC 2045 §2.4) passes ``entity``: what comes out has exactly the fields that went in, each on well-formed
lines, and the body where it belongs. A value that could break out of its field is refused here however it got so far.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.mime.encoded_words import decode_once
from gateway.mime.header_rules import InvalidHeader
from gateway.mime.header_writer import MAX_LINE, Field

_LINE = re.compile(rb"[\t\x20-\x7e]{1,%d}\Z" % MAX_LINE)
_NAME = re.compile(rb"[!-9;-~]+\Z")


def entity(fields: Sequence[Field], body: bytes) -> bytes:
    """The octets of an entity. Raises InvalidHeader when they do not read back as what was to be written."""
    octets = b"".join([*(one.octets() for one in fields), b"\r\n", body])
    check_entity(octets, fields, body)
    return octets


def check_entity(octets: bytes, fields: Sequence[Field], body: bytes) -> None:
    """Refuse an entity whose header block is anything but ``fields``, in order, followed by ``body``.

    Raises InvalidHeader with the name of the first field that is not as it was set.
    """
    block, blank, rest = octets.partition(b"\r\n\r\n")
    found: list[tuple[bytes, bytes]] = []
    for line in block.split(b"\r\n"):
        at = fields[min(len(found), len(fields) - 1)].name
        if not _LINE.match(line):  # also a lone CR or LF, an empty line
            raise _broken(at, f"a line is empty, longer than {MAX_LINE} octets or holds a control character")
        if line.startswith((b" ", b"\t")):
            if not found or not line.strip():
                raise _broken(at, "a folded line has nothing to continue")
            found[-1] = (found[-1][0], found[-1][1] + line)
            continue
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.match(name):
            raise _broken(at, "a line is no header field")
        found.append((name, value))
    for (name, value), field in zip(found, fields, strict=False):
        if name != field.name.encode("ascii"):
            raise _broken(field.name, f"{name.decode('ascii')[:80]} is in its place")
        if not _reads_as(value, field.text):
            raise _broken(field.name, "it would not be read as it was given")
    if len(found) != len(fields):
        raise _broken(fields[-1].name, f"{len(found)} header fields instead of {len(fields)}")
    if not blank or rest != body:
        raise _broken(fields[-1].name, "the body would not begin where it should")


def _reads_as(value: bytes, text: str) -> bool:
    try:
        return decode_once(value.decode("ascii").strip(" \t")) == text
    except ValueError:
        return False


def _broken(name: str, what: str) -> InvalidHeader:
    return InvalidHeader(
        name.lower(),
        f"cannot be written into a mail ({what}); nothing was sent, change or leave out its value",
    )
