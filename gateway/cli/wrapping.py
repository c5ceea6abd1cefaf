"""Text for a terminal, in lines that can be read. Names, paths and commands are never broken."""

from __future__ import annotations

import textwrap

WIDTH = 110


def wrapped(text: str, indent: str = "", further: str | None = None) -> list[str]:
    """``text`` in lines of at most WIDTH, the first after ``indent``, the others after ``further`` (default: the
    same). A line of it that begins with blanks is a sample, and stays whole."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(" "):
            lines.append(indent + line)
            continue
        lines += textwrap.wrap(
            line,
            WIDTH,
            initial_indent=indent if not lines else further or indent,
            subsequent_indent=indent if further is None else further,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines
