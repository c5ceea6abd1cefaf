"""The MIME tree as IMAP numbers it (RFC 9051 §6.4.5.1), flattened to its leaves.

One pass over the delimiter lines with an explicit stack: depth and parts are bounded, nothing recurses. It
follows Dovecot, from which parts are fetched by section: the innermost longest boundary that begins the line
wins, the first Content-Type counts, a digest's parts are messages. Compared octet by octet with Dovecot over a
thousand real mails. (fast-mail-parser's tree was measured here first: 170 against 75 µs on a small multipart, and
other octets for 13 more of 1,995 parts.) message/rfc822 is a leaf: its inside is never mixed with the outer
message.

Where Dovecot finds no part in a damaged multipart (its boundary is named in a second Content-Type, ends in a space,
is missing or is not that of the body), the boundary of the body is used. Such leaves are ``apart``: no IMAP section
reaches them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from gateway.mime.headers import Head, head_end, parse_parameters, split_fields, unfold
from gateway.mime.limits import Limits
from gateway.mime.transfer import decode_part, decode_text, is_base64

# a delimiter line with the header block of a part behind it
_DELIMITER = re.compile(
    rb"^--([^\s\x80-\xff][^\r\n\x80-\xff]{0,199}?)[ \t]*\r?\nContent-[a-z-]{2,30}:", re.M | re.I
)
# a preamble for programs that know no MIME
_NO_TEXT = re.compile(rb"\s*(?:[^\r\n]*(?:MIME|multi-?part)[^\r\n]*\s*)?", re.I)
_PREAMBLE = 1024  # octets of a body in which a boundary is found that nothing names
_NEAR = 64 * 1024  # octets of a body in which the boundary of one of several Content-Types occurs


class Leaf(NamedTuple):
    """One non-multipart part. ``content`` decodes the transfer encoding and never raises. ``apart``: see above."""

    section: str
    content_type: str
    params: dict[str, str]
    encoding: str
    head: Head
    parent: str  # subtype of the multipart around it, "" at the root
    content: Callable[[], bytes]
    apart: bool = False


class Tree(NamedTuple):
    """Leaves in order, the root's content type, and what was left out."""

    leaves: list[Leaf]
    content_type: str
    defects: list[str]


def read_tree(raw: bytes, head: Head, limits: Limits) -> Tree:
    """Leaves of ``raw`` (whose header block is ``head``), at most ``limits.parts``, ``limits.depth`` deep."""
    content_type, params, apart = _content_type(raw, head)
    if not content_type.startswith("multipart/"):
        kind = content_type if "/" in content_type else "text/plain"
        leaf = _leaf(raw, "1", kind, params, head, "", head.body_start, len(raw))
        return Tree([leaf], kind, [])
    return _Scan(raw, limits).run(head, content_type, params, apart=apart)


def _content_type(raw: bytes, head: Head) -> tuple[str, dict[str, str], bool]:
    """(content type, parameters, whether they are not those of the first Content-Type)."""
    fields = head.raw("content-type")
    first = parse_parameters(unfold(fields[0], likely=head.charset) if fields else "")
    if len(fields) > 1:
        for index, field in enumerate(fields[:3]):
            kind, params = parse_parameters(unfold(field))
            boundary = _boundary(params) if kind.startswith("multipart/") else None
            if boundary is not None and _occurs(raw, boundary, head.body_start, head.body_start + _NEAR):
                return kind, params, index > 0
    return *first, False


def _occurs(raw: bytes, boundary: bytes, start: int, end: int) -> bool:
    mark = b"--" + boundary.rstrip()
    return raw.startswith(mark, start) or raw.find(b"\n" + mark, max(start - 1, 0), end) >= 0


def _leaf(
    raw: bytes,
    section: str,
    kind: str,
    params: dict[str, str],
    head: Head,
    parent: str,
    start: int,
    end: int,
    *,
    apart: bool = False,
) -> Leaf:
    encoding = _encoding(head)
    if encoding == "base64" and not is_base64(raw, start, end):
        encoding = "8bit"
    body = encoding == "base64" and kind.startswith("text/") and not head.raw("content-disposition")
    decoder = decode_text if body else decode_part
    return Leaf(
        section, kind, params, encoding, head, parent, lambda: decoder(raw[start:end], encoding), apart
    )


def _encoding(head: Head) -> str:
    return (
        head.text("content-transfer-encoding").partition(";")[0].partition("(")[0].strip().lower() or "7bit"
    )


class _Open:
    """A multipart whose end has not been met: where it is numbered and what ends it."""

    def __init__(self, section: str, kind: str, boundary: bytes, *, apart: bool) -> None:
        self.section = section
        self.kind = kind
        # white space at the end of a delimiter line does not count (RFC 2046 §5.1.1)
        self.mark = b"--" + boundary.rstrip()
        self.count = 0
        self.apart = apart or self.mark != b"--" + boundary


class _Scan:
    """One pass over the delimiter lines, with an explicit stack: depth and parts are bounded."""

    def __init__(self, raw: bytes, limits: Limits) -> None:
        self.raw = raw
        self.limits = limits
        self.leaves: list[Leaf] = []
        self.defects: list[str] = []
        self.open: list[_Open] = []
        # the leaf being collected: (section, kind, params, head, parent, start, apart)
        self.leaf: tuple[str, str, dict[str, str], Head, str, int, bool] | None = None

    def run(self, head: Head, kind: str, params: dict[str, str], *, apart: bool) -> Tree:
        boundary = _boundary(params)
        if boundary is None or not _occurs(self.raw, boundary, head.body_start, len(self.raw)):
            found = _DELIMITER.search(self.raw, head.body_start, head.body_start + _PREAMBLE)
            if found is not None:
                boundary, apart = found[1], True
                self.defects.append(
                    "multipart with a boundary that is not its own: the one of its body is used"
                )
        if boundary is None:
            self.defects.append("multipart without a boundary: read as text")
            leaf = _leaf(self.raw, "1", "text/plain", params, head, "", head.body_start, len(self.raw))
            return Tree([leaf], kind, self.defects)
        self.open.append(_Open("", kind, boundary, apart=apart))
        if apart:
            self._preamble(head)
        position = head.body_start
        while True:
            line = (
                position
                if position == head.body_start and self._starts_mark(position)
                else self._next(position)
            )
            if line < 0:
                break
            end = self.raw.find(b"\n", line)
            end = len(self.raw) if end < 0 else end + 1
            position = self._delimiter(line, end)
            if position < 0:
                break
        self._close(len(self.raw))
        if not self.leaves:
            self.defects.append("multipart without a part: read as text")
            self.leaves = [_leaf(self.raw, "1", "text/plain", {}, head, "", head.body_start, len(self.raw))]
        return Tree(self.leaves, kind, self.defects)

    def _preamble(self, head: Head) -> None:
        """Keep the text before the first delimiter where another Content-Type said that the body is text."""
        start, mark = head.body_start, self.open[0].mark
        end = start if self.raw.startswith(mark, start) else self.raw.find(b"\n" + mark, start) + 1
        if end > start and not _NO_TEXT.fullmatch(self.raw, start, min(end, start + _PREAMBLE)):
            _, params = parse_parameters(head.text("content-type"))
            self.leaves.append(_leaf(self.raw, "0", "text/plain", params, head, "", start, end, apart=True))

    def _starts_mark(self, position: int) -> bool:
        return self.raw.startswith(b"--", position)

    def _next(self, position: int) -> int:
        found = self.raw.find(b"\n--", max(position - 1, 0))
        return found + 1 if found >= 0 else -1

    def _delimiter(self, line: int, end: int) -> int:
        """Handle the line that begins with ``--``; returns where to go on, -1 to stop."""
        level = -1
        longest = 0
        for index in range(len(self.open) - 1, -1, -1):
            mark = self.open[index].mark
            if len(mark) > longest and self.raw.startswith(mark, line):
                level, longest = index, len(mark)
        if level < 0:
            return end
        self._close(line)
        del self.open[level + 1 :]
        here = self.open[level]
        if self.raw.startswith(b"--", line + longest):
            self.open.pop()
            return end if self.open else -1
        if len(self.leaves) >= self.limits.parts:
            self.defects.append(f"more than {self.limits.parts} parts: the rest is not listed")
            return -1
        here.count += 1
        return self._part(here, end)

    def _part(self, around: _Open, start: int) -> int:
        stop, body = head_end(self.raw, start)
        # A part may end inside its own header block: the delimiter comes first.
        inside = self._mark_before(start, body)
        if inside >= 0:
            stop = body = inside
        fields, cut = split_fields(self.raw[start : min(stop, start + self.limits.head)], self.limits.fields)
        head = Head(fields, body, cut)
        kind, params, apart = _content_type(self.raw, head)
        apart = apart or around.apart
        if "/" not in kind:
            kind = "message/rfc822" if around.kind == "multipart/digest" else "text/plain"
        section = f"{around.section}.{around.count}" if around.section else str(around.count)
        boundary = _boundary(params)
        if kind.startswith("multipart/") and boundary is not None:
            if len(self.open) < self.limits.depth:
                self.open.append(_Open(section, kind, boundary, apart=apart))
                return body - 1 if inside < 0 and body > start else body
            self.defects.append(f"nested deeper than {self.limits.depth}: the inner part is not read")
            kind = "application/octet-stream"
        elif kind.startswith("multipart/"):
            kind = "text/plain"
        self.leaf = (section, kind, params, head, around.kind[10:], body, apart)
        return body - 1 if inside < 0 and body > start else body

    def _mark_before(self, start: int, body: int) -> int:
        position = start if self.raw.startswith(b"--", start) else self._next(start)
        while 0 <= position < body:
            if any(self.raw.startswith(item.mark, position) for item in self.open):
                return position
            position = self._next(position + 1)
        return -1

    def _close(self, end: int) -> None:
        if self.leaf is None:
            return
        section, kind, params, head, parent, start, apart = self.leaf
        self.leaf = None
        # The line break before a delimiter belongs to the delimiter (RFC 2046 §5.1.1).
        if start < end < len(self.raw):
            cut = end - 2 if self.raw[end - 2 : end] == b"\r\n" else end - 1
            # The text of a damaged multipart keeps it: it ends like a body that is not in parts.
            owned = kind == "message/rfc822" and self._owns_break(start, max(cut, start))
            if not (owned or (apart and kind.startswith("text/"))):
                end = cut
        self.leaves.append(
            _leaf(self.raw, section, kind, params, head, parent, start, max(end, start), apart=apart)
        )

    def _owns_break(self, start: int, end: int) -> bool:
        """Whether Dovecot counts the last line break to the inner message: without a body, or closed itself."""
        stop, body = head_end(self.raw, start)
        if body > end:
            return True
        inner = Head(split_fields(self.raw[start : min(stop, start + self.limits.head)], 200)[0], 0, False)
        kind, params = parse_parameters(inner.text("content-type"))
        boundary = _boundary(params)
        if not kind.startswith("multipart/") or boundary is None:
            return False
        return self.raw[start:end].endswith(b"--" + boundary + b"--")


def _boundary(params: dict[str, str]) -> bytes | None:
    text = params.get("boundary", "")
    return text.encode("utf-8", "replace") if text.strip() else None
