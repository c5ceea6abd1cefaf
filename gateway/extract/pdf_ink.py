"""Text of a PDF page that nobody sees: white on white, without ink, tiny, or far off the page (ISO 32000-1 §8, §9).

pypdf tells each operator before it reads it; the strings of unseen text are emptied then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from pypdf import PageObject
from pypdf.generic import ArrayObject, ByteStringObject

_WHITE = 0.97  # of each channel: what looks like paper
_TINY = 1.0  # points of type that nobody can read
_MOST_AREAS = 2000
_SCANNED = 0.3  # of the page that pictures cover: then text without ink is what was recognized in them
_PAINTS = frozenset((b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*"))
_ENDS = frozenset((b"n", b"S", b"s", *_PAINTS))
_SHOWS = {b"Tj": 0, b"TJ": 0, b"'": 0, b'"': 2}  # operator: which operand is the string

Matrix = Sequence[float]


class _Area(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    def holds(self, x: float, y: float) -> bool:
        return self.left - 1 <= x <= self.right + 1 and self.bottom - 1 <= y <= self.top + 1


class _State(NamedTuple):
    white: bool = False
    mode: int = 0
    size: float = 12.0


class UnseenText:
    """A visitor of one page: give it to ``extract_text`` as ``visitor_operand_before``."""

    def __init__(self, page: PageObject) -> None:
        box = page.mediabox
        self._wide, self._high = float(box.width) or 1.0, float(box.height) or 1.0
        self._page = page
        self._state = _State()
        self._stack: list[_State] = []
        self._path: list[tuple[float, float]] = []
        self._inked: list[_Area] = []
        self._pictured = 0.0

    def __call__(self, operator: Any, operands: Any, cm: Any, tm: Any) -> None:
        """Follow an operator; what shows unseen text shows nothing then. Never raises for what is in the file."""
        try:
            self._follow(operator, operands, cm, tm)
        except (ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError):
            return

    def _follow(self, operator: bytes, operands: list[Any], cm: Matrix, tm: Matrix) -> None:
        if operator in _SHOWS:
            if self._unseen(cm, tm):
                operands[_SHOWS[operator]] = ArrayObject() if operator == b"TJ" else ByteStringObject(b"")
        elif operator == b"q":
            if len(self._stack) < 500:
                self._stack.append(self._state)
        elif operator == b"Q":
            if self._stack:
                self._state = self._stack.pop()
        elif operator in (b"g", b"rg", b"k", b"sc", b"scn", b"cs"):
            self._state = self._state._replace(white=_is_white(operator, operands))
        elif operator == b"Tr":
            self._state = self._state._replace(mode=int(operands[0]))
        elif operator == b"Tf":
            self._state = self._state._replace(size=float(operands[1]))
        elif operator in (b"re", b"m", b"l", b"c", b"v", b"y"):
            self._trace(operator, [float(one) for one in operands], cm)
        elif operator in _ENDS:
            if operator in _PAINTS and not self._state.white:
                self._ink(self._path)
            self._path = []
        elif operator == b"sh":
            self._inked.append(_Area(-1e9, -1e9, 1e9, 1e9))
        elif (operator == b"Do" and self._is_picture(operands[0])) or operator == b"INLINE IMAGE":
            self._picture(cm)

    def _trace(self, operator: bytes, numbers: list[float], cm: Matrix) -> None:
        if len(self._path) > 10_000:
            return
        if operator == b"re":
            x, y, wide, high = numbers
            numbers = [x, y, x + wide, y, x, y + high, x + wide, y + high]
        pairs = zip(numbers[::2], numbers[1::2], strict=False)
        self._path += [_place(x, y, cm) for x, y in pairs]

    def _ink(self, points: list[tuple[float, float]]) -> None:
        if points and len(self._inked) < _MOST_AREAS:
            across, up = [one[0] for one in points], [one[1] for one in points]
            self._inked.append(_Area(min(across), min(up), max(across), max(up)))

    def _picture(self, cm: Matrix) -> None:
        self._ink([_place(x, y, cm) for x, y in ((0, 0), (1, 0), (0, 1), (1, 1))])
        self._pictured += abs(cm[0] * cm[3] - cm[1] * cm[2])

    def _is_picture(self, name: Any) -> bool:
        found: Any = self._page
        for key in ("/Resources", "/XObject", name, "/Subtype"):
            found = found[key].get_object()
        return bool(found == "/Image")

    def _unseen(self, cm: Matrix, tm: Matrix) -> bool:
        state = self._state
        if state.mode in (3, 7):
            return self._pictured < _SCANNED * self._wide * self._high
        scale = math.sqrt(abs(tm[0] * tm[3] - tm[1] * tm[2]) * abs(cm[0] * cm[3] - cm[1] * cm[2]))
        if abs(state.size) * scale < _TINY:
            return True
        x, y = _place(tm[4], tm[5], cm)
        if abs(x) > 3 * self._wide or abs(y) > 3 * self._high:
            return True
        return state.white and state.mode in (0, 4) and not any(one.holds(x, y) for one in self._inked)


def _place(x: float, y: float, cm: Matrix) -> tuple[float, float]:
    return x * cm[0] + y * cm[2] + cm[4], x * cm[1] + y * cm[3] + cm[5]


def _is_white(operator: bytes, operands: list[Any]) -> bool:
    """Whether a colour is that of paper. A pattern or a space of other colours is not known: it is seen."""
    if operator == b"cs" or len(operands) not in (1, 3, 4):
        return False
    numbers = [float(one) for one in operands]
    if len(numbers) == 4:
        return all(one <= 1 - _WHITE for one in numbers)
    return all(one >= _WHITE for one in numbers)
