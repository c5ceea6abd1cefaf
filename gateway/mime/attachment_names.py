"""One name for each attachment of a message, so that ``/attachments/{message}/{name}`` means exactly one of them."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.mime.file_types import named
from gateway.mime.types import Attachment


def names_of(attachments: Iterable[Attachment]) -> list[str]:
    """A name for each attachment of a message, in order: its own, or one made of its place and type
    (``attachment-3.png``)."""
    return [
        named(one.filename, one.content_type or "", f"attachment-{number}")
        for number, one in enumerate(attachments, 1)
    ]


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
