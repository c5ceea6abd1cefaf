"""What the administrator chose. Kept (without secrets) in the manifest: a later run needs only what changes."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from mailserver.addresses import fold_domain
from mailserver.base import MailServerError

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_MAILBOX = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]+")
_LOCAL = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")

_CERTIFICATES = "--proxy caddy, or --certbot EMAIL, or --tls-cert FILE --tls-key FILE, or --self-signed"
_WAYS = ("--dns-", "--nginx", "--apache", "--webroot", "--standalone", "--manual", "--authenticator", "-a")
"""Arguments of certbot's that say how the domain is proved."""
SMARTHOST_TLS = ("none", "starttls", "implicit")


class BadAnswer(Exception):
    """An answer does not do: which flag, what was wrong, what it takes."""

    def __init__(self, flag: str, message: str) -> None:
        super().__init__(f"{flag}: {message}")
        self.flag = flag
        self.message = message


class Answers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All choices but the secrets. An empty text means: not chosen."""

    domain: str = ""
    hostname: str = ""
    addresses: tuple[str, ...] = ()
    """Public addresses of the server, for the DNS zone."""
    tls: Literal["files", "certbot", "self-signed", "proxy", ""] = ""
    """Where the certificate comes from; ``proxy``: Caddy's own, for mail too."""
    tls_cert: str = ""
    tls_key: str = ""
    certbot_email: str = ""
    certbot_webroot: str = ""
    certbot_arguments: tuple[str, ...] = ()
    smarthost: str = ""
    smarthost_profile: str = ""
    smarthost_user: str = ""
    smarthost_tls: str = ""
    postgresql: bool = False
    """The database is PostgreSQL; its URL is a secret and lives in the credentials."""
    instead: bool = False
    mail_address: str = ""
    smtp_port: int = 25
    http_host: str = "127.0.0.1"
    http_port: int = 8025
    unix_socket: bool = False
    public_url: str = ""
    proxy: Literal["caddy", "nginx", "none", ""] = ""
    inbox: str = ""
    start: bool = True
    open_firewall: bool = False
    backup_mail: bool | None = None
    """Whether the nightly backup holds the mail, too; None: not chosen, and it does not."""
    settings: dict[str, Any] = {}
    """Further settings for postern.toml, by dotted name."""
    credentials: tuple[str, ...] = ()
    """Names of further credentials."""


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What goes into ``/etc/postern/credentials``; None: as it was."""

    smarthost_password: str | None = None
    database: str | None = None
    further: dict[str, str] = {}
    """Credentials by name, for settings that say ``@NAME``."""


def check(answers: Answers) -> Answers:
    """The answers in canonical form. Raises BadAnswer for the first that does not do."""
    if not answers.domain:
        raise BadAnswer("--domain", "the domain your mail is for, such as example.org")
    domain = host_name("--domain", answers.domain)
    hostname = host_name("--hostname", answers.hostname or f"mail.{domain}")
    if not answers.tls and answers.proxy == "caddy":
        answers = msgspec.structs.replace(answers, tls="proxy")
    if answers.tls == "proxy" and answers.proxy != "caddy":
        raise BadAnswer("--tls-cert", f"the certificate was Caddy's, which is left out now: {_CERTIFICATES}")
    if not answers.tls and answers.proxy == "nginx":
        raise BadAnswer(
            "--certbot",
            "nginx needs a certificate: --certbot EMAIL gets one through nginx and renews it, for mail too; or "
            "--tls-cert FILE --tls-key FILE",
        )
    if answers.tls == "certbot" and answers.proxy == "caddy" and not _without_port_80(answers):
        raise BadAnswer(
            "--certbot",
            "Caddy takes port 80, so certbot could not renew: leave --certbot out, then Caddy's certificate is used "
            "for mail too",
        )
    if not answers.tls:
        raise BadAnswer(
            "--tls-cert",
            f"a server needs a certificate: {_CERTIFICATES}",
        )
    if answers.tls == "files" and not (answers.tls_cert and answers.tls_key):
        raise BadAnswer("--tls-key", "--tls-cert and --tls-key go together")
    if answers.tls == "certbot" and not _MAILBOX.fullmatch(answers.certbot_email):
        raise BadAnswer("--certbot", f"takes your mail address, not {answers.certbot_email!r}")
    if answers.smarthost and not _port_of(answers.smarthost):
        raise BadAnswer("--smarthost", f"takes HOST:PORT, not {answers.smarthost!r}")
    if answers.smarthost_tls and answers.smarthost_tls not in SMARTHOST_TLS:
        raise BadAnswer("--smarthost-tls", f"takes one of {', '.join(SMARTHOST_TLS)}")
    if answers.mail_address:
        _address("--mail-address", answers.mail_address)
    for port, flag in ((answers.smtp_port, "--smtp-port"), (answers.http_port, "--http-port")):
        if not 0 < port < 65536:
            raise BadAnswer(flag, f"takes a port from 1 to 65535, not {port}")
    if answers.http_host:
        _address("--http-host", answers.http_host)
    if answers.public_url:
        _url("--public-url", answers.public_url)
    inbox = _first_inbox(answers.inbox, domain)
    addresses = tuple(dict.fromkeys(_address("--public-address", one) for one in answers.addresses))
    return msgspec.structs.replace(
        answers, domain=domain, hostname=hostname, addresses=addresses, inbox=inbox
    )


def _first_inbox(name: str, domain: str) -> str:
    """The part before the @ of ``agent`` or ``agent@DOMAIN``. Raises BadAnswer."""
    local, at, of_address = name.partition("@")
    if at and host_name("--inbox", of_address) != domain:
        raise BadAnswer(
            "--inbox",
            f"the first inbox is on {domain}, not {of_address}: give agent or agent@{domain} here, and add inboxes "
            "on other domains after set-up (postern domain add, postern inbox create)",
        )
    if name and not _LOCAL.fullmatch(local):
        raise BadAnswer("--inbox", f"takes a name such as agent, or agent@{domain}, not {name!r}")
    return local


def own_way(answers: Answers) -> bool:
    """Whether the further arguments for certbot say how the domain is proved."""
    return any(one.startswith(_WAYS) for one in answers.certbot_arguments)


def _without_port_80(answers: Answers) -> bool:
    return own_way(answers) or bool(answers.certbot_webroot)


def host_name(flag: str, text: str) -> str:
    """A fully qualified name, folded. Raises BadAnswer."""
    try:
        name = fold_domain(text.strip().rstrip("."))
    except MailServerError as error:
        raise BadAnswer(flag, f"{text!r} is not a domain name: {error}") from error
    labels = name.split(".")
    if len(labels) < 2 or len(name) > 253 or not all(_LABEL.fullmatch(one) for one in labels):
        raise BadAnswer(flag, f"takes a full domain name such as example.org, not {text!r}")
    return name


def _port_of(text: str) -> int:
    match = _HOST_PORT.fullmatch(text)
    port = int(match[2]) if match else 0
    return port if port < 65536 else 0


def _address(flag: str, text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise BadAnswer(flag, f"takes an IP address, not {text!r}") from None


def _url(flag: str, text: str) -> None:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
    except ValueError:
        good = False
    if not good:
        raise BadAnswer(flag, f"takes https://HOST, not {text!r}")
