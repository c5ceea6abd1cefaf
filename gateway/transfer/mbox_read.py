"""Reading mbox files of every descent: mboxo, mboxrd, mboxcl and mboxcl2 (RFC 4155 names the family).

A message begins at a line ``From …date…`` after an empty line. Where Content-Length leads to such a line (or to the
end) it is believed, else not. ``>From `` loses one ``>``, unless the message holds an unquoted ``From `` line, which
only mboxcl2 keeps. Flags come from Status, X-Status and X-Keywords, from Mozilla's and from Google Takeout's
headers; what the mailbox program wrote for itself is taken out of the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO

from gateway.store.labels import to_keyword
from gateway.transfer.item import Item, to_wire
from gateway.transfer.roles import role_by_name

_FROM = re.compile(rb"From .*\d{1,2}:\d{2}(:\d{2})?.*\d{4}|From .*\d{4}.*\d{1,2}:\d{2}(:\d{2})?")
_ASCTIME = re.compile(
    r"([A-Z][a-z]{2} +[A-Z][a-z]{2} +\d{1,2} +\d{1,2}:\d{2}(?::\d{2})?)( +[A-Z]{3,4})? +(\d{4})"
)
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_UNQUOTED = re.compile(rb"^From ", re.MULTILINE)
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,12})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_OURS = (b"status", b"x-status", b"x-keywords", b"content-length", b"x-uid", b"x-imap", b"x-imapbase",
         b"x-mozilla-status", b"x-mozilla-status2", b"x-mozilla-keys")  # fmt: skip
_LETTERS = {"R": "\\Seen", "A": "\\Answered", "F": "\\Flagged", "T": "\\Draft", "D": "\\Deleted"}
_GMAIL = {
    "inbox": "inbox",
    "sent": "sent",
    "spam": "junk",
    "trash": "trash",
    "bin": "trash",
    "drafts": "drafts",
}
_GMAIL_SYSTEM = {"unread", "opened", "starred", "important", "archived", "chat", *_GMAIL}


def is_mbox(path: Path) -> bool:
    """Whether a file begins as an mbox does."""
    with open(path, "rb") as file:
        return _FROM.match(file.readline(1000)) is not None


def read_mbox(path: Path, folder: str, role: str, most: int) -> Iterator[Item]:
    """Every message. One of more than ``most`` octets comes cut to one more, so that it is refused for its size."""
    with open(path, "rb") as file:
        for number, (line, data) in enumerate(_messages(file, most), 1):
            item = _item(line, data, folder, role, f"{path.name}, message {number}")
            if item is not None:
                yield item


def _messages(file: BinaryIO, most: int) -> Iterator[tuple[bytes, bytes]]:
    """(From_ line, octets with the quoting undone) of each message."""
    separator = b""
    while separator := separator or file.readline():
        if not _FROM.match(separator):
            separator = b""  # what is before the first message
            continue
        line, separator = separator, b""
        head = _head(file)
        length = _LENGTH.search(head)
        body = _by_length(file, int(length[1]), most) if length else None
        if body is not None:
            quoted = not _UNQUOTED.search(body)
        else:
            body, separator = _by_separator(file, most - len(head))
            quoted = True
        yield line, head + (_QUOTED.sub(rb"\1", body) if quoted else body)


def _head(file: BinaryIO) -> bytes:
    """The header lines with the empty one after them."""
    lines: list[bytes] = []
    size = 0
    while size <= 1 << 20 and (line := file.readline(1 << 20)):
        lines.append(line)
        size += len(line)
        if line in (b"\n", b"\r\n"):
            break
    return b"".join(lines)


def _by_length(file: BinaryIO, length: int, most: int) -> bytes | None:
    """The body by its Content-Length; None (and nothing read) when that does not lead to a separator."""
    start = file.tell()
    if length > most:
        return None
    body = file.read(length)
    at = file.tell()
    between = file.readline(1000)
    after = file.readline(1000) if between in (b"\n", b"\r\n") else between
    if len(body) == length and (not after or _FROM.match(after)):
        file.seek(at + (len(between) if after is not between else 0))
        return body
    file.seek(start)
    return None


def _by_separator(file: BinaryIO, most: int) -> tuple[bytes, bytes]:
    """The body up to the next From_ line after an empty one; that line, or b"" at the end."""
    lines: list[bytes] = []
    size = 0
    empty = True  # a message of headers alone ends with the empty line that separates
    while line := file.readline(1 << 20):
        if empty and line.startswith(b"From ") and _FROM.match(line):
            if lines and lines[-1] in (b"\n", b"\r\n"):
                lines.pop()
            return b"".join(lines), line
        empty = line in (b"\n", b"\r\n")
        if size <= most:
            lines.append(line)
            size += len(line)
    if lines and lines[-1] in (b"\n", b"\r\n"):  # every message has one after it, the last too
        lines.pop()
    return b"".join(lines), b""


def _item(line: bytes, data: bytes, folder: str, role: str, origin: str) -> Item | None:
    head, gap, body = _split(data)
    fields, kept = _fields(head)
    if b"FOLDER INTERNAL DATA" in head[:4000]:
        return None  # what UW-IMAP and Pine keep for themselves
    flags = _flags(fields)
    if "x-gmail-labels" in fields:
        folder, role, flags = _gmail(fields["x-gmail-labels"], flags)
    return Item(folder, role, tuple(flags), _date(line), origin, to_wire(kept + gap + body))


def _split(data: bytes) -> tuple[bytes, bytes, bytes]:
    match = re.search(rb"\r?\n\r?\n", data)
    if match is None:
        return data, b"", b""
    cut = match.start() + (2 if data[match.start() : match.start() + 1] == b"\r" else 1)
    return data[:cut], data[cut : match.end()], data[match.end() :]


def _fields(head: bytes) -> tuple[dict[str, str], bytes]:
    """The mailbox program's own header fields, and the header without them."""
    found: dict[str, str] = {}
    kept: list[bytes] = []
    name = b""
    for line in head.splitlines(keepends=True):
        if line[:1] not in (b" ", b"\t"):
            name = line.partition(b":")[0].strip().lower()
        if name in _OURS or name == b"x-gmail-labels":
            text = line.decode("utf-8", "replace").strip()
            key = name.decode("ascii", "replace")
            if line[:1] not in (b" ", b"\t"):
                found[key] = text.partition(":")[2].strip()
            else:
                found[key] = f"{found.get(key, '')} {text}"
        if name not in _OURS:
            kept.append(line)
    return found, b"".join(kept)


def _flags(fields: dict[str, str]) -> list[str]:
    letters = fields.get("status", "") + fields.get("x-status", "")
    flags = [flag for letter, flag in _LETTERS.items() if letter in letters]
    flags += fields.get("x-keywords", "").replace(",", " ").split()
    flags += [one for one in fields.get("x-mozilla-keys", "").split() if not one.startswith("$label")]
    try:
        mozilla = int(fields.get("x-mozilla-status", "0")[:4] or "0", 16)
    except ValueError:
        mozilla = 0
    for bit, flag in ((0x1, "\\Seen"), (0x2, "\\Answered"), (0x4, "\\Flagged"), (0x8, "\\Deleted")):
        if mozilla & bit:
            flags.append(flag)
    return list(dict.fromkeys(flags))


def _gmail(value: str, flags: list[str]) -> tuple[str, str, list[str]]:
    """Folder, role and flags by the labels of Google Takeout."""
    try:
        value = str(make_header(decode_header(value)))
    except (ValueError, LookupError):
        pass
    labels = [one.strip() for one in value.split(",") if one.strip()]
    lowered = {one.lower() for one in labels}
    order = ("trash", "bin", "spam", "drafts", "inbox", "sent")
    role = next((_GMAIL[one] for one in order if one in lowered), "archive")
    if "unread" not in lowered:
        flags.append("\\Seen")
    if "starred" in lowered:
        flags.append("\\Flagged")
    flags += [to_keyword(one.lower()) for one in labels if one.lower() not in _GMAIL_SYSTEM][:20]
    return role.title(), role, list(dict.fromkeys(flags))


def _date(line: bytes) -> int | None:
    """The date of a From_ line (asctime, in UTC)."""
    text = line.decode("latin-1").strip()
    match = _ASCTIME.search(text)
    if match:
        for form in ("%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M %Y"):
            try:
                when = datetime.strptime(f"{' '.join(match[1].split())} {match[3]}", form).replace(tzinfo=UTC)
            except ValueError:
                continue
            return int(when.timestamp() * 1_000_000)
    rest = text.partition(" ")[2].partition(" ")[2]
    try:  # Google Takeout: "Tue Feb 03 10:00:00 +0000 2026"
        when = datetime.strptime(rest, "%a %b %d %H:%M:%S %z %Y")
    except ValueError:
        try:
            when = parsedate_to_datetime(rest)
        except (ValueError, TypeError):
            return None
    try:
        return int(when.timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        return None


def folder_of(path: Path) -> tuple[str, str]:
    """The folder that an mbox file's name says, and its role: ``Sent.mbox``, Thunderbird's ``Sent``."""
    name = path.stem if path.suffix.lower() in (".mbox", ".mbx", ".mbs") else path.name
    return name, role_by_name(name)
