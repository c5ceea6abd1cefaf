"""The octets of one message: in memory while they are few, else in a file without a name that is read in pieces.

The file is unlinked as soon as it is made, so that nothing is left of it however the process ends.
"""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

IN_MEMORY = 64 * 1024
"""Octets that are not worth a file."""
PIECE = 256 * 1024


class Content:
    """Octets that may be read by several readers at once, each from the start.

    ``before`` are octets in memory; those of ``spool`` from ``start`` on follow. Who made the spool closes it.
    """

    __slots__ = ("_before", "_end", "_spool", "_start")

    def __init__(self, before: bytes, spool: Spool | None = None, start: int = 0) -> None:
        self._before = before
        self._spool = spool
        self._start = start
        self._end = len(spool) if spool is not None else 0

    def __len__(self) -> int:
        return len(self._before) + max(0, self._end - self._start)

    @property
    def on_disk(self) -> bool:
        """Whether reading it blocks."""
        return self._spool is not None and self._spool.on_disk

    def after(self, before: bytes) -> Content:
        """The same with ``before`` in front of it."""
        return Content(before + self._before, self._spool, self._start)

    def from_octet(self, at: int) -> Content:
        """The same without its first ``at`` octets."""
        within = min(at, len(self._before))
        return Content(self._before[within:], self._spool, self._start + at - within)

    def pieces(self) -> Iterator[bytes]:
        """All octets, ``PIECE`` at a time. Blocks where they are in a file."""
        if self._before:
            yield self._before
        at = self._start
        while self._spool is not None and at < self._end:
            piece = self._spool.read(at, min(PIECE, self._end - at))
            if not piece:
                raise OSError("a spooled message ended early")
            yield piece
            at += len(piece)

    async def stream(self) -> AsyncIterator[bytes]:
        """:meth:`pieces` for the event loop."""
        pieces = self.pieces()
        if not self.on_disk:
            for piece in pieces:
                yield piece
            return
        while (piece := await asyncio.to_thread(next, pieces, b"")) != b"":
            yield piece

    def start(self, octets: int) -> bytes:
        """The first ``octets``. Blocks as ``pieces`` does."""
        found = self._before[:octets]
        if self._spool is not None and len(found) < octets:
            found += self._spool.read(self._start, min(octets - len(found), self._end - self._start))
        return found

    def whole(self) -> bytes:
        """All octets in memory. Blocks as ``pieces`` does; hold memory for them (``mailserver.memory``)."""
        if self._spool is None:
            return self._before
        data = bytearray(len(self))
        at = 0
        for piece in self.pieces():
            data[at : at + len(piece)] = piece
            at += len(piece)
        return bytes(data)


Octets = bytes | Content
"""A message, small or large."""


def content_of(data: Octets) -> Content:
    """``data`` as what can be read in pieces."""
    return data if isinstance(data, Content) else Content(data)


class Spool:
    """Octets being written. Closing it twice does no harm; what reads from it must have ended.

    Args:
        directory: where the file is made once there are more than ``IN_MEMORY`` octets; None: where the system has
            temporary files.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._memory = bytearray()
        self._file = -1
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def on_disk(self) -> bool:
        """Whether reading and writing it blocks."""
        return self._file >= 0

    def room(self, octets: int) -> bool:
        """Whether so many more fit into memory."""
        return self._file < 0 and self._size + octets <= IN_MEMORY

    def write(self, data: bytes) -> None:
        """Append octets. Blocks unless there is ``room`` for them. Raises OSError (the disk is full)."""
        if self.room(len(data)):
            self._memory += data
        else:
            if self._file < 0:
                self._file = _unnamed(self._directory)
                _write(self._file, self._memory)
                self._memory = bytearray()
            _write(self._file, data)
        self._size += len(data)

    async def append(self, data: bytes) -> None:
        """:meth:`write` for the event loop."""
        if self.room(len(data)):
            self.write(data)
        else:
            await asyncio.to_thread(self.write, data)

    def read(self, at: int, octets: int) -> bytes:
        """Up to ``octets`` from ``at`` on; from several threads at once."""
        if self._file < 0:
            return bytes(self._memory[at : at + octets])
        return os.pread(self._file, octets, at)

    def close(self) -> None:
        """Forget them."""
        file, self._file = self._file, -1
        self._memory, self._size = bytearray(), 0
        if file >= 0:
            os.close(file)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def _unnamed(directory: Path | None) -> int:
    if directory is not None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return os.open(directory or tempfile.gettempdir(), os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (errno.EISDIR, errno.ENOENT, errno.EOPNOTSUPP):
            raise
    file, path = tempfile.mkstemp(
        prefix="spool-", dir=directory
    )  # a file system that has no files without names
    os.unlink(path)
    return file


def _write(file: int, data: bytes | bytearray) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
