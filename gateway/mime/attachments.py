"""Leaves that are not bodies: names made safe, ids that survive a rebuild, content by id."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from gateway.mime.content_ids import bare_content_id
from gateway.mime.headers import decode_words, parse_parameters
from gateway.mime.media_type import OCTETS, MediaType, fit_parameters, is_type
from gateway.mime.structure import Leaf
from gateway.mime.types import Attachment, OutgoingAttachment

_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
MAX_FILENAME = 200  # octets of UTF-8: fits every file system with room for a suffix


def safe_filename(name: str | None) -> str | None:
    """The last path component without control, bidi and invisible characters; None when nothing is left."""
    if not name:
        return None
    name = _UNSAFE.sub("", unicodedata.normalize("NFC", name[:4096]))
    name = re.split(r"[/\\]", name)[-1]
    name = " ".join(name.split()).strip(" .") if set(name) <= set(" .") else " ".join(name.split())
    name = name.lstrip("~").removeprefix("..")
    if len(name) > 2 and name[1] == ":" and name[0].isalpha():
        name = name[2:]
    name = name.replace(":", "_").replace('"', "'")
    octets = name.encode("utf-8", "ignore")
    if len(octets) > MAX_FILENAME:
        stem, dot, suffix = name.rpartition(".")
        tail = f"{dot}{suffix}" if dot and len(suffix.encode()) <= 16 else ""
        keep = (stem if tail else name).encode("utf-8", "ignore")[: MAX_FILENAME - len(tail.encode())]
        name = keep.decode("utf-8", "ignore") + tail
    return name.strip() or None


def leaf_filename(leaf: Leaf) -> str | None:
    """Safe name of a part: Content-Disposition filename (RFC 2183), else Content-Type name."""
    shown = leaf.head.text("content-disposition")
    name = parse_parameters(shown)[1].get("filename")
    if name:
        return safe_filename(_as_written(name, "filename", shown))
    name = leaf.params.get("name")
    return safe_filename(_as_written(name, "name", leaf.head.text("content-type"))) if name else None


def _as_written(name: str, key: str, field: str) -> str:
    """``name`` with encoded words decoded, which many write into a parameter; RFC 2231's form is decoded already."""
    if "=?" not in name or re.search(rf";\s*{key}\*", field, re.I):
        return name
    return decode_words(name)


def disposition(leaf: Leaf) -> str:
    """``inline``, ``attachment``, another token in lower case, or empty when the part has none."""
    return parse_parameters(leaf.head.text("content-disposition"))[0]


def describe(leaf: Leaf, identity: str) -> Attachment:
    """The attachment value of a leaf. The id depends only on the message's digest and the section."""
    content_id = bare_content_id(leaf.head.text("content-id"))[:500] or None
    shown = disposition(leaf)
    known = is_type(leaf.content_type)
    inline = shown == "inline" or (shown == "" and content_id is not None and leaf.parent == "related")
    return Attachment(
        id=attachment_id(identity, leaf.section),
        part=leaf.section,
        filename=leaf_filename(leaf),
        content_type=leaf.content_type if known else OCTETS,
        content_disposition="inline" if inline else "attachment",
        content_id=content_id,
        size=len(leaf.content()),
        encoding="" if leaf.apart else leaf.encoding[:40],
        parameters=fit_parameters(leaf.params) if known else {},
    )


def outgoing(attachment: Attachment, filename: str, content: bytes) -> OutgoingAttachment:
    """An attachment as it is sent on."""
    return OutgoingAttachment(
        filename=filename,
        content_type=str(MediaType(attachment.content_type, attachment.parameters)),
        content=content,
        content_id=attachment.content_id,
        inline=attachment.content_disposition == "inline",
    )


def attachment_id(identity: str, section: str) -> str:
    """``att_`` and 96 bits derived from the message digest (hex) and the IMAP section."""
    return "att_" + hashlib.sha256(f"{identity}:{section}".encode()).hexdigest()[:24]
