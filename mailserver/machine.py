"""What the mail servers ask of the machine: a user for the mail, short paths, secrets, deletion."""

from __future__ import annotations

import asyncio
import grp
import hashlib
import logging
import os
import pwd
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mailserver.base import Endpoint, MailServerError

log = logging.getLogger(__name__)


def is_loopback(bind: str) -> bool:
    return bind == "localhost" or bind == "::1" or bind.startswith("127.")


def gateway_host(bind: str) -> str:
    """Where a client on this machine reaches a service that listens at ``bind`` (``*``: everywhere)."""
    return {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104


def has_ipv6() -> bool:
    """Whether the kernel knows IPv6 (not after ``ipv6.disable=1``). Without, nothing can listen at ``::``."""
    try:
        socket.socket(socket.AF_INET6).close()
    except OSError:
        return False
    return True


async def answers(end: Endpoint, greeting: bytes, timeout: float = 1.0) -> bool:
    """Whether a service greets with ``greeting`` within ``timeout`` seconds."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(end.host, end.port)
            try:
                return (await reader.readline()).startswith(greeting)
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError):
        return False


def mail_user(wanted: str | None) -> tuple[str, str]:
    me = os.geteuid()
    if me != 0:
        try:
            user = pwd.getpwuid(me)
        except KeyError:
            raise MailServerError(
                f"user {me} has no name on this machine, and Dovecot needs one: run Postern as a user of the system"
            ) from None
        return user.pw_name, grp.getgrgid(os.getegid()).gr_name
    for name in [wanted] if wanted else ["postern", "vmail", "dovecot", "nobody"]:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        if user.pw_uid != 0:
            return user.pw_name, grp.getgrgid(user.pw_gid).gr_name
    raise MailServerError("Dovecot refuses to keep mail as root: create a user 'postern' or set mail_user")


def check_reachable(data: Path, user: str) -> None:
    """Every directory above the mail must let its user pass."""
    who = pwd.getpwnam(user)
    for path in (data, *data.parents):
        info = path.stat()
        mode = stat.S_IXUSR if info.st_uid == who.pw_uid else stat.S_IXOTH
        if info.st_gid == who.pw_gid and info.st_uid != who.pw_uid:
            mode = stat.S_IXGRP
        if not info.st_mode & mode:
            raise MailServerError(
                f"user {user} (who keeps the mail when Postern runs as root) cannot pass {path}: "
                f"chmod o+x it, or choose another data directory"
            )


def run_dir_for(data: Path) -> Path:
    """Below the data directory, unless its path is too long for unix sockets."""
    if len(str(data)) <= 60:
        return data / "run"
    name = hashlib.sha256(str(data).encode()).hexdigest()[:16]
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")  # noqa: S108
    path = base / f"postern-{os.geteuid()}-{name}"
    path.mkdir(mode=0o755, exist_ok=True)
    if path.is_symlink() or (path.stat().st_uid != os.geteuid() and os.geteuid() != 0):
        raise MailServerError(f"{path} is not ours; set run_dir")
    return path


def erase_tree(home: Path) -> None:
    """Delete the tree; once more while a delivery in progress still writes into it."""

    def missing(_function: Callable[..., Any], _path: str, info: Any) -> None:
        if not isinstance(info[1], FileNotFoundError):
            raise info[1]

    for _ in range(50):
        if not home.exists():
            return
        try:
            shutil.rmtree(home, onerror=missing)
        except OSError as error:
            log.info("deleting %s again: %s", home.name, error)
    if home.exists():
        raise MailServerError(f"cannot delete {home}")
