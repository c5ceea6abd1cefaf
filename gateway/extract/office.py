"""Word, PowerPoint and OpenDocument files: the text a reader sees, paragraph by paragraph, tables by tabs."""

from __future__ import annotations

import re
from typing import ClassVar

from gateway.extract.archive import Archive, Page, Reader
from gateway.extract.limits import Absent, Unreadable
from gateway.extract.sheet import read_workbook

_TRAILING = re.compile(r"[ \t]+(?=\n)| +(?=\t)")
_BLANKS = re.compile(r"\n{3,}")
_OPENDOCUMENT = (b"text", b"spreadsheet", b"presentation")


def read_office(data: bytes) -> str:
    """The text of a zip archive that is an Office file. Raises Absent when it is none, TooMuch, Unreadable."""
    archive = Archive(data)
    if "mimetype" in archive.names:
        kind = archive.head("mimetype").strip().partition(b"application/vnd.oasis.opendocument.")[2]
        if kind.partition(b"-")[0] not in _OPENDOCUMENT:
            raise Absent(kind.decode("ascii", "replace"))
        return _tidy(_opendocument(archive))
    main = next(
        (path for kind, path in archive.related("").values() if kind == "officeDocument"),
        None,
    )
    if main is None or main not in archive.names:
        if "[Content_Types].xml" in archive.names:
            raise Unreadable("its main part is missing")
        raise Absent("another zip archive")
    if main.startswith("xl/"):
        return _tidy(read_workbook(archive, main))
    if main.startswith("ppt/"):
        return _tidy(_presentation(archive, main))
    return _tidy(_document(archive, main))


def _document(archive: Archive, main: str) -> str:
    around: dict[str, list[str]] = {"header": [], "footer": [], "footnotes": [], "endnotes": []}
    for kind, path in archive.related(main).values():
        if kind in around and path in archive.names:
            text = _read(archive, path)
            if text.strip() and text not in around[kind]:
                around[kind].append(text)
    parts = [*around["header"], _read(archive, main)]
    return "\n".join([*parts, *around["footnotes"], *around["endnotes"], *around["footer"]])


def _presentation(archive: Archive, main: str) -> str:
    order = _Slides()
    archive.read(main, order)
    slides = archive.related(main)
    paths = [slides[one][1] for one in order.ids if one in slides and slides[one][1] in archive.names]
    page = Page()
    for path in paths:
        if page.room <= 0:
            break
        archive.read(path, _Paragraphs(page))
        page.pieces.append("\n")
    return str(page)


def _read(archive: Archive, path: str) -> str:
    page = Page()
    archive.read(path, _Paragraphs(page))
    return str(page)


def _opendocument(archive: Archive) -> str:
    page = Page()
    archive.read("content.xml", _OpenDocument(page))
    return str(page)


def _tidy(text: str) -> str:
    return _BLANKS.sub("\n\n", _TRAILING.sub("", text)).strip()


class _Slides(Reader):
    """The ids of the slides, in order."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sldId" and "r:id" in attributes:
            self.ids.append(attributes["r:id"])


class _Walk(Reader):
    """What the formats share: parts that are not shown are skipped whole, cells are told apart by tabs."""

    skipped: ClassVar[frozenset[str]]
    cell: ClassVar[str]
    row: ClassVar[str]

    def __init__(self, page: Page) -> None:
        self.page = page
        self.skip = 0
        self.cells = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self.skip or name in self.skipped:
            self.skip += 1
            return
        self.cells += name == self.cell
        self.enter(name, attributes)

    def end(self, name: str) -> None:
        if self.skip:
            self.skip -= 1
            return
        self.leave(name)
        if name == self.cell:
            self.cells -= 1
            self.page.add("\t")
        elif name == self.row:
            self.page.add(" " if self.cells else "\n")

    def paragraph(self) -> None:
        self.page.add(" " if self.cells else "\n")

    def enter(self, name: str, attributes: dict[str, str]) -> None:
        raise NotImplementedError

    def leave(self, name: str) -> None:
        raise NotImplementedError


_TINY = ("0", "1", "2")  # half points of type that nobody can read


class _Paragraphs(_Walk):
    """WordprocessingML and DrawingML (ECMA-376): text in ``t``, runs in ``r``, paragraphs in ``p``."""

    # a fallback says again what is before it; tab stops are not tabs; moved text is at its new place too
    skipped = frozenset({"Fallback", "tabs", "moveFrom", "rt", "sectPr", "tblPr", "tcPr"})
    cell = "tc"
    row = "tr"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.reading = False
        self.hidden = False

    def enter(self, name: str, attributes: dict[str, str]) -> None:
        if name == "t":
            self.reading = True
        elif name == "r":
            self.hidden = False
        elif name == "vanish":
            self.hidden = attributes.get("val") not in ("0", "false", "off")
        elif name == "sz" and attributes.get("val") in _TINY:
            self.hidden = True
        elif name == "tab":
            self.page.add("\t")
        elif name in ("br", "cr"):
            self.page.add("\n")
        elif name == "noBreakHyphen":
            self.page.add("-")

    def leave(self, name: str) -> None:
        if name == "t":
            self.reading = False
        elif name == "r":
            self.hidden = False
        elif name == "p":
            self.paragraph()

    def text(self, data: str) -> None:
        if self.reading and not self.hidden and not self.skip:
            self.page.add(data)


class _OpenDocument(_Walk):
    """OpenDocument 1.3: the characters of ``text:p`` and ``text:h``, with the white space that has elements."""

    skipped = frozenset({"tracked-changes", "annotation", "hidden-text", "forms", "note-citation"})
    cell = "table-cell"
    row = "table-row"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.inside = 0

    def enter(self, name: str, attributes: dict[str, str]) -> None:
        if name in ("p", "h"):
            self.inside += 1
        elif name == "s":
            count = attributes.get("c", "1")
            self.page.add(" " * (min(int(count), 1000) if count.isdecimal() and len(count) < 9 else 1))
        elif name == "tab":
            self.page.add("\t")
        elif name == "line-break":
            self.page.add("\n")

    def leave(self, name: str) -> None:
        if name in ("p", "h"):
            self.inside -= 1
            self.paragraph()

    def text(self, data: str) -> None:
        if self.inside and not self.skip:
            self.page.add(data)
