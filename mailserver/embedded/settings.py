"""Settings of the embedded mail server, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailserver.base import Tls
from mailserver.pace import Pace
from mailserver.private_dovecot import DovecotSettings
from mailserver.smtp_client import Timeouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Smarthost:
    """A relay that takes all mail for the outside."""

    host: str
    port: int = 587
    tls: Tls = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Which name servers to ask; empty: those of the system. ``timeout`` in seconds a question."""

    nameservers: tuple[str, ...] = ()
    port: int = 53
    timeout: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of the SMTP listeners.

    ``connections_per_address``: of one IPv4 address or IPv6 /64 (twice as many of a /48), and of one logged-in mailbox.
    ``newcomers``: of ``connections``, those that only clients take who have none yet. ``login_seconds``: how long a
    submission session may last without a login. ``pace``: how slow mail data may come.
    """

    message_size: int = 50 * 1024 * 1024
    recipients: int = 100
    connections: int = 500
    connections_per_address: int = 50
    newcomers: int = 100
    login_seconds: float = 60.0
    pace: Pace = field(default_factory=Pace)
    hops: int = 50  # Received fields, RFC 5321 §6.3
    command_timeout: float = 300.0
    deliveries: int = 20  # LMTP transactions at once


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings(DovecotSettings):
    """Everything of :class:`mailserver.embedded.EmbeddedServer`.

    Ports of 0 take any free one. ``allow_private_mx`` lets outgoing mail connect to loopback and private
    addresses (tests, closed networks); ``mx_port`` is 25 but for tests.
    ``verify`` checks SPF, DKIM, DMARC and ARC of incoming mail and says so in Authentication-Results.
    ``trusted_sealers``: domains of forwarders whose ARC seals are believed.
    """

    smtp_port: int = 0
    submission_port: int = 0
    smarthost: Smarthost | None = None
    resolver: Resolver = Resolver()
    limits: Limits = Limits()
    allow_private_mx: bool = False
    mx_port: int = 25
    mx_connections: int = 8  # at once to one host
    verify: bool = False
    trusted_sealers: tuple[str, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
