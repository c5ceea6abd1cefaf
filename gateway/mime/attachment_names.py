"""One name for each attachment of a message, so that ``/attachments/{message}/{name}`` means exactly one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateway.mime.file_types import named
from gateway.mime.types import Attachment

_MADE_UP = re.compile(r"attachment-([1-9][0-9]{0,3})(?:\.[0-9A-Za-z]+)?\Z")


def names_of(attachments: Iterable[Attachment]) -> list[str]:
    """A name for each attachment of a message, in order: its own, or one made of its place and type
    (``attachment-3.png``)."""
    return [
        named(one.filename, one.content_type or "", f"attachment-{number}")
        for number, one in enumerate(attachments, 1)
    ]


def place_in(name: str) -> int | None:
    """The place, from 0, in a made-up name, however it ends: that changes with the table of suffixes."""
    found = _MADE_UP.match(name)
    return int(found[1]) - 1 if found else None


def unique_names(attachments: Iterable[Attachment]) -> list[str]:
    """As ``names_of``, and all different: one that comes again gets a number (``a.pdf``, ``a (2).pdf``).

    The same message always gives the same names.
    """
    given = names_of(attachments)
    taken = set(given)
    seen: dict[str, int] = {}
    names = []
    for name in given:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else _numbered(name, seen, taken))
    return names


def _numbered(name: str, seen: dict[str, int], taken: set[str]) -> str:
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    while (new := f"{stem} ({seen[name]}){dot}{suffix}") in taken:
        seen[name] += 1
    taken.add(new)
    return new
