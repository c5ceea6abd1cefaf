"""People's mail filters (Sieve scripts, vacation answers among them) in a backup: one file, ``filters.json``.

They are in each mailbox's home, as Pigeonhole keeps them: ``sieve/NAME.sieve``, and ``.dovecot.sieve``, a link to the
one that is active. On a mail host beside the gateway's there are none to read here.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from gateway.backup.records import BackupError
from mailserver.lookup_storage import Rows

NAME = "filters.json"
_SCRIPTS, _ACTIVE, _SUFFIX = "sieve", ".dovecot.sieve", ".sieve"


class Filters(msgspec.Struct, frozen=True):
    """Of one mailbox: scripts by name, and which of them is active (empty: none)."""

    scripts: dict[str, bytes]
    active: str = ""


def copy(mail: Path, rows: Rows, target: Path) -> int:
    """Write the filters of the mailboxes ``rows``, whose homes are below ``mail``, into the new file ``target``, if
    there are any; answers of how many mailboxes. Blocks. Raises OSError."""
    found = {address: held for address, home, *_ in rows.mailboxes if (held := _read(mail / home)).scripts}
    if found:
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(msgspec.json.encode(found))
    return len(found)


def filters_in(folder: Path) -> dict[str, Filters]:
    """The filters in an opened backup, by mailbox. Blocks. Raises BackupError."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=dict[str, Filters])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(f"{NAME} cannot be read: {error}") from error


def put_back(held: dict[str, Filters], rows: Rows, mail: Path) -> int:
    """Put filters into the homes of their mailboxes, with the owner of ``mail``; answers of how many. Blocks.

    Raises BackupError for a script whose name is no file's, OSError.
    """
    homes = {address: home for address, home, *_ in rows.mailboxes}
    for address, one in held.items():
        if address not in homes:
            raise BackupError(f"{NAME}: there is no mailbox {address} for its filters")
        _write(mail / homes[address], one, mail.stat())
    return len(held)


def _read(home: Path) -> Filters:
    folder, link = home / _SCRIPTS, home / _ACTIVE
    if not folder.is_dir():
        return Filters({})
    files = [one for one in sorted(folder.glob(f"*{_SUFFIX}")) if one.is_file() and not one.is_symlink()]
    scripts = {one.name.removesuffix(_SUFFIX): one.read_bytes() for one in files}
    active = os.path.basename(os.readlink(link)).removesuffix(_SUFFIX) if link.is_symlink() else ""
    return Filters(scripts, active if active in scripts else "")


def _write(home: Path, held: Filters, owner: os.stat_result) -> None:
    folder, link = home / _SCRIPTS, home / _ACTIVE
    made = [one for one in (home, folder) if not one.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in held.scripts.items():
        if not name or "/" in name or "\0" in name or name.startswith("."):
            raise BackupError(f"{NAME}: {name!r} is no name of a filter")
        file = folder / f"{name}{_SUFFIX}"
        file.write_bytes(text)
        file.chmod(0o600)
        made.append(file)
    if held.active and not link.is_symlink():
        link.symlink_to(f"{_SCRIPTS}/{held.active}{_SUFFIX}")
        made.append(link)
    if os.geteuid() == 0:
        for one in made:
            os.chown(one, owner.st_uid, owner.st_gid, follow_symlinks=False)
