"""Content-IDs (RFC 2392): many mailers write what is none, and a mail that is sent on must not have it.

Such an id gets another, and the HTML that shows its part is changed to name that one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from urllib.parse import unquote

import msgspec

from gateway.mime.types import OutgoingAttachment

_ID = re.compile(r"[!-;=?-~]{1,500}\Z")
_UNFIT = re.compile(r"[^A-Za-z0-9.@_+-]+")
_LONGEST = 200
_REFERENCE = re.compile(r"(cid:)([^\"'<>)]{1,1500})", re.I)


def bare_content_id(text: str) -> str:
    """The id without its angle brackets and the space around it."""
    return text.strip().strip("<>").strip()


def is_content_id(bare: str) -> bool:
    """Whether an id without angle brackets can be written into a mail."""
    return _ID.match(bare) is not None


def clean_content_ids(
    attachments: Sequence[OutgoingAttachment], html: str | None
) -> tuple[list[OutgoingAttachment], str | None]:
    """``attachments`` with ids that can be written, none where nothing of it can, and ``html`` that names them so."""
    given = [bare_content_id(one.content_id or "") for one in attachments]
    changed: dict[str, str] = {}
    taken = set(given)
    for bare in given:
        if bare and bare not in changed and not is_content_id(bare):
            changed[bare] = _another(bare, taken)
            taken.add(changed[bare])
    kept = [
        msgspec.structs.replace(one, content_id=changed.get(bare, bare) or None)
        for one, bare in zip(attachments, given, strict=True)
    ]
    return kept, _REFERENCE.sub(lambda found: _named(found, changed), html) if html and changed else html


def _another(bare: str, taken: set[str]) -> str:
    stem = _UNFIT.sub("_", bare[:_LONGEST]).strip("_")
    if not stem:
        return ""
    count = 1
    new = stem
    while new in taken:
        count += 1
        new = f"{count}.{stem}"
    return new


def _named(found: re.Match[str], changed: dict[str, str]) -> str:
    whole = found[2]
    for named in (
        whole,
        whole.split(maxsplit=1)[0] if whole.strip() else "",
    ):  # an attribute without quotation marks
        read = unquote(unescape(named)).strip()
        if new := changed.get(read) or changed.get(unescape(named).strip()):
            return found[1] + new + whole[len(named) :]
    return found[0]
