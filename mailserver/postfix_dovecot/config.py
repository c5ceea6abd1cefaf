"""Settings of Postfix in front of Dovecot, where its files are, and what it needs of the machine.

Postfix reads domains, recipients and sender bindings from the lookup database itself: no reload, and mail
keeps flowing while the gateway is down.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mailserver.base import MailServerError
from mailserver.embedded.settings import Smarthost
from mailserver.lookup import Lookup
from mailserver.ports import check_distinct
from mailserver.private_dovecot import DovecotSettings

USER = "postfix"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostfixSettings(DovecotSettings):
    """Everything of :class:`mailserver.postfix_dovecot.PostfixServer`.

    With ``manage`` we start both daemons as children (root) and ports of 0 take any free one; without it they
    are run by others (systemd), so every port, that of the notifications too, must be given. ``gateway_port`` is the
    gateway's own submission listener, on loopback only. ``strict``: refuse what a server on the Internet refuses
    (it asks DNS). ``milter`` is ``unix:PATH`` or ``inet:HOST:PORT``.
    ``min_free``: octets that must be free on the queue's disk (a twentieth of a smaller one), else mail is refused.
    """

    smtp_port: int = 0
    submission_port: int = 0
    gateway_port: int = 0
    postfix_dir: Path | None = None
    postfix_spool: Path | None = None
    postfix_data: Path | None = None
    smarthost: Smarthost | None = None
    message_size: int = 50 * 1024 * 1024
    min_free: int = 0
    milter: str = ""
    strict: bool = False
    submit_connections: int = 4

    @property
    def config_dir(self) -> Path:
        return (self.postfix_dir or self.data_dir / "postfix").absolute()

    @property
    def sends_by(self) -> Path | None:
        return self.config_dir

    @property
    def spool(self) -> Path:
        return (self.postfix_spool or self.config_dir / "spool").absolute()

    @property
    def state(self) -> Path:
        return (self.postfix_data or self.config_dir / "data").absolute()


@dataclass(frozen=True, slots=True)
class PostfixPorts:
    smtp: int
    submission: int
    submissions: int  # 0: closed
    gateway: int


def fixed_ports(settings: PostfixSettings) -> PostfixPorts:
    """The ports when others run the daemons.

    Raises MailServerError naming the setting that is missing, or the port that two services want.
    """
    needed = {
        "mail.smtp_port": settings.smtp_port,
        "mail.submission_port": settings.submission_port,
        "mail.gateway_port": settings.gateway_port,
        "mail.imap_port": settings.imap_port,
        "mail.doorbell_port": settings.doorbell_port or not settings.push,
        "mail.submissions_port": settings.submissions_port or not settings.has_tls,
        "mail.imaps_port": settings.imaps_port or not settings.has_tls,
    }
    missing = [name for name, port in needed.items() if not port]
    if missing:
        raise MailServerError(f"with mail.manage = false every port must be given: set {', '.join(missing)}")
    check_distinct([port for port in needed.values() if port is not True] + [settings.sieve_port])
    if settings.postfix_dir is None:
        raise MailServerError("with mail.manage = false set mail.postfix_dir, such as /etc/postern/postfix")
    return PostfixPorts(
        settings.smtp_port,
        settings.submission_port,
        settings.submissions_port if settings.has_tls else 0,
        settings.gateway_port,
    )


@cache
def postfix_binary(name: str = "postfix") -> str:
    """Path of a Postfix command. Raises MailServerError naming the packages when there is none."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if not found:
        raise MailServerError("postfix is not installed: apt install postfix postfix-sqlite")
    return found


def check_installation(lookup: Lookup) -> None:
    """Raise MailServerError for what is missing: rights, or a package."""
    postfix_binary()
    if os.geteuid() != 0:
        raise MailServerError("Postfix can only be started by root; use the embedded server otherwise")
    driver = lookup.map_type.removeprefix("proxy:")
    libraries = [Path(f"/usr/lib/postfix/{name}.so") for name in (f"postfix-{driver}", driver)]
    if libraries[0].parent.is_dir() and not any(one.exists() for one in libraries):
        raise MailServerError(f"a Postfix package is missing: apt install postfix-{driver}")


def check_owned_by_root(path: Path) -> None:
    """Refuse a directory that someone else could exchange: what is in it runs as root. Raises MailServerError."""
    for one in (path, *path.parents):
        try:
            info = one.stat()
        except FileNotFoundError:
            continue
        if info.st_uid != 0 or (info.st_mode & 0o022 and not info.st_mode & 0o1000):
            raise MailServerError(
                f"Postfix runs with root's rights what {path} says, and others than root may change {one}: "
                "choose a mail.postfix_dir such as /etc/postern/postfix"
            )


def check_passable(path: Path, user: str) -> None:
    """Postfix's own processes must reach what they read. Raises MailServerError."""
    for one in (path, *path.parents):
        if one.is_dir() and not one.stat().st_mode & 0o001:
            raise MailServerError(f"user {user} cannot pass {one}: chmod o+x {one}")
