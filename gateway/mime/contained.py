"""Files that are packed into an attachment, as parts of their own: those of winmail.dat (``tnef``).

Their section is that of the part with a colon and a number, which no IMAP section is.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.mime.attachments import leaf_filename, safe_filename
from gateway.mime.headers import Head
from gateway.mime.structure import Leaf
from gateway.mime.tnef import TnefFile, read_tnef

TNEF = "application/ms-tnef"
_TYPES = frozenset((TNEF, "application/vnd.ms-tnef"))
_DEEPEST = 3
_MOST = 250  # of one part


def contained_in(leaf: Leaf) -> list[Leaf]:
    """The files in a part, those in a message that is one of them too; none where it is no winmail.dat."""
    named = (leaf_filename(leaf) or "").lower() == "winmail.dat"
    if leaf.content_type not in _TYPES and not (named and leaf.content_type == "application/octet-stream"):
        return []
    return _files(leaf.section, leaf.content(), 1)[:_MOST]


def _files(section: str, data: bytes, depth: int) -> list[Leaf]:
    found: list[Leaf] = []
    for number, file in enumerate(read_tnef(data), 1):
        if len(found) >= _MOST:
            break
        leaf = _leaf(f"{section}:{number}", file)
        found.append(leaf)
        if file.content_type == TNEF and depth < _DEEPEST:
            found += _files(leaf.section, file.content, depth + 1)
    return found


def _leaf(section: str, file: TnefFile) -> Leaf:
    """A file as if it were a part: its name is a parameter, its Content-ID a field of its header block."""
    kind = (file.content_type or "application/octet-stream").strip().lower()
    name = safe_filename(file.name)
    fields = [("Content-ID", file.content_id.encode("ascii", "ignore"))] if file.content_id else []
    params = {"name": name} if name else {}
    return Leaf(
        section, kind, params, "", Head(fields, 0, False), "related", _always(file.content), apart=True
    )


def _always(content: bytes) -> Callable[[], bytes]:
    return lambda: content
