"""Looks for an address in the files of the data directory, in a process of its own (``erase_files_main``).

The databases are among them. A process that closes any file descriptor of a SQLite database loses the locks of its own
connections to it (POSIX advisory locks); another process may then cut the write-ahead log under them, and the gateway
would read a malformed database.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from gateway.core.errors import Unavailable
from gateway.transfer.erase_find import Person

_MAIN = "gateway.transfer.erase_files_main"


class Search(msgspec.Struct):
    """What the process looks for."""

    root: str
    address: str
    mail: bool


async def files_holding(root: Path, person: Person, *, mail: bool) -> list[str]:
    """The files below ``root`` that hold the person's address; those of mailboxes only with ``mail``.

    Raises Unavailable when they could not be searched.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", _MAIN,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={
            "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
            "PATH": os.environ.get("PATH", ""),
            "LANG": "C.UTF-8",
        },
    )  # fmt: skip
    wanted = Search(str(root), person.address, mail)
    try:
        said, _ = await child.communicate(msgspec.json.encode(wanted))
    finally:
        if child.returncode is None:  # nobody waits for it any more
            child.kill()
            await child.wait()
    if child.returncode:
        raise Unavailable("the files could not be searched for what is left", fix="run the command again")
    return msgspec.json.decode(said, type=list[str])
