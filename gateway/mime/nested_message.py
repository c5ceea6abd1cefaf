"""A message inside another: it goes out as it is, since only 7bit and 8bit are allowed for it (RFC 2046 §5.2.1)."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

MAX_LINE = 998  # RFC 5322 §2.1.1, without CRLF
_LINE_END = re.compile(rb"\r?\n")
_UNFIT = re.compile(rb"[\x00\r]")


class Body(NamedTuple):
    """The octets of a part, and in which transfer encoding they are (RFC 2045 §6)."""

    encoding: Literal["7bit", "8bit", "base64"]
    octets: bytes


def is_nested(content_type: str) -> bool:
    """Whether content of this type may not be put into base64: every ``message/*`` but ``message/global`` and its like
    (RFC 2046 §5.2, RFC 6532 §3.5)."""
    return content_type.startswith("message/") and not content_type.startswith("message/global")


def verbatim(content: bytes) -> Body | None:
    """``content`` as it can travel; None where SMTP has no way for it (RFC 5321 §2.3.8): NUL, a carriage return that
    ends no line, a line too long; and for nothing at all."""
    lines = _LINE_END.split(content)
    if not content or max(map(len, lines)) > MAX_LINE or any(map(_UNFIT.search, lines)):
        return None
    octets = b"\r\n".join(lines)
    return Body("7bit" if octets.isascii() else "8bit", octets)
