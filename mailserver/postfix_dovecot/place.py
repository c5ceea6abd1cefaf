"""Postfix and Dovecot that others run: everything about them that follows from the settings alone.

``postern mail render`` writes it, an attached gateway knows it, ``postern setup --dry-run`` shows it. The database
is never asked.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

from mailserver import dovecot
from mailserver.base import MailServerError
from mailserver.postfix_dovecot import render
from mailserver.postfix_dovecot.config import (
    USER,
    PostfixSettings,
    check_installation,
    fixed_ports,
    postfix_binary,
)
from mailserver.private_dovecot import PrivateDovecot
from mailserver.rendering import Rendered
from mailserver.server_key import ServerKey, server_key

Daemon = Literal["dovecot", "postfix"]


def private_dovecot(settings: PostfixSettings, *, make_key: bool = True) -> PrivateDovecot:
    """The Dovecot of these settings. Blocks. Raises MailServerError.

    ``make_key``: make ``server.key`` if there is none; otherwise it has a key that is kept nowhere.
    """
    fixed_ports(settings)
    path = settings.data_dir / "server.key"
    key = server_key(path) if make_key or path.exists() else ServerKey(secrets.token_bytes(32))
    return PrivateDovecot(settings, key, peer_group=USER, notifications_port=settings.doorbell_port)


def files(settings: PostfixSettings, daemon: Daemon, *, make_key: bool = True) -> list[Rendered]:
    """The daemon's configuration as it should be on disk. Blocks. Raises MailServerError for unfit settings."""
    if settings.manage:
        raise MailServerError("with mail.manage = true the gateway itself writes the daemons' configurations")
    if daemon == "dovecot":
        return private_dovecot(settings, make_key=make_key).rendered()
    ports = fixed_ports(settings)
    return render.rendered(settings, settings.run_dir or settings.data_dir / "run", ports)


def write(settings: PostfixSettings, daemon: Daemon) -> list[Rendered]:
    """Write it, and answer what was written. Blocks.

    Dovecot's as the user that the gateway runs as, Postfix's as root. Raises MailServerError.
    """
    wanted = files(settings, daemon)
    if not settings.lookup.postgresql:
        _make_tables(settings.lookup.path)
    if daemon == "postfix":
        check_installation(settings.lookup)
        render.write(settings, wanted)
        return wanted
    owner = settings.data_dir.stat().st_uid
    if os.geteuid() != owner:
        raise MailServerError(
            f"{settings.data_dir} belongs to user {owner}: render Dovecot's configuration as him"
        )
    dovecot.write(private_dovecot(settings).config, wanted)
    return wanted


def _make_tables(path: Path) -> None:
    """An empty file for the lookup tables, of the gateway's. Postfix opens it first as root, and SQLite would make it
    root's own, where the gateway could not write."""
    if not path.parent.is_dir():
        raise MailServerError(
            f"there is no {path.parent}: make it for the gateway's user, group {USER}, mode 2750"
        )
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o640)
    except FileExistsError:
        return
    try:
        os.fchmod(file, 0o640)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(file, owner.st_uid, owner.st_gid)
    finally:
        os.close(file)


def check(settings: PostfixSettings, daemon: Daemon) -> list[Rendered]:
    """Have the daemon's own parser read the configuration, from copies; answers it. Changes nothing, so that a backup
    can still be restored. Blocks. Raises MailServerError."""
    wanted = files(settings, daemon, make_key=False)
    with tempfile.TemporaryDirectory(prefix="postern-check-") as scratch:
        for one in wanted:
            # files that name each other name the copies: those on disk may be older, or not be there yet
            text = (
                one.text.replace(f"{settings.config_dir}/", f"{scratch}/")
                if daemon == "postfix"
                else one.text
            )
            Rendered(Path(scratch) / one.path.name, text, one.mode).write()
        if daemon == "dovecot":
            commands = [["doveconf", "-n", "-c", f"{scratch}/dovecot.conf"]]
        else:
            tool = postfix_binary("postconf")
            commands = [[tool, "-c", scratch, "-n"], [tool, "-c", scratch, "-M"]]
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
            if done.returncode != 0 or done.stderr.strip():
                words = done.stderr.strip().replace(scratch, "…")[:800]
                raise MailServerError(f"{daemon} does not take this configuration: {words}")
    return wanted
