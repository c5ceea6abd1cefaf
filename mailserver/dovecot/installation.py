"""Which Dovecot is installed here, and whether everything of it is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from mailserver.base import MailServerError
from mailserver.dovecot.dialect import Dialect
from mailserver.dovecot.dovecot_2_3 import Dovecot23
from mailserver.dovecot.dovecot_2_4 import Dovecot24

_SYSTEMS = "Debian 12 and 13, Ubuntu 24.04 and 26.04 have one that fits"


def dovecot_binary() -> str:
    """Path of the dovecot master. Raises MailServerError naming the packages when there is none."""
    found = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise MailServerError(
            "dovecot is not installed: apt install dovecot-imapd dovecot-lmtpd dovecot-sqlite dovecot-sieve"
        )
    return found


def installed_version() -> str:
    """What ``dovecot --version`` prints, such as ``2.4.1-4 (7d8c0e5759)``. Blocks. Raises MailServerError."""
    done = subprocess.run([dovecot_binary(), "--version"], capture_output=True, text=True, timeout=10)
    return done.stdout.strip()


def dialect_for(version: str) -> Dialect:
    """How to write the configuration of this version.

    ``version`` may be the output of ``dovecot --version`` or a package's version without its epoch.
    Raises MailServerError with the way out where Postern does not know the version.
    """
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    if not found:
        raise MailServerError(
            f"dovecot --version answers {version!r}, which is no version: install Dovecot 2.3 or 2.4"
        )
    number = tuple(int(part or 0) for part in found.groups())
    if number < (2, 3):
        raise MailServerError(f"Dovecot {found[0]} is too old: Postern needs 2.3 or 2.4; {_SYSTEMS}")
    if number < (2, 4):
        return Dovecot23()
    if number < (2, 4, 1):
        raise MailServerError(f"Dovecot {found[0]} cannot be used: install 2.4.1 or newer; {_SYSTEMS}")
    if number < (2, 5):
        return Dovecot24()
    raise MailServerError(
        f"Dovecot {found[0]} is newer than this Postern knows: upgrade Postern, or install Dovecot 2.4"
    )


def check_installation(lookup_driver: str = "sqlite", *, sieve: bool = False) -> Dialect:
    """How to write the installed version's configuration, after a check of version and packages.

    ``lookup_driver``: sqlite or pgsql. ``sieve``: people manage filters. Blocks. Raises MailServerError.
    """
    dialect = dialect_for(installed_version())
    programs = Path("/usr/lib/dovecot")
    needed = {
        "imap": "dovecot-imapd",
        "lmtp": "dovecot-lmtpd",
        f"modules/auth/libdriver_{lookup_driver}.so": f"dovecot-{lookup_driver}",
        "modules/lib90_sieve_plugin.so": "dovecot-sieve",
        "modules/lib22_push_notification_lua_plugin.so": "dovecot-core",
    }
    if sieve:
        needed["managesieve"] = "dovecot-managesieved"
    # elsewhere than on Debian the modules may lie elsewhere
    looked = (programs / "modules").is_dir()
    missing = [package for name, package in needed.items() if looked and not (programs / name).exists()]
    if missing:
        raise MailServerError("a Dovecot package is missing: apt install " + " ".join(missing))
    return dialect
