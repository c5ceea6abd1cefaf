"""The files that come with Postern: units, sysusers.d and tmpfiles.d. In the wheel, or in a checkout."""

from __future__ import annotations

import re
from pathlib import Path

import gateway
from gateway.setup.steps import Directory

PLACEHOLDER = "@POSTERN@"
_KINDS = (".service", ".socket", ".timer", ".path", ".slice")
_PLAIN = re.compile(r"[A-Za-z0-9/._+@:-]+")


class Missing(Exception):
    """The installed Postern lacks its files; the text says where they were looked for."""


def folder() -> Path:
    """Where the units are. Raises Missing."""
    package = Path(gateway.__file__).resolve().parent
    places = (package / "_data" / "systemd", package.parent / "systemd")
    for place in places:
        if (place / "postern.service").is_file():
            return place
    raise Missing(f"no systemd units in {' or '.join(map(str, places))}: install Postern again")


def units(program: str, place: Path | None = None) -> dict[str, str]:
    """{unit's name: its text}, with the path of the ``postern`` executable filled in."""
    if not _PLAIN.fullmatch(program):
        raise Missing(f"units cannot hold the path {program!r}: install Postern where the path is plain")
    place = place or folder()
    return {
        one.name: one.read_text("utf-8").replace(PLACEHOLDER, program)
        for one in sorted(place.iterdir())
        if one.suffix in _KINDS
    }


def sysusers(place: Path | None = None) -> str:
    """The sysusers.d file."""
    return ((place or folder()) / "sysusers.d" / "postern.conf").read_text("utf-8")


def tmpfiles(place: Path | None = None) -> str:
    """The tmpfiles.d file."""
    return ((place or folder()) / "tmpfiles.d" / "postern.conf").read_text("utf-8")


def example(name: str) -> str:
    """An example of ``config/``. Raises Missing."""
    package = Path(gateway.__file__).resolve().parent
    for place in (package / "_data" / "config", package.parent / "config"):
        if (place / name).is_file():
            return (place / name).read_text("utf-8")
    raise Missing(f"there is no example {name} in {package}: install Postern again")


def directories(text: str) -> list[Directory]:
    """The directories a tmpfiles.d file asks for; those below /var hold data."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if fields and fields[0] == "d":
            path = Path(fields[1])
            data = path.is_relative_to("/var")
            found.append(Directory(path, int(fields[2], 8), fields[3], fields[4], data=data))
    return found
