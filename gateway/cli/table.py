"""Rows in aligned columns that fit the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.cli.screen import Screen
from gateway.cli.visible import cells, fit

_GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``least``: cells it may be cut to where the terminal is narrow (0: never cut); ``middle``: cut in the
    middle; ``wide``: left out of a terminal with fewer columns; ``right``: aligned to the right."""

    heading: str
    least: int = 0
    middle: bool = False
    wide: int = 0
    right: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """The cells of one row, visible text, and how each is styled in the end (by column, then the whole row)."""

    texts: Sequence[str]
    styles: dict[int, Callable[[str], str]] = field(default_factory=dict)


def table(screen: Screen, columns: Sequence[Column], rows: Sequence[Line]) -> list[str]:
    """The lines of a table, headings first."""
    kept = [n for n, one in enumerate(columns) if not screen.width or screen.width >= one.wide]
    widths = {n: max([cells(columns[n].heading), *(cells(row.texts[n]) for row in rows)]) for n in kept}
    if screen.width:
        room = screen.width - len(_GAP) * (len(kept) - 1)
        while sum(widths.values()) > room:
            spare = {n: widths[n] - columns[n].least for n in kept if columns[n].least}
            widest = max(spare, key=lambda n: spare[n], default=None)
            if widest is None or spare[widest] <= 0:
                break
            widths[widest] -= 1
    head = Line([one.heading for one in columns], dict.fromkeys(kept, screen.dim))
    return [_line(columns, kept, widths, row) for row in (head, *rows)]


def _line(columns: Sequence[Column], kept: Sequence[int], widths: dict[int, int], row: Line) -> str:
    parts = []
    for n in kept:
        text = fit(row.texts[n], widths[n], middle=columns[n].middle)
        space = " " * (widths[n] - cells(text))
        shown = row.styles[n](text) if n in row.styles and text else text
        last = n == kept[-1]
        parts.append(space + shown if columns[n].right else shown if last else shown + space)
    return _GAP.join(parts).rstrip()
