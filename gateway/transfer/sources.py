"""What kind of source an import is given, found out by reading it."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gateway.archive import ArchiveError, is_archive, unpack
from gateway.transfer import eml_read
from gateway.transfer.imap_source import BadSource
from gateway.transfer.item import ROLES, Item
from gateway.transfer.maildir_read import is_maildir, read_maildir
from gateway.transfer.mbox_read import folder_of, is_mbox, read_mbox

EXPORT = "postern-export.json"
MBOXES = "postern-mboxes.json"

Kind = Literal[
    "imap", "mailpit", "agentmail", "postern", "maildir", "mbox", "mboxes", "eml", "directory", "zip"
]
HTTP: tuple[Kind, ...] = ("mailpit", "agentmail")


@dataclass(frozen=True, slots=True)
class Source:
    """A source and what kind it is; ``path`` for what is on disk, else ``url``."""

    kind: Kind
    path: Path = Path()
    url: str = ""


def recognise(text: str, kind: str | None = None) -> Source:
    """The source that ``text`` names; ``kind`` is needed for ``http(s)://``. Raises BadSource."""
    if text.startswith(("imap://", "imaps://")):
        return Source("imap", url=text)
    if text.startswith(("http://", "https://")):
        for one in HTTP:
            if one == kind:
                return Source(one, url=text)
        raise BadSource("say what answers at this URL: --from mailpit or --from agentmail")
    path = Path(text).expanduser()
    if not path.exists():
        raise BadSource(f"there is no {text}: give a file, a directory, or a URL (imaps://user@host)")
    return Source(_kind_of(path), path=path)


def _kind_of(path: Path) -> Kind:
    if path.is_dir():
        if (path / EXPORT).is_file():
            return "postern"
        if is_maildir(path):
            return "maildir"
        if any(
            one.is_file() and is_mbox(one) for one in sorted(path.rglob("*")) if not eml_read.is_eml(one.name)
        ):
            return "mboxes"
        return "directory"
    if is_archive(path):
        return "postern"
    if zipfile.is_zipfile(path):
        return "zip"
    if not eml_read.is_eml(path.name) and is_mbox(path):
        return "mbox"
    if eml_read.is_eml(path.name) or _looks_like_mail(path):
        return "eml"
    raise BadSource(f"{path} is no mbox, Maildir, zip or message file, and no export of Postern")


def _looks_like_mail(path: Path) -> bool:
    with open(path, "rb") as file:
        first = file.read(1000)
    name, colon, _ = first.partition(b":")
    return bool(colon) and 0 < len(name) < 77 and all(32 < byte < 127 for byte in name)


def read_files(source: Source, most: int, inbox: str | None = None) -> Iterator[Item]:
    """Every message of a source on disk. ``inbox``: which of an export. Raises BadSource, OSError."""
    path = source.path
    match source.kind:
        case "maildir":
            yield from read_maildir(path)
        case "mbox":
            folder, role = folder_of(path)
            # a lone file is a mailbox; only a name that says so makes it a folder
            yield from read_mbox(path, *(("INBOX", "inbox") if role == "other" else (folder, role)), most)
        case "mboxes":
            yield from read_mboxes(path, most)
        case "eml":
            yield from eml_read.read_eml(path, "INBOX", "inbox", most)
        case "directory":
            yield from eml_read.read_directory(path, most)
        case "zip":
            yield from eml_read.read_zip(path, most)
        case "postern":
            with _unpacked(path) as export:
                yield from _read_export(export, inbox, most)
        case _:
            raise BadSource(f"{source.kind} is not on disk")


def read_mboxes(root: Path, most: int) -> Iterator[Item]:
    """Every mbox below a directory: an export's, which names its folders, or Thunderbird's (``Name.sbd``)."""
    named = _json(root / MBOXES)
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file() or eml_read.is_eml(path.name) or not is_mbox(path):
            continue
        inside = path.relative_to(root).as_posix()
        said = named.get(inside)
        if isinstance(said, dict) and isinstance(said.get("name"), str) and said.get("role") in ROLES:
            yield from read_mbox(path, said["name"], said["role"], most)
            continue
        above = [one.removesuffix(".sbd") for one in Path(inside).parent.parts]
        folder, role = folder_of(path)
        yield from read_mbox(path, "/".join([*above, folder]), "other" if above else role, most)


def _read_export(root: Path, inbox: str | None, most: int) -> Iterator[Item]:
    if _json(root / EXPORT).get("format") != "postern-export":
        raise BadSource(f"{root} is no export of Postern")
    held = sorted(one.name for one in (root / "inboxes").iterdir()) if (root / "inboxes").is_dir() else []
    if inbox is None and len(held) != 1:
        raise BadSource(f"say which inbox of the export, with --source-inbox: {', '.join(held[:20])}")
    name = inbox or held[0]
    if name not in held:
        raise BadSource(f"the export holds no inbox {name}: it holds {', '.join(held[:20])}")
    mail = root / "inboxes" / name / "mail"
    yield from read_maildir(mail) if is_maildir(mail) else read_mboxes(mail, most)


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix=".postern-", dir=path.parent) as place:
        try:
            unpack(path, Path(place))
        except ArchiveError as error:
            raise BadSource(f"{path} cannot be read as an export: {error}") from error
        yield Path(place)


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
