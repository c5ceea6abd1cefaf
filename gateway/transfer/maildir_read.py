"""Reading a Maildir, with the folders of Maildir++ and whatever explains its keywords."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.transfer.item import ROLES, Item, to_wire
from gateway.transfer.maildir_names import ALL_KEYWORDS, FOLDER, KEYWORDS, flags_of, folder_of
from gateway.transfer.roles import role_by_name


def is_maildir(path: Path) -> bool:
    """Whether a directory is a Maildir."""
    return (path / "cur").is_dir() and (path / "new").is_dir()


def read_maildir(root: Path) -> Iterator[Item]:
    """Every message, folder by folder, INBOX first. A file that cannot be read raises OSError."""
    for directory in ["", *_folders(root)]:
        place = root / directory
        if is_maildir(place):
            yield from _read_folder(root, place, directory)


def folders_of(root: Path) -> Iterator[tuple[str, str]]:
    """(folder, role) of every folder, empty ones too."""
    for directory in ["", *_folders(root)]:
        if is_maildir(root / directory):
            yield _about(root / directory, directory)


def _folders(root: Path) -> list[str]:
    return sorted(
        one.name for one in root.iterdir() if one.name.startswith(".") and len(one.name) > 1 and one.is_dir()
    )


def _about(place: Path, directory: str) -> tuple[str, str]:
    name, role = folder_of(directory), ""
    said = _json(place / FOLDER)
    if isinstance(said.get("name"), str):
        name, role = str(said["name"]), str(said.get("role"))
    if role not in ROLES:
        role = role_by_name(name)
    return name, role


def _read_folder(root: Path, place: Path, directory: str) -> Iterator[Item]:
    folder, role = _about(place, directory)
    letters = _letters(place)
    keywords = _keywords(place)
    for part in ("new", "cur"):
        for file in sorted((place / part).iterdir(), key=lambda one: one.name):
            if file.name.startswith(".") or not file.is_file():
                continue
            base, _, info = file.name.partition(":")
            flags = flags_of(info, letters)
            if base in keywords:
                flags = tuple(dict.fromkeys([one for one in flags if one.startswith("\\")] + keywords[base]))
            yield Item(
                folder,
                role,
                flags,
                os.stat(file).st_mtime_ns // 1000,
                str(file.relative_to(root)),
                to_wire(file.read_bytes()),
            )


def _letters(place: Path) -> Mapping[str, str]:
    found = {}
    try:
        lines = (place / KEYWORDS).read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    for line in lines:
        number, _, name = line.partition(" ")
        if number.isascii() and number.isdigit() and int(number) < 26 and name:
            found[chr(ord("a") + int(number))] = name
    return found


def _keywords(place: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        with open(place / ALL_KEYWORDS, encoding="utf-8") as lines:
            for line in lines:
                said = json.loads(line)
                found[str(said["file"])] = [str(one) for one in said["keywords"]]
    except (OSError, ValueError, KeyError, TypeError):
        return found
    return found


def _json(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
