"""Excel workbooks (SpreadsheetML, ECMA-376 §18): rows as lines, cells by tabs, dates as dates."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from gateway.extract.archive import Archive, Page, Reader

_DATE_FORMATS = {*range(14, 23), 27, 30, 36, 45, 46, 47, 50, 57}
_LITERALS = re.compile(r'"[^"]*"|\\.|\[(?![hms]+\])[^\]]*\]|_.|\*.', re.I | re.S)
_GAP = 50
"""Empty cells between two that are shown as tabs: a far-off cell must not make a megabyte of them."""


def read_workbook(archive: Archive, main: str) -> str:
    """The sheets that are shown, in order; with more than one, each under its name."""
    book = _Book()
    archive.read(main, book)
    parts = archive.related(main)
    strings, styles = _Strings(), _Styles()
    for kind, path in parts.values():
        if kind == "sharedStrings" and path in archive.names:
            archive.read(path, strings)
        elif kind == "styles" and path in archive.names:
            archive.read(path, styles)
    page = Page()
    shown = [(name, parts[ref][1]) for name, ref in book.sheets if ref in parts]
    for name, path in shown:
        if page.room <= 0:
            break
        if path in archive.names:
            if len(shown) > 1:
                page.pieces.append(f"\n{name}\n")
                page.room -= len(name) + 2
            archive.read(path, _Sheet(page, strings.found, styles.dates(), book.since))
    return str(page)


class _Book(Reader):
    def __init__(self) -> None:
        self.sheets: list[tuple[str, str]] = []
        self.since = datetime(1899, 12, 30)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sheet" and attributes.get("state", "visible") == "visible":
            self.sheets.append((attributes.get("name", ""), attributes.get("r:id", "")))
        elif name == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            self.since = datetime(1904, 1, 1)


class _Strings(Reader):
    """The shared strings; phonetic readings (``rPh``) are left out."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._pieces: list[str] = []
        self._reading = False
        self._aside = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "si":
            self._pieces = []
        elif name == "rPh":
            self._aside += 1
        self._reading = name == "t" and not self._aside

    def end(self, name: str) -> None:
        self._reading = False
        if name == "rPh":
            self._aside -= 1
        elif name == "si":
            self.found.append("".join(self._pieces))

    def text(self, data: str) -> None:
        if self._reading:
            self._pieces.append(data)


class _Styles(Reader):
    """Which cell styles show a number as a date."""

    def __init__(self) -> None:
        self._custom: set[int] = set()
        self._formats: list[int] = []
        self._inside = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt":
            code = _LITERALS.sub("", attributes.get("formatCode", "").partition(";")[0]).lower()
            if any(letter in code for letter in "ydhms") and "general" not in code:
                self._custom.add(_number(attributes.get("numFmtId")))
        elif name == "cellXfs":
            self._inside = True
        elif name == "xf" and self._inside:
            self._formats.append(_number(attributes.get("numFmtId")))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._inside = False

    def dates(self) -> set[int]:
        """Indexes into ``cellXfs``."""
        dates = self._custom | _DATE_FORMATS
        return {index for index, one in enumerate(self._formats) if one in dates}


class _Sheet(Reader):
    def __init__(self, page: Page, strings: list[str], dates: set[int], since: datetime) -> None:
        self._page, self._strings, self._dates, self._since = page, strings, dates, since
        self._kind = ""
        self._style = 0
        self._value: list[str] = []
        self._reading = False
        self._column = self._last = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._kind = attributes.get("t", "n")
            self._style = _number(attributes.get("s"))
            self._column = _column(attributes.get("r", "")) or self._column + 1
            self._value = []
        elif name == "row":
            self._column = self._last = 0
        self._reading = name in ("v", "t")

    def end(self, name: str) -> None:
        self._reading = False
        if name == "c":
            value = self._shown("".join(self._value))
            if value:
                gap = self._column - max(self._last, 1)
                self._page.add("\t" * max(0, min(gap, _GAP)) + value)
                self._last = self._column
        elif name == "row" and self._last:
            self._page.add("\n")

    def text(self, data: str) -> None:
        if self._reading:
            self._value.append(data)

    def _shown(self, value: str) -> str:
        if self._kind == "s":
            index = _number(value)
            return " ".join(self._strings[index].split("\n")) if 0 <= index < len(self._strings) else ""
        if self._kind == "b":
            return "TRUE" if value == "1" else "FALSE"
        if self._kind == "n" and value and self._style in self._dates:
            return self._date(value)
        return " ".join(value.split("\n"))

    def _date(self, value: str) -> str:
        try:
            at = self._since + timedelta(seconds=round(float(value) * 86400))
        except (ValueError, OverflowError):
            return value
        if 0 <= float(value) < 1:
            return at.strftime("%H:%M:%S")
        return at.strftime("%Y-%m-%d" if at.time() == datetime.min.time() else "%Y-%m-%d %H:%M:%S")


def _column(ref: str) -> int:
    """1 for A…, 0 when the reference has no letters."""
    column = 0
    for letter in ref[:4].upper():
        if not "A" <= letter <= "Z":
            break
        column = column * 26 + ord(letter) - 64
    return column


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else -1
