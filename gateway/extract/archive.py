"""Zip archives of XML, as Office programs write them, read as a stream: nothing is unpacked whole.

A bomb cannot grow: what is unpacked is counted, a document type declaration (the only way to define an entity)
is refused, and reading stops as soon as enough text was found.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from xml.parsers import expat

from gateway.extract.limits import ARCHIVE_MEMBERS, TEXT_CHARS, UNPACKED_OCTETS, TooMuch, Unreadable

_PIECE = 256 * 1024
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Enough(Exception):
    """A reader has what it wants: the rest of the part is not unpacked."""


class Reader:
    """What receives a part's elements and attributes, by local name; a reference to another part is ``r:id``."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """It ends."""

    def text(self, data: str) -> None:
        """Characters between."""


class Archive:
    """A zip archive in memory. Raises TooMuch and Unreadable, here and in every method."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, OverflowError) as error:
            raise Unreadable(str(error)) from error
        if len(self._zip.filelist) > ARCHIVE_MEMBERS:
            raise TooMuch(f"{len(self._zip.filelist)} members")
        self.names = set(self._zip.namelist())
        self._room = UNPACKED_OCTETS

    def head(self, name: str, octets: int = 200) -> bytes:
        """The first octets of a member."""
        with self._open(name) as member:
            return self._piece(member, octets)

    def read(self, name: str, reader: Reader) -> None:
        """Give ``reader`` what is in an XML member, until it raises Enough."""
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartElementHandler = lambda tag, given: reader.start(
            tag.rpartition("}")[2], {_local(key): value for key, value in given.items()}
        )
        parser.EndElementHandler = lambda tag: reader.end(tag.rpartition("}")[2])
        parser.CharacterDataHandler = reader.text
        parser.StartDoctypeDeclHandler = _refuse
        with self._open(name) as member:
            try:
                while piece := self._piece(member, _PIECE):
                    parser.Parse(piece, False)
                parser.Parse(b"", True)
            except Enough:
                pass
            except expat.ExpatError as error:
                raise Unreadable(f"{name}: {error}") from error

    def related(self, part: str) -> dict[str, tuple[str, str]]:
        """The relationships of a part ('' is the archive itself): id to (last word of the type, member)."""
        folder, name = posixpath.split(part)
        found = _Relations(folder)
        rels = posixpath.join(folder, "_rels", f"{name}.rels")
        if rels in self.names:
            self.read(rels, found)
        return found.by_id

    def _open(self, name: str) -> zipfile.ZipExtFile:
        try:
            info = self._zip.getinfo(name)
            if info.flag_bits & 1 or info.compress_type not in _METHODS:
                raise Unreadable(f"{name} is encrypted, or packed in an unusual way")
            member = self._zip.open(info)
        except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            raise Unreadable(f"{name}: {error}") from error
        assert isinstance(member, zipfile.ZipExtFile)
        return member

    def _piece(self, member: zipfile.ZipExtFile, octets: int) -> bytes:
        try:
            piece = member.read(octets)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise Unreadable(str(error)) from error
        self._room -= len(piece)
        if self._room < 0:
            raise TooMuch("it unpacks to too much")
        return piece


def _refuse(*_: object) -> None:
    raise Unreadable("a document type declaration: no Office program writes one")


def _local(attribute: str) -> str:
    space, _, name = attribute.rpartition("}")
    return "r:id" if name == "id" and space.endswith("/relationships") else name


class _Relations(Reader):
    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.by_id: dict[str, tuple[str, str]] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            path = target.lstrip("/") if target.startswith("/") else posixpath.join(self.folder, target)
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.by_id[attributes.get("Id", "")] = kind, posixpath.normpath(path)


class Page:
    """Text being collected; raises Enough when it is as long as is kept."""

    def __init__(self, room: int = TEXT_CHARS) -> None:
        self.pieces: list[str] = []
        self.room = room

    def add(self, text: str) -> None:
        self.pieces.append(text)
        self.room -= len(text)
        if self.room <= 0:
            raise Enough

    def __str__(self) -> str:
        return "".join(self.pieces)
