"""Writing a mailbox as Maildir++. A message keeps its file name from one run to the next, so a file may be linked."""

from __future__ import annotations

import json
import os
import string
from pathlib import Path

from gateway.transfer.item import to_unix
from gateway.transfer.mailbox_out import FolderOut, Listed, each, folders, listing
from gateway.transfer.maildir_names import (
    ALL_KEYWORDS,
    FOLDER,
    KEYWORDS,
    directory_of,
    file_name,
    info_of,
)
from mailserver.imap import Client


def write_mailbox(client: Client, into: Path, before: Path | None = None) -> tuple[int, int]:
    """Write every folder below ``into``; answers messages and octets. Safe to repeat.

    ``before``: the same mailbox written earlier, on the same file system: its messages are linked, not read again.
    """
    messages = size = 0
    for name, on_server, role in folders(client):
        folder = listing(client, name, on_server, role)
        made, octets = write_folder(client, folder, into, before)
        messages, size = messages + made, size + octets
    return messages, size


def write_folder(
    client: Client, folder: FolderOut, into: Path, before: Path | None = None
) -> tuple[int, int]:
    """Write one folder; answers messages and octets."""
    place = into / directory_of(folder.name)
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in ("tmp", "new", "cur"):
        (place / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    about = {"name": folder.name, "role": folder.role, "uidvalidity": folder.uidvalidity}
    (place / FOLDER).write_text(json.dumps(about, ensure_ascii=False) + "\n", "utf-8")
    if place != into:
        (place / "maildirfolder").touch()
    letters = _keywords(folder, place)
    held = _held(before / directory_of(folder.name) / "cur") if before is not None else {}
    size = 0
    fresh: list[Listed] = []
    linked = 0
    for one in folder.messages:
        base = _base(folder, one)
        if base in held:
            _link(held[base], place / "cur" / (base + info_of(one.flags, letters)))
            linked += 1
            size += one.size
        else:
            fresh.append(one)

    def take(one: Listed, raw: bytes) -> None:
        nonlocal size
        target = place / "cur" / (_base(folder, one) + info_of(one.flags, letters))
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(to_unix(raw))
        os.utime(target, ns=(one.date * 1000, one.date * 1000))
        size += one.size

    made = each(
        client, FolderOut(folder.name, folder.on_server, folder.role, folder.uidvalidity, fresh), take
    )
    return linked + made, size


def _base(folder: FolderOut, one: Listed) -> str:
    return file_name(one.date, folder.uidvalidity, one.uid, one.size)


def _keywords(folder: FolderOut, place: Path) -> dict[str, str]:
    """Write what the letters of keywords mean, and the keywords of each message; answers the letters."""
    used: dict[str, None] = {}
    lines = []
    for one in folder.messages:
        mine = [flag for flag in one.flags if not flag.startswith("\\")]
        if mine:
            used |= dict.fromkeys(mine)
            lines.append(json.dumps({"file": _base(folder, one), "keywords": mine}, ensure_ascii=False))
    letters = dict(zip(used, string.ascii_lowercase, strict=False))
    if used:
        (place / ALL_KEYWORDS).write_text("\n".join(lines) + "\n", "utf-8")
        (place / KEYWORDS).write_text("".join(f"{n} {name}\n" for n, name in enumerate(letters)), "utf-8")
    return letters


def _held(cur: Path) -> dict[str, Path]:
    if not cur.is_dir():
        return {}
    return {one.name.rpartition(":2,")[0]: one for one in cur.iterdir()}


def _link(source: Path, target: Path) -> None:
    if not target.exists():
        os.link(source, target)
