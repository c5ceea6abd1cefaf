"""One name for each attachment of a message, so that ``/attachments/{message}/{name}`` means exactly one of them."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable

from gateway.mime.types import Attachment

_TYPES = mimetypes.MimeTypes(
    filenames=()
)  # Python's own table: the machine's /etc/mime.types must not rename
_TYPES.add_type("message/rfc822", ".eml")


def unique_names(attachments: Iterable[Attachment]) -> list[str]:
    """A name for each attachment of a message, in order and all different.

    A name that comes again gets a number (``a.pdf``, ``a (2).pdf``); a part without one is called after its
    place and type (``attachment-3.png``). The same message always gives the same names.
    """
    given = [
        one.filename or f"attachment-{number}{_TYPES.guess_extension(one.content_type or '') or ''}"
        for number, one in enumerate(attachments, 1)
    ]
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
