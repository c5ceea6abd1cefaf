"""format=flowed (RFC 3676): lines that a program broke at its margin, joined again."""

from __future__ import annotations

_SIGNATURE = "-- "


def unflow(text: str, *, delsp: bool = False) -> str:
    """``text`` with each flowed paragraph on one line and without space-stuffing; quotation marks stay.

    Args:
        text: decoded, with ``\\n`` line ends.
        delsp: the space at which a line was broken is no part of the text (RFC 3676 §4, ``DelSp=yes``).
    """
    joined: list[str] = []
    pieces: list[str] = []  # of the paragraph that goes on
    depth = 0  # of its quotation
    for line in text.split("\n"):
        content = line.lstrip(">")
        marks = len(line) - len(content)
        if content.startswith(" ") and not content.startswith(" >"):
            content = content[1:]  # RFC 3676 §4.4; " >" keeps it: without it the line would be a quotation
        if pieces and (marks != depth or content == _SIGNATURE):
            joined.append(_line(depth, pieces))
            pieces = []
        depth = marks
        flows = content.endswith(" ") and content != _SIGNATURE and not content.isspace()
        pieces.append(content[:-1] if flows and delsp else content)
        if not flows:
            joined.append(_line(depth, pieces))
            pieces = []
    if pieces:
        joined.append(_line(depth, pieces))
    return "\n".join(joined)


def _line(depth: int, pieces: list[str]) -> str:
    content = "".join(pieces)
    if not depth:
        return content
    return f"{'>' * depth} {content}" if content.strip() else ">" * depth
