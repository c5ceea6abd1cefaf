"""The media type and file name of something fetched, from headers that may be hostile."""

from __future__ import annotations

import re
import unicodedata
from email.message import Message
from urllib.parse import unquote

_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")  # RFC 6838 §4.2
_MAX_NAME = 200


def media_type(header: str) -> str:
    """``type/subtype`` of a Content-Type value, lower case; ``application/octet-stream`` if there is none."""
    bare = header.partition(";")[0].strip().lower()
    return bare if _TYPE.fullmatch(bare) else "application/octet-stream"


def file_name(disposition: str, path: str) -> str:
    """Choose a bare file name: Content-Disposition (RFC 6266), else the URL path's last segment, else a default.

    Never empty, at most 200 characters, without directories, control, format (bidirectional) or surrogate
    characters.
    """
    for candidate in (_from_disposition(disposition), unquote(path.rpartition("/")[2], errors="replace")):
        name = _bare(candidate)
        if name:
            return name
    return "attachment"


def _from_disposition(header: str) -> str:
    # cut before parsing: the stdlib's parameter parser is quadratic in the number of semicolons
    if not header or len(header) > 2048:
        return ""
    carrier = Message()
    carrier["Content-Disposition"] = header.replace("\r", " ").replace("\n", " ")
    try:
        return carrier.get_filename("") or ""
    except (LookupError, ValueError):
        return ""


def _bare(name: str) -> str:
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in last if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}).strip()
    if not kept.strip("."):
        return ""
    if len(kept) <= _MAX_NAME:
        return kept
    stem, dot, ending = kept.rpartition(".")
    if not dot or len(ending) > 16:
        return kept[:_MAX_NAME]
    return f"{stem[: _MAX_NAME - len(ending) - 1]}.{ending}"
