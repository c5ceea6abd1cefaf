"""Settings of a Dovecot that has nothing to do with Postern's own, in the words of the version that is installed."""

from __future__ import annotations

from pathlib import Path

from mailserver.dovecot import dialect_for, installed_version


def maildir_settings(path: Path) -> str:
    """The beginning of a ``dovecot.conf`` whose mail is the Maildir at ``path``."""
    if _is_2_3():
        return f"mail_location = maildir:{path}\n"
    return (
        "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\n"
        f"mail_driver = maildir\nmail_path = {path}\n"
    )


def as_oneself() -> list[str]:
    """What a doveadm command is told to work on the mail of the user it runs as."""
    return [] if _is_2_3() else ["--no-userdb-lookup"]


def _is_2_3() -> bool:
    return dialect_for(installed_version()).version == "2.3"
