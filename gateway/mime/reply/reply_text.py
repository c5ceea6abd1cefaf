"""The new part of a plain-text mail: without the quoted history and the signature.

Linear in the text; never empty when something was written; a forward keeps what it forwards.
"""

from __future__ import annotations

import re

from gateway.mime.reply.reply_marks import (
    BANNER,
    COLON,
    DATE,
    FORWARDED,
    FROM,
    INLINE_ATTRIBUTION,
    LABEL,
    LEAD,
    LIST_FOOTER,
    ONLY_RULE,
    ORIGINAL,
    RULE,
    SIGNATURE,
    is_attribution,
    is_device_line,
    is_header_block,
    is_header_label,
)

_LONG = 1000  # characters: no mark is on a longer line
_QUOTED = re.compile(r">(?:[>\s]|$)")
_PROMPT = re.compile(r">>> \S")  # a Python session, unless somebody was quoted
_SIGNATURE_LINES = 16
_STRICT_SIGNATURE_LINES = 80  # after "-- " with its space (RFC 3676 §4.3), which nobody writes by chance
_FOOTER_LINES = 8


def extract_reply_text(text: str, *, forward: bool = False) -> str:
    """``text`` (``\\n`` line ends) without quotation and signature; the stripped whole when nothing would remain.

    Args:
        text: the text of a mail.
        forward: its subject says that it passes a message on, so what looks like history is the message.
    """
    if forward:
        return text.strip()
    lines = text.split("\n")
    kept, forwarded = _History(lines).cut()
    written = _without_rules(_without_signature(_without_list_footer(kept)))
    if forwarded and written:
        written.append("")
    result = "\n".join([*written, *forwarded]).strip()
    if not result:
        result = "\n".join([*kept, *forwarded]).strip()
    return result or text.strip()


class _History:
    """One pass over the lines."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        # where an attribution can end; there are few, so that other lines cost nothing
        self.colons = {
            index
            for index, line in enumerate(lines)
            if (":" in line or "：" in line) and len(line) < _LONG and line.rstrip().endswith(COLON)
        }

    def cut(self) -> tuple[list[str], list[str]]:
        """(what was written, what was forwarded)."""
        lines = self.lines
        kept: list[str] = []
        wrote = False  # something readable is in ``kept``
        quoting = False  # an attribution was seen: every line with ">" is the history
        starts = True  # at the first line of a paragraph
        index = 0
        while index < len(lines):
            line = lines[index]
            if (
                line[:1] == ">"
                and (quoting or _QUOTED.match(line))
                and not (not quoting and _PROMPT.match(line))
            ):
                index += 1
                starts = True
                continue
            if line and len(line) < _LONG and not line.isspace():
                size, quoted = self.attribution(index, starts)
                if size:
                    if not quoted:
                        break
                    quoting = True
                    index += size
                    continue
                if ":" in line or "：" in line or line.lstrip()[0] in "-_=*":
                    if self.forward(index):
                        return kept, lines[index:]
                    if wrote and (starts or self.may_begin(index)) and self.header_block(index, starts):
                        break
                wrote = wrote or not _heads(line)
            starts = not line or line.isspace()
            kept.append(line)
            index += 1
        return kept, []

    def attribution(self, index: int, starts: bool) -> tuple[int, bool]:
        """(lines of the attribution that begins at ``index`` or 0, True when ``>`` lines follow it)."""
        lines, colons = self.lines, self.colons
        if "<" in lines[index] and INLINE_ATTRIBUTION.match(lines[index]):
            return 1, False
        if not (index in colons or index + 1 in colons or index + 2 in colons):
            return 0, False
        if not starts and DATE.search(lines[index]) is None:
            return 0, False
        block = ""
        for size in range(1, 4):
            if index + size > len(lines):
                return 0, False
            line = lines[index + size - 1].strip()
            if not line or line[0] == ">" or len(block) + len(line) > 500:
                return 0, False
            block = f"{block} {line}"
            if index + size - 1 not in colons:
                continue
            after = index + size
            while after < len(lines) and after < index + size + 4 and not lines[after].strip():
                after += 1
            quoted = after < len(lines) and lines[after].startswith(">")
            if is_attribution(block, quoted=quoted):
                return (0, False) if self.begins_later(index, size, quoted) else (size, quoted)
        return 0, False

    def begins_later(self, index: int, size: int, quoted: bool) -> bool:
        """Whether the lines from ``index`` are somebody's words with an attribution below them, no blank between."""
        lines = self.lines[index : index + size]
        if LEAD.match(lines[0]) or DATE.search(lines[0]):
            return False
        return any(
            DATE.search(lines[at]) and is_attribution(" ".join(lines[at:]), quoted=quoted)
            for at in range(1, size)
        )

    def forward(self, index: int) -> bool:
        """Whether a banner at ``index`` says that a forwarded message follows."""
        line = self.lines[index].strip()
        if len(line) > 120 or not FORWARDED.search(line):
            return False
        return BANNER.match(line) is not None or line.endswith(COLON)

    def may_begin(self, index: int) -> bool:
        """Whether a header block may begin at ``index``, in the middle of a paragraph: a rule, or one ``From:``."""
        line = self.lines[index].strip()
        if RULE.match(line):
            return True
        label = FROM.match(re.split("[:：]", line, maxsplit=1)[0].strip(" *_"))
        if label is None or index + 1 >= len(self.lines):
            return False
        return FROM.match(re.split("[:：]", self.lines[index + 1], maxsplit=1)[0].strip(" *_")) is None

    def header_block(self, index: int, starts: bool) -> bool:
        """Whether a quoted header block (Outlook, GMX, Yahoo) begins at ``index``, with or without a rule above it."""
        lines = self.lines
        line = lines[index].strip()
        start = index
        banner = False
        if RULE.match(line):
            words = BANNER.match(line)
            if words is not None and ORIGINAL.search(words["words"]):
                return True
            banner = words is not None
            start += 1
            while start < len(lines) and start < index + 3 and not lines[start].strip():
                start += 1
        labels: list[str] = []
        values = ""
        for line in lines[start : start + 8]:
            found = LABEL.match(line.strip()[:300])
            if found is None:
                if not labels or not line.strip():
                    break
                values += line[:300]  # a folded value
                continue
            labels.append(found["label"].strip(" *_"))
            values += f"{found['value']}\n"
        return is_header_block(labels, values, banner=banner, apart=starts or start > index)


def _heads(line: str) -> bool:
    """Whether a line is of the head of a message and says nothing itself: a rule, ``From: …``, ``Subject: …``."""
    line = line.strip()
    if RULE.match(line):
        return True
    label = LABEL.match(line[:300])
    return label is not None and is_header_label(label["label"].strip(" *_"))


def _without_rules(lines: list[str]) -> list[str]:
    """Without the blank lines and empty rules at the end, which stood above something that was cut."""
    end = len(lines)
    while end and (not lines[end - 1].strip() or ONLY_RULE.match(lines[end - 1])):
        end -= 1
    return lines[:end]


def _without_list_footer(lines: list[str]) -> list[str]:
    """Without the rule and the address that mailing lists put under each mail."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    for index in range(end - 1, max(end - _FOOTER_LINES, 0), -1):
        if LIST_FOOTER.match(lines[index]):
            return lines[:index] if any("://" in below for below in lines[index:end]) else lines
    return lines


def _without_signature(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    for index in range(end - 1, max(end - _STRICT_SIGNATURE_LINES, 0), -1):
        line = lines[index]
        near = index >= end - _SIGNATURE_LINES
        if line == "-- " or (near and SIGNATURE.match(line)):
            return lines[:index]
    if end and is_device_line(lines[end - 1]):
        return lines[: end - 1]
    return lines[:end]
