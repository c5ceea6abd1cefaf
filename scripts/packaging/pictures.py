"""Draw the pictures of the documentation: each ``docs/pictures/NAME.toml`` becomes ``NAME.svg`` beside it.

    python -m scripts.packaging.pictures           draw all of them
    python -m scripts.packaging.pictures --check   only say which one is not what its text says; exit code 1 then

A picture is a grid. ``[[box]]`` has an id, one or two lines of text, and its first and last column and row.
``[[frame]]`` is drawn behind boxes, with its text at the upper right. ``[[arrow]]`` goes straight from one box to
another, in a column or a row that both have; ``both`` gives it two heads. Its text is beside its middle, or with
``high`` beside its upper end, out of the way of a frame.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
_WIDE, _HIGH, _ACROSS, _DOWN, _EDGE, _PAD, _TITLE = 146, 54, 30, 60, 16, 12, 18
_INK, _LINE, _FILL, _BACK = "#263238", "#546e7a", "#ffffff", "#eceff1"
_FONT = "font-family='system-ui, sans-serif'"


@dataclass(frozen=True)
class Box:
    """A rectangle on the page, with its columns and rows."""

    lines: list[str]
    columns: tuple[int, int]
    rows: tuple[int, int]

    @property
    def left(self) -> int:
        return _EDGE + self.columns[0] * (_WIDE + _ACROSS)

    @property
    def right(self) -> int:
        return _EDGE + self.columns[1] * (_WIDE + _ACROSS) + _WIDE

    @property
    def top(self) -> int:
        return _EDGE + self.rows[0] * (_HIGH + _DOWN)

    @property
    def bottom(self) -> int:
        return _EDGE + self.rows[1] * (_HIGH + _DOWN) + _HIGH


def draw(text: str) -> str:
    """The SVG of a picture's text."""
    given = tomllib.loads(text)
    boxes = {one["id"]: _box(one) for one in given["box"]}
    frames = [_box(one) for one in given.get("frame", [])]
    wide = max(one.right for one in boxes.values()) + _EDGE
    high = max(one.bottom for one in boxes.values()) + _EDGE
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {wide} {high}' "
        f"width='{wide}' height='{high}' role='img'>",
        f"<title>{escape(given['title'])}</title>",
        "<defs><marker id='head' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='8' markerHeight='8' "
        f"orient='auto-start-reverse'><path d='M0 0 8 4 0 8z' fill='{_LINE}'/></marker></defs>",
        f"<rect width='{wide}' height='{high}' fill='#ffffff'/>",
        *[_frame(one) for one in frames],
        *[_rectangle(one) for one in boxes.values()],
        *[_arrow(one, boxes) for one in given.get("arrow", [])],
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(given: dict[str, Any]) -> Box:
    columns, rows = given["columns"], given["rows"]
    return Box(given["text"], (columns[0], columns[-1]), (rows[0], rows[-1]))


def _frame(frame: Box) -> str:
    x, y = frame.left - _PAD, frame.top - _PAD - _TITLE
    wide, high = frame.right - frame.left + 2 * _PAD, frame.bottom - frame.top + 2 * _PAD + _TITLE
    return (
        f"<rect x='{x}' y='{y}' width='{wide}' height='{high}' rx='8' fill='{_BACK}'/>"
        f"<text x='{frame.right}' y='{y + 19}' text-anchor='end' {_FONT} font-size='14' font-weight='600' "
        f"fill='{_LINE}'>{escape(frame.lines[0])}</text>"
    )


def _rectangle(box: Box) -> str:
    wide, high = box.right - box.left, box.bottom - box.top
    middle, lines = (box.left + box.right) // 2, []
    for number, line in enumerate(box.lines):
        y = (box.top + box.bottom) // 2 + 5 + 18 * number - 9 * (len(box.lines) - 1)
        style = "font-size='16' font-weight='600'" if number == 0 else "font-size='13'"
        lines.append(
            f"<text x='{middle}' y='{y}' text-anchor='middle' {_FONT} {style} fill='{_INK}'>{escape(line)}</text>"
        )
    return (
        f"<rect x='{box.left}' y='{box.top}' width='{wide}' height='{high}' rx='6' fill='{_FILL}' "
        f"stroke='{_LINE}' stroke-width='1.5'/>" + "".join(lines)
    )


def _arrow(given: dict[str, Any], boxes: dict[str, Box]) -> str:
    begin, end = boxes[given["from"]], boxes[given["to"]]
    column = max(begin.columns[0], end.columns[0])
    if column <= min(begin.columns[1], end.columns[1]):
        x = _EDGE + column * (_WIDE + _ACROSS) + given.get("at", _WIDE // 2)
        down = end.top > begin.top
        start = (x, begin.bottom if down else begin.top)
        stop = (x, end.top if down else end.bottom)
        middle = min(start[1], stop[1]) + 19 if given.get("high") else (start[1] + stop[1]) // 2 + 7
        label = (x + 8, middle, "start")
    else:
        row = max(begin.rows[0], end.rows[0])
        y = _EDGE + row * (_HIGH + _DOWN) + _HIGH // 2
        right = end.left > begin.left
        start = (begin.right if right else begin.left, y)
        stop = (end.left if right else end.right, y)
        label = ((start[0] + stop[0]) // 2, y - 8, "middle")
    heads = "marker-end='url(#head)'" + (" marker-start='url(#head)'" if given.get("both") else "")
    return (
        f"<line x1='{start[0]}' y1='{start[1]}' x2='{stop[0]}' y2='{stop[1]}' stroke='{_LINE}' stroke-width='1.5' "
        f"{heads}/><text x='{label[0]}' y='{label[1]}' text-anchor='{label[2]}' {_FONT} font-size='13' fill='{_INK}'>"
        f"{escape(given.get('text', ''))}</text>"
    )


def stale(folder: Path = FOLDER) -> list[Path]:
    """The pictures that are not what their texts say."""
    return [one for one in _pictures(folder) if not one.is_file() or one.read_text("utf-8") != _drawn(one)]


def _pictures(folder: Path) -> list[Path]:
    return [one.with_suffix(".svg") for one in sorted(folder.glob("*.toml"))]


def _drawn(picture: Path) -> str:
    return draw(picture.with_suffix(".toml").read_text("utf-8"))


def main() -> int:
    """Draw the pictures, or with ``--check`` name those to be drawn anew."""
    if "--check" in sys.argv[1:]:
        for one in stale():
            print(
                f"{one.name} is not what its text says: python -m scripts.packaging.pictures", file=sys.stderr
            )
        return 1 if stale() else 0
    for one in _pictures(FOLDER):
        one.write_text(_drawn(one), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
