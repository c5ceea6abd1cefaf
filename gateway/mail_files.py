"""Where the mail server's files are when the data directory itself will not do.

Usually it is the data directory. Dovecot's and Postfix's configurations cannot hold blanks and quotes in a path:
such a directory is reached through a symbolic link with a plain name. And as root the mail belongs to another
user, who must be able to pass every directory above it: in the development profile a closed place (below /root,
or a temporary directory) moves the mail to ``/var/lib/postern``, with a link to it in the data directory.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from pathlib import Path

from mailserver.base import MailServerError
from mailserver.machine import check_reachable, mail_user

log = logging.getLogger("postern.mail")

PLAIN = re.compile(r"[A-Za-z0-9@%+=:,./_-]+")
STATE = Path("/var/lib/postern")
LINK = "mail-server"


def mail_directory(data_dir: Path, *, development: bool) -> Path:
    """The directory to give the mail server; made if need be. Raises MailServerError, OSError."""
    place = data_dir
    if os.geteuid() == 0 and development and not _passable(data_dir):
        place = STATE / f"data-{_digest(data_dir)}"
        STATE.mkdir(mode=0o755, exist_ok=True)
        place.mkdir(mode=0o711, exist_ok=True)
        link = data_dir / LINK
        if not link.is_symlink():
            link.symlink_to(place)
        log.info("%s is closed to the mail server's user: the mail is kept in %s", data_dir, place)
    return place if PLAIN.fullmatch(str(place)) else _alias(place)


def _passable(data_dir: Path) -> bool:
    try:
        check_reachable(data_dir, mail_user(None)[0])
    except MailServerError:
        return False
    return True


def _alias(path: Path) -> Path:
    """A symbolic link to ``path`` with a plain and stable name; only we may change it."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    base = Path("/run" if os.geteuid() == 0 else runtime if PLAIN.fullmatch(runtime) else "/tmp")  # noqa: S108
    link = base / f"postern-{os.geteuid()}-{_digest(path)}.data"
    try:
        link.symlink_to(path)
    except FileExistsError:
        # in a shared directory someone else could have put another link there first
        if not link.is_symlink() or link.lstat().st_uid != os.geteuid() or link.readlink() != path:
            raise MailServerError(f"{link} is in the way of a link to {path}: remove it") from None
    return link


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
