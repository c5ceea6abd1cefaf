"""The new part of a plain-text mail: without the quoted history and the signature.

Linear in the text; never empty when something was written; a forward keeps what it forwards.
"""

from __future__ import annotations

import re

from gateway.mime.reply.reply_marks import (
    ADDRESS,
    BANNER,
    COLON,
    DASHED,
    DATE,
    DATE_AND_SENDER,
    FORWARDED,
    FROM,
    INITIALS,
    INLINE_ATTRIBUTION,
    LABEL,
    LEAD,
    LIST_FOOTER,
    ONLY_RULE,
    ORIGINAL,
    RULE,
    SIGNATURE,
    TRACKING,
    UNSEEN,
    WHO_WROTE,
    WROTE,
    is_attribution,
    is_device_line,
    is_header_block,
    is_header_label,
)

_LONG = 1000  # characters: no mark is on a longer line
_ATTRIBUTION_LINES = 5
_MAX_TRIES = 1000  # lines that could begin one: more are a log or an attack
_ENDS = (*COLON, "--", "--*")
_LAST = frozenset(end[-1] for end in _ENDS)
_QUOTED = re.compile(r">(?:[>\s]|$)")
_MARKS = frozenset((">", "|", " "))  # a quoted line begins with one
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
    kept, forwarded = _History(text, lines).cut()
    written = _without_rules(_without_signature(_without_list_footer(kept)))
    if forwarded and written:
        written.append("")
    result = "\n".join([*written, *forwarded]).strip()
    if not result:
        result = "\n".join([*kept, *forwarded]).strip()
    return result or text.strip()


class _History:
    """One pass over the lines."""

    def __init__(self, text: str, lines: list[str]) -> None:
        self.written = lines
        # what is compared with marks: as people see it
        self.lines = lines if text.isascii() else [line.translate(UNSEEN) for line in lines]
        # where an attribution can end; there are few, so that other lines cost nothing
        self.ends = {
            index
            for index, line in enumerate(self.lines)
            if (end := line.rstrip())[-1:] in _LAST and end.endswith(_ENDS) and len(line) < _LONG
        }
        found = INITIALS.findall(text) if "> " in text else []
        self.initials = tuple(f"{one}>" for one in set(found) if found.count(one) > 1)
        self.bars = False  # "|" marks what is quoted
        self.tries = 0

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
            if (line[:1] in _MARKS or self.initials) and self.quoted(line, quoting=quoting):
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
                        return kept, self.written[index:]
                    if wrote and (starts or self.may_begin(index)) and self.header_block(index, starts):
                        break
                wrote = wrote or not _heads(line)
            starts = not line or line.isspace()
            kept.append(self.written[index])
            index += 1
        return kept, []

    def quoted(self, line: str, *, quoting: bool) -> bool:
        """Whether a line is marked as somebody else's."""
        if line[:1] == ">":
            return quoting or (_QUOTED.match(line) is not None and _PROMPT.match(line) is None)
        if quoting and line[:1] in " |" and (line.lstrip()[:1] == ">" or (self.bars and line[:1] == "|")):
            return True
        return bool(self.initials) and line.startswith(self.initials)

    def attribution(self, index: int, starts: bool) -> tuple[int, bool]:
        """(lines of the attribution that begins at ``index`` or 0, True when quoted lines follow it)."""
        lines = self.lines
        first = lines[index]
        if ("<" in first or ">" in first) and INLINE_ATTRIBUTION.match(first):
            return 1, False
        if starts and first[:1].isdigit() and DATE_AND_SENDER.match(first) and self.marked_after(index + 1):
            return 1, True
        if self.ends.isdisjoint(range(index, index + _ATTRIBUTION_LINES)) or self.tries > _MAX_TRIES:
            return 0, False
        self.tries += 1
        if not starts and DATE.search(first) is None:
            below = lines[index + 1] if index + 1 < len(lines) else ""
            addressed = "@" in first and ADDRESS.search(first) is not None
            begins = (addressed or LEAD.match(first)) and DATE.search(below)
            if not begins and not (addressed and WHO_WROTE.match(first)):
                return 0, False
        block = ""
        for size in range(1, _ATTRIBUTION_LINES + 1):
            if index + size > len(lines):
                return 0, False
            line = lines[index + size - 1].strip()
            inside = block.count("<") > block.count(">")  # an address is broken before its bracket
            if not line or (line[0] == ">" and not inside) or len(block) + len(line) > 500:
                return 0, False
            block = f"{block}{line}" if line[0] == ">" else f"{block} {line}".strip()
            if index + size - 1 not in self.ends or (line.endswith("--") and not DASHED.match(block)):
                continue
            quoted = self.marked_after(index + size)
            if is_attribution(block, quoted=quoted):
                return (0, False) if self.begins_later(index, size, quoted) else (size, quoted)
        return 0, False

    def marked_after(self, index: int) -> bool:
        """Whether the next line from ``index`` that is not blank is marked as quoted."""
        after = index
        while after < min(len(self.lines), index + 4) and not self.lines[after].strip():
            after += 1
        line = self.lines[after] if after < len(self.lines) else ""
        self.bars = self.bars or line.startswith("| ")
        return line.startswith((">", " >", "| ")) or (bool(self.initials) and line.startswith(self.initials))

    def begins_later(self, index: int, size: int, quoted: bool) -> bool:
        """Whether the lines from ``index`` are somebody's words with an attribution below them, no blank between."""
        lines = self.lines[index : index + size]
        first = lines[0]
        if DATE.search(first) or (LEAD.match(first) and first.rstrip().endswith(",")):
            return False
        if first.count("<") > first.count(">") or _says_who_wrote(first):
            return False
        return any(
            (DATE.search(lines[at]) and is_attribution(" ".join(lines[at:]), quoted=quoted))
            or _says_who_wrote(lines[at])
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
        line = _bare(self.lines[index])
        if RULE.match(line):
            return True
        label = FROM.match(re.split("[:：]", line, maxsplit=1)[0].strip(" *_"))
        if label is None or index + 1 >= len(self.lines):
            return False
        return FROM.match(re.split("[:：]", self.lines[index + 1], maxsplit=1)[0].strip(" *_")) is None

    def header_block(self, index: int, starts: bool) -> bool:
        """Whether a quoted header block (Outlook, GMX, Yahoo) begins at ``index``, with or without a rule above it."""
        lines = self.lines
        line = _bare(lines[index])
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


def _says_who_wrote(line: str) -> bool:
    return "@" in line and ADDRESS.search(line) is not None and WROTE.search(line) is not None


def _bare(line: str) -> str:
    """A line without the marks of bold or slanted text around it."""
    line = line.strip()
    return line.strip("*_ ") or line


def _heads(line: str) -> bool:
    """Whether a line is of the head of a message and says nothing itself: a rule, ``From: …``, ``Subject: …``."""
    line = line.strip()
    if RULE.match(line):
        return True
    label = LABEL.match(line[:300])
    return label is not None and is_header_label(label["label"].strip(" *_"))


def _without_rules(lines: list[str]) -> list[str]:
    """Without what is left at the end above something that was cut: blank lines, rules, marks of plug-ins."""
    end = len(lines)
    while end and (
        not lines[end - 1].strip() or ONLY_RULE.match(lines[end - 1]) or TRACKING.match(lines[end - 1])
    ):
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
    for size in (1, 2):  # the second is what the margin broke off
        if end >= size and is_device_line(" ".join(line.strip() for line in lines[end - size : end])):
            return lines[: end - size]
    return lines[:end]
