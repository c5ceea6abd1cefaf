"""What Postern wants of its Dovecot, whatever the version, and where the files are.

What lives where, below ``data``: ``dovecot/`` the rendered configuration and logs, ``mail/`` one home for each
mailbox (fsynced by Dovecot before its LMTP 250), ``lookup/`` the rows of :mod:`mailserver.directory`. Sockets
and the pid file are in ``run``, whose path must be short (108 bytes for a unix socket, unix(7)).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mailserver.lookup import Lookup

MailboxFormat = Literal["sdbox", "maildir"]
MASTER = "postern"
SUBMITTER = "postern-submit"

CONNECTIONS_PER_PERSON = 50
"""IMAP connections of one mailbox from one address: several programs of several people behind one router."""

_PUSH_PLUGINS = ("notify", "push_notification", "mail_lua", "push_notification_lua")


def lookup_path(data: Path) -> Path:
    """Where :class:`mailserver.directory.Directory` keeps its rows: in a directory of its own, since its readers
    (group postfix) may enter that and nothing else."""
    return data / "lookup" / "lookup.db"


@dataclass(frozen=True, slots=True)
class DovecotConfig:
    """What the templates are filled with. Paths are absolute and free of blanks and quotes."""

    data: Path
    run: Path
    hostname: str
    user: str
    group: str
    imap_port: int
    lookup: Lookup
    bind: str = "127.0.0.1"
    imaps_port: int = 0
    sieve_port: int = 0
    mailbox_format: MailboxFormat = "sdbox"
    quota: int = 0
    postfix: Path | None = None  # the configuration of the Postfix that sends what filters send
    push_url: str | None = None
    logins_url: str | None = None  # where Dovecot asks how long a login has to wait
    keys_url: str | None = None  # where Dovecot asks whether a password is an API key
    socket_group: str | None = None  # who besides us may speak to the LMTP and SASL sockets
    sasl: bool = False
    plain_auth: bool = False  # passwords without TLS from beyond loopback
    tls_cert: Path | None = None
    tls_key: Path | None = None
    syslog: bool = False
    master_secret: str = field(default="", repr=False)
    submit_secret: str = field(default="", repr=False)  # Postfix only: the gateway's own SASL login

    @property
    def etc(self) -> Path:
        return self.data / "dovecot"

    @property
    def mail(self) -> Path:
        return self.data / "mail"

    @property
    def file(self) -> Path:
        return self.etc / "dovecot.conf"

    @property
    def lmtp_socket(self) -> Path:
        return self.run / "lmtp"

    @property
    def sent_socket(self) -> Path:
        return self.run / "lmtp-sent"

    # -- what follows from it for every version ------------------------------------------------------

    @property
    def has_tls(self) -> bool:
        return self.tls_cert is not None and self.tls_key is not None

    @property
    def has_filters(self) -> bool:
        """Whether people have Sieve scripts of their own."""
        return bool(self.sieve_port)

    @property
    def push_plugins(self) -> tuple[str, ...]:
        """The plugins behind the push notification, none without ``push_url``."""
        return _PUSH_PLUGINS if self.push_url else ()

    @property
    def delivery_plugins(self) -> tuple[str, ...]:
        """The plugins of an ordinary delivery by LMTP."""
        return (*self.push_plugins, "quota", *(("sieve",) if self.has_filters else ()))

    @property
    def sent_plugins(self) -> tuple[str, ...]:
        """The plugins of the LMTP that files copies into Sent. No quota: such a copy shows that the mail was sent."""
        return (*self.push_plugins, "sieve")

    @property
    def imap_plugins(self) -> tuple[str, ...]:
        return (*self.push_plugins, "quota", "imap_quota")
