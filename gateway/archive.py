"""Archives (``.tar.gz``) of backups and exports, above all unpacking those that may be hostile.

Python's own ``TarFile.extractall(filter="data")`` is not used: Debian 12's Python 3.11.2 does not have it, and before
3.11.13 it can write outside its directory (CVE-2025-4517). Here only plain files and directories come out, into a
directory that is empty and ours, so that no link can lead anywhere. Owners and modes of the archive are ignored.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import tarfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

HEADER_OCTETS = 24 << 10
"""What the headers of one member may hold: names, and attributes that we ignore. tarfile takes all of it into memory,
and before 3.11.10 needs time with the square of it (CVE-2024-6232)."""
MEMBERS = 20_000_000
FREE_SHARE = 0.9  # of what the disk has free
SMALL = 1 << 30  # what any archive may unpack to, however small it is
RATIO = 100  # beyond that: times its own size; mail compresses 2 to 20 times
BLOCK = 4096  # what a member takes on the disk at least
CHUNK = 1 << 20

# what tarfile, gzip and zlib raise over damaged or hostile octets, in one version of Python or another
_DAMAGE = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError, IndexError, RecursionError)


class ArchiveError(Exception):
    """An archive is damaged, or holds what an archive of Postern never holds; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much an archive may unpack to. ``advice`` says what to do about one with more octets."""

    octets: int
    members: int
    advice: str


def is_archive(path: Path) -> bool:
    """Whether a path means one ``.tar.gz`` file rather than a directory."""
    return path.name.endswith((".tar.gz", ".tgz"))


def without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A filter for ``TarFile.add``: the archive names no owner."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def bounds_of(archive: Path, place: Path) -> Bounds:
    """The bounds for unpacking ``archive`` below ``place``: the free space, and a multiple of the archive's size."""
    disk = os.statvfs(place)
    free = int(disk.f_bavail * disk.f_frsize * FREE_SHARE)
    most = SMALL + RATIO * archive.stat().st_size
    members = min(MEMBERS, int(disk.f_favail * FREE_SHARE)) if disk.f_favail > 0 else MEMBERS
    if free < most:
        return Bounds(free, members, "which the disk has no room for: make room, or move it to a larger disk")
    return Bounds(most, members, "which no archive of mail of its size does, so do not trust it")


def unpack(archive: Path, place: Path, bounds: Bounds | None = None) -> None:
    """Unpack a ``.tar.gz`` into the empty directory ``place``; files get mode 0600, directories 0700. Blocks.

    What was unpacked before an error stays in ``place``: the caller removes it. Raises ArchiveError, OSError.
    """
    bounds = bounds or bounds_of(archive, place)
    with gzip.open(archive) as raw:
        source = _Metered(raw)
        try:
            # Not the mode "r|gz": that one neither checks the checksum nor sees that the end is missing.
            with tarfile.open(fileobj=source, mode="r|") as tar:
                _unpack_members(tar, source, place, bounds)
            _expect_end(raw)
        except gzip.BadGzipFile as error:
            raise ArchiveError(f"it is no .tar.gz: {error}") from error
        except _DAMAGE as error:
            raise ArchiveError(f"it is damaged: {error}") from error


def _unpack_members(tar: tarfile.TarFile, source: _Metered, place: Path, bounds: Bounds) -> None:
    octets = members = 0
    while (member := _next(tar, source)) is not None:
        members += 1
        if members > bounds.members:
            raise ArchiveError(
                f"it holds more than {bounds.members:,} files, which is too many to unpack here"
            )
        target = _target(member, place)
        octets += member.size + BLOCK
        if octets > bounds.octets:
            raise ArchiveError(f"it unpacks to more than {bounds.octets:,} octets, {bounds.advice}")
        try:
            if member.isdir():
                target.mkdir(mode=0o700, parents=True, exist_ok=True)
            else:
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write(tar, member, source, target)
        except (FileExistsError, NotADirectoryError) as error:
            raise _refused(member, "has the name of another member") from error
    if not members:
        raise ArchiveError("it is damaged: it is empty")


def _next(tar: tarfile.TarFile, source: _Metered) -> tarfile.TarInfo | None:
    source.left = HEADER_OCTETS
    member = tar.next()
    tar.members.clear()  # type: ignore[attr-defined]  # it keeps every header: millions, maybe
    return member


def _target(member: tarfile.TarInfo, place: Path) -> Path:
    """Where a member goes. Raises ArchiveError for whatever is no plain file or directory below ``place``."""
    if member.issym() or member.islnk():
        raise _refused(member, f"is a link (to {member.linkname!r})")
    if member.issparse() or not (member.isdir() or member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)):
        raise _refused(member, "is neither a file nor a directory")
    if member.name.startswith("/"):
        raise _refused(member, "has an absolute path")
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _refused(member, "has a path that leaves its directory (..)")
    if "\0" in member.name or (not parts and not member.isdir()):
        raise _refused(member, "has no file name")
    if len(os.fsencode(member.name)) > 4000 or any(len(os.fsencode(part)) > 255 for part in parts):
        raise _refused(member, "has a name that is too long")
    if member.size < 0:
        raise _refused(member, "has a negative size")
    return place.joinpath(*parts)


def _refused(member: tarfile.TarInfo, what: str) -> ArchiveError:
    name = member.name if len(member.name) <= 200 else member.name[:200] + "…"
    return ArchiveError(
        f"its member {name!r} {what}: Postern writes no such archive, so do not trust this one"
    )


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, source: _Metered, target: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    source.left = member.size + tarfile.RECORDSIZE
    content = tar.extractfile(member)
    assert content is not None  # it is a plain file
    left = member.size
    with open(os.open(target, flags, 0o600), "wb") as out:
        while left and (chunk := content.read(min(left, CHUNK))):
            out.write(chunk)
            left -= len(chunk)
        if left:
            raise tarfile.ReadError(f"{member.name!r} ends {left} octets too early")
        out.flush()
        # the date of a mail is that of its file
        if math.isfinite(member.mtime) and 0 <= member.mtime < 1 << 40:
            micros = round(member.mtime * 1_000_000)
            with suppress(OverflowError):
                os.utime(out.fileno(), ns=(micros * 1000, micros * 1000))


def _expect_end(raw: gzip.GzipFile) -> None:
    """Read to the end, so that the checksum is compared. Only the padding of the last record may follow."""
    left = 1 << 20
    while chunk := raw.read(CHUNK):
        left -= len(chunk)
        if left < 0 or chunk.count(0) != len(chunk):
            raise tarfile.ReadError("something follows its end")


class _Metered(io.RawIOBase):
    """A file that lets ``left`` octets be read, so that no header makes tarfile take a gigabyte into memory."""

    def __init__(self, file: gzip.GzipFile) -> None:
        super().__init__()
        self._file = file
        self.left = HEADER_OCTETS

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise tarfile.ReadError("a header in it is longer than any archive needs")
        return data
