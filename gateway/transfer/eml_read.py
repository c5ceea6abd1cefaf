"""Reading single messages: ``.eml`` files, directories and zip files of them (what Mailpit and mail programs dump)."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

from gateway.transfer.dates import date_of
from gateway.transfer.item import Item, to_wire
from gateway.transfer.roles import role_by_name

_ENDINGS = (".eml", ".msg.eml", ".mime", ".email", ".emlx")


def is_eml(name: str) -> bool:
    """Whether a file name is that of a single message."""
    return name.lower().endswith(_ENDINGS)


def read_eml(path: Path, folder: str, role: str, most: int) -> Iterator[Item]:
    """The message of one file."""
    with open(path, "rb") as file:
        raw = to_wire(_unwrapped(path.name, file.read(most + 1)))
    yield Item(folder, role, (), date_of(raw) or os.stat(path).st_mtime_ns // 1000, str(path), raw)


def read_directory(root: Path, most: int) -> Iterator[Item]:
    """Every message file below a directory; a subdirectory is a folder. Links are not followed."""
    for place, folders, files in os.walk(root):
        folders.sort()
        inside = Path(place).relative_to(root).as_posix()
        folder, role = ("INBOX", "inbox") if inside == "." else (inside, role_by_name(inside))
        for name in sorted(files):
            path = Path(place, name)
            if is_eml(name) and path.is_file() and not path.is_symlink():
                yield from read_eml(path, folder, role, most)


def read_zip(path: Path, most: int) -> Iterator[Item]:
    """Every message file of a zip archive; one that unpacks to more than ``most`` octets is read no further."""
    with zipfile.ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda one: one.filename):
            if info.is_dir() or not is_eml(info.filename):
                continue
            above = info.filename.rpartition("/")[0].strip("/")
            folder, role = (above, role_by_name(above)) if above else ("INBOX", "inbox")
            if role == "other" and "/" not in above:
                folder, role = "INBOX", "inbox"  # the one directory that a dump is zipped in
            with archive.open(info) as file:
                raw = to_wire(file.read(most + 1))
            yield Item(folder, role, (), date_of(raw), f"{path.name}: {info.filename}", raw)


def _unwrapped(name: str, data: bytes) -> bytes:
    """Apple Mail's .emlx: a line with the length, the message, a property list."""
    if not name.lower().endswith(".emlx"):
        return data
    first, _, rest = data.partition(b"\n")
    return rest[: int(first)] if first.strip().isdigit() else data
