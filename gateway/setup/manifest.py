"""What setup made: ``/var/lib/postern-setup/manifest.json`` (root only), written before each act.

A file's entry holds the digests of what setup wrote there, newest last: content with another digest is the
administrator's. So it does not matter whether an interrupted write happened or not.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from gateway.setup.answers import Answers

VERSION = 1
_KEPT = 4


class Unusable(Exception):
    """The manifest cannot be read; the text says why."""


class FileEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A file that setup wrote."""

    ours: list[str] = []
    """SHA-256 of what setup wrote or was about to write, newest last."""
    copy: bool = False
    affects: tuple[str, ...] = ()
    """Units to restart when it goes."""
    existed: bool = False
    """It was there before setup, which adopted it: ``--remove`` leaves it."""


class UnitState(msgspec.Struct, forbid_unknown_fields=True):
    """How a stock unit was before setup stopped it."""

    enabled: bool
    active: bool


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """Everything a later run, ``--remove`` or an interrupted setup needs to know. No secrets."""

    version: int = VERSION
    program: str = ""
    """Fingerprint of the installed Postern that the services were last restarted with."""
    answers: Answers | None = None
    files: dict[str, FileEntry] = {}
    directories: list[str] = []
    """Directories setup made, parents first."""
    data: list[str] = []
    """Those of them that hold data: for ``--purge``."""
    settings: dict[str, list[Any]] = {}
    """Values that setup wrote into postern.toml, newest last; null for none."""
    packages: list[str] = []
    """Packages that setup installed."""
    account: bool = False
    """Setup made the system user."""
    units: list[str] = []
    """Units setup enabled."""
    stock: dict[str, UnitState] = {}
    """Units setup stopped, as they were."""
    firewall: list[str] = []
    """Rules setup added, as commands that take them away."""
    lines: dict[str, list[str]] = {}
    """Lines that setup put into files of a proxy's: its comment and the line itself, by file."""
    links: dict[str, str] = {}
    """Symbolic links setup made, and where they lead; ``theirs`` for a file that was in the place of one."""
    members: list[str] = []
    """``USER GROUP``: users of proxies that setup put into a group of ours."""
    proxies: dict[str, UnitState] = {}
    """Units of proxies that setup put in front, as they were."""
    domains: list[str] = []
    """Domains that the gateway served when it was last asked: the proxy knows their names."""
    pending: list[str] = []
    """Units to restart before anything counts as done; ``reload UNIT`` and ``restart UNIT`` for a proxy's."""
    first_key: bool = False
    first_inbox: str = ""
    done: bool = False
    """The last run came to its end."""


def digest(content: bytes) -> str:
    """How the manifest recognises content."""
    return hashlib.sha256(content).hexdigest()


def remember(entry: FileEntry, content: bytes) -> None:
    """Note that ``content`` is about to be written."""
    mark = digest(content)
    entry.ours = [*[one for one in entry.ours if one != mark][-_KEPT + 1 :], mark]


def load(path: Path) -> Manifest:
    """Read it; an empty one when setup never ran here. Raises Unusable."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Manifest()
    try:
        found = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Unusable(f"{path} was not written by this version of `postern setup`: {error}") from error
    if found.version != VERSION:
        raise Unusable(f"{path} is of version {found.version}; this Postern knows {VERSION}")
    return found


def save(path: Path, manifest: Manifest) -> None:
    """Write it whole, on disk when this returns."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
