"""Octets of a message as it came in: normalised line ends, trace fields, loops (RFC 5321 §4.4, §6.3)."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from email.utils import formatdate

from mailserver.address_field import addresses
from mailserver.content import Content

MOST_HEAD = 1 << 20
"""Octets of a header block that are looked at; what comes behind them is body to us."""

_BARE = re.compile(rb"\r\n|\r|\n")
_END = re.compile(rb"\r\n\r\n|\A\r\n")
_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
# fields that begin no line of a body by chance
_SURE = re.compile(
    rb"(?:from|to|cc|subject|date|message-id|mime-version|content-[a-z-]+|received|return-path|reply-to|sender"
    rb"|references|in-reply-to|dkim-signature|list-[a-z-]+|x-[a-z0-9-]+)[ \t]*:",
    re.I,
)

CLAIMING = (b"authentication-results", b"arc-authentication-results", b"x-claimed-results")
"""Fields with results of authentication, lower case; the last is what Postfix makes of those in this server's name."""

_SET = re.compile(rb"\A[ \t\r\n]*i[ \t]*=[ \t]*[0-9]{1,2}[ \t]*;")  # RFC 8617 §4.1.1

_UNFIT = re.compile(
    r"[^\w!#$%&'*+/=?^`{|}~@.-]"
)  # all but letters of any script would need quotes in a comment


def line_ends(data: bytes) -> bytes:
    """CRLF line ends only and no NUL, so that no later hop can see another end of data (smuggling)."""
    if b"\0" in data:
        data = data.replace(b"\0", b"")
    if data.count(b"\r\n") != data.count(b"\n") or data.count(b"\r") != data.count(b"\n"):
        data = _BARE.sub(b"\r\n", data)
    return data


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """(header fields, each with its folded lines and CRLF; the rest from the empty line on).

    A line that is no field stays with the one above it when fields follow it, else the body begins there.
    """
    match = _END.search(data)
    if match is None:
        head, body = data, b""
    elif match.start() == 0 and data.startswith(b"\r\n") and match.end() == 2:
        return [], data
    else:
        head, body = data[: match.start() + 2], data[match.start() + 2 :]
    fields: list[bytes] = []
    lines = head.splitlines(keepends=True) if head.isascii() else _lines(head)
    last = max((index for index, line in enumerate(lines) if _SURE.match(line)), default=-1)
    for index, line in enumerate(lines):
        if fields and line[:1] in (b" ", b"\t"):
            fields[-1] += line
        elif _NAME.match(line) or (not fields and line.startswith(b"From ")):
            fields.append(line)
        elif index < last:
            fields[-1:] = [b"".join([*fields[-1:], line])]
        else:  # here the body begins (RFC 5322 §2.1, leniently)
            taken = sum(map(len, fields))
            return fields, b"\r\n" + data[taken:]
    return fields, body


def _lines(head: bytes) -> list[bytes]:
    return [line + b"\r\n" for line in head.removesuffix(b"\r\n").split(b"\r\n")]


def name_of(field: bytes) -> bytes:
    """Lower-case field name, or b"" for an mbox ``From `` line."""
    match = _NAME.match(field)
    return match[1].lower() if match else b""


def author(fields: list[bytes]) -> str:
    """The one address in the one From field; empty where there is not exactly one."""
    found = [field for field in fields if name_of(field) == b"from"]
    named = addresses(found)
    return named[0] if len(found) == len(named) == 1 else ""


def hops(fields: list[bytes]) -> int:
    return sum(1 for field in fields if name_of(field) == b"received")


@dataclass(frozen=True, slots=True)
class Head:
    """The header block of a message: its fields as ``split`` gives them; the body begins ``taken`` octets into the
    message, with ``gap`` (a missing empty line) before it."""

    fields: list[bytes]
    taken: int
    gap: bytes = b""


def head_of(content: Content) -> Head:
    """The head of a message, as far as its first MiB goes. Blocks where that is on disk."""
    start = content.start(MOST_HEAD)
    if len(start) < len(content) and _END.search(start) is None:
        start = start[: start.rfind(b"\r\n") + 2]
    fields, rest = split(start)
    taken = sum(map(len, fields))
    return Head(fields, taken, rest[: len(rest) - (len(start) - taken)])


def completed(
    content: Content, head: Head, *, hostname: str, received: str, checked: bytes = b"", digest: bytes = b""
) -> Content:
    """The message to store: ``checked`` (Authentication-Results) and our Received field on top; a Message-ID
    and Date if missing; results of authentication that claim to be ours removed (RFC 8601 §5).

    ``digest``: of the octets, for a missing Message-ID: a sender that repeats them repeats the same message.
    """
    ours = hostname.lower().encode()
    kept, names = [], set()
    for field in head.fields:
        name = name_of(field)
        if name == b"" or (name in CLAIMING and claims(field, ours)):
            continue
        names.add(name)
        kept.append(field)
    added = [checked, received.encode("utf-8", "replace")]
    if b"message-id" not in names:
        word = digest.hex()[:32] or secrets.token_hex(16)
        added.append(f"Message-ID: <{word}@{hostname}>\r\n".encode())
    if b"date" not in names:
        added.append(f"Date: {formatdate(time.time())}\r\n".encode())
    gap = head.gap if head.taken < len(content) else b"\r\n"
    return content.from_octet(head.taken).after(b"".join([*added, *kept, gap]))


def forged(fields: list[bytes], authserv_id: str) -> int:
    """How many fields claim to be results of ours."""
    ours = authserv_id.lower().encode()
    return sum(name_of(one) in CLAIMING and claims(one, ours) for one in fields)


def claims(field: bytes, authserv_id: bytes) -> bool:
    """Whether a field of results names ``authserv_id`` (comments before it skipped, and the number of an ARC set)."""
    value = _SET.sub(b"", field.partition(b":")[2])
    while True:
        value = value.lstrip(b" \t\r\n")
        if not value.startswith(b"("):
            break
        depth = 0
        for at, octet in enumerate(value):
            depth += {40: 1, 41: -1}.get(octet, 0)
            if depth == 0:
                value = value[at + 1 :]
                break
        else:
            return True  # unclosed comment: not worth keeping
    return re.split(rb"[\s;(/]", value, maxsplit=1)[0].strip(b'"').lower() == authserv_id


def received_field(
    *,
    helo: str,
    peer: str,
    hostname: str,
    protocol: str,
    recipient: str | None,
    queue_id: str,
    sender: str | None = None,
) -> str:
    """RFC 5321 §4.4. What the client said is reduced to harmless characters. ``sender``: of the envelope, where that is
    stored in another form."""
    said = re.sub(r"[^!-'*-~]", "?", helo)[:255] or "unknown"
    literal = f"IPv6:{peer}" if ":" in peer else peer
    goal = f"\r\n\tfor <{recipient}>" if recipient else ""
    if sender is not None:
        goal += f"\r\n\t(envelope-from {_UNFIT.sub('?', sender)})"
    return (
        f"Received: from {said} ([{literal}])\r\n\tby {hostname} with {protocol} id {queue_id}{goal};"
        f"\r\n\t{formatdate(time.time())}\r\n"
    )


def local_trace(hostname: str) -> bytes:
    """The Received field of mail from one mailbox here to another."""
    return f"Received: by {hostname} id {secrets.token_hex(6)};\r\n\t{formatdate(time.time())}\r\n".encode()
