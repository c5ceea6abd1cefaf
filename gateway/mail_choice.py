"""The mail server under the gateway, made from the settings."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.configuration import BadSettings
from gateway.mail_files import PLAIN, mail_directory
from gateway.published_ports import outside_ports
from gateway.settings import Settings
from gateway.smarthost.profiles import profile_of, relay_of
from gateway.trusted_sealers import trusted_sealers
from mailserver.base import MailServer
from mailserver.disks import Disks
from mailserver.embedded import EmbeddedServer, EmbeddedSettings
from mailserver.embedded.settings import Limits, Resolver, Smarthost
from mailserver.inflight import InFlight
from mailserver.memory import Memory
from mailserver.pace import Pace
from mailserver.postfix_dovecot import PostfixServer, PostfixSettings

_HOST_PORT = re.compile(r"\[?([^\[\]\s/]+?)\]?:([0-9]{1,5})")


def make_mail_server(
    settings: Settings,
    data_dir: Path,
    *,
    attach: bool = False,
    inflight: InFlight | None = None,
    memory: Memory | None = None,
    disks: Disks | None = None,
) -> MailServer:
    """The mail server of ``mail.server``; nothing is started yet. Raises BadSettings.

    ``attach``: to one that another process of the gateway runs, or takes the notifications of. ``inflight``, ``memory``
    and ``disks``: what mail that comes in shares with requests.
    """
    mail = settings.mail
    if attach and (mail.server == "embedded" or mail.manage) and not mail.imap_port:
        raise BadSettings("without the role mail, mail.imap_port must say where the mail server is")
    if mail.server == "postfix_dovecot":
        if attach and mail.manage:
            raise BadSettings(
                "without the role mail, Postfix and Dovecot must be run by systemd: set mail.manage = false"
            )
        return PostfixServer(replace(postfix_settings(settings, data_dir), hear=not attach))
    embedded = replace(_embedded(settings, data_dir), manage=not attach, hear=not attach)
    return EmbeddedServer(embedded, inflight, memory, disks)


def disks_of(settings: Settings, data_dir: Path) -> Disks:
    """The file systems of everything that the gateway and its mail server write."""
    places = {"data": data_dir, "mail": data_dir / "mail"}
    if settings.mail.postfix_spool:
        places["queue"] = Path(settings.mail.postfix_spool)
    return Disks(places, settings.limits.disk_free)


def postfix_settings(settings: Settings, data_dir: Path) -> PostfixSettings:
    """What Postfix and Dovecot are set to. Raises BadSettings, MailServerError."""
    mail = settings.mail
    production = settings.profile == "production"
    own: dict[str, Any] = {}
    if not mail.manage:  # only what others start needs a place and ports that are known beforehand
        own = {
            "gateway_port": mail.gateway_port,
            "doorbell_port": mail.doorbell_port,
            "sieve_port": mail.sieve_port,
            "syslog": True,
        }
    return PostfixSettings(
        **_shared(settings, data_dir),
        **own,
        manage=mail.manage,
        run_dir=_path("mail.run_dir", mail.run_dir),
        postfix_dir=_path("mail.postfix_dir", mail.postfix_dir),
        postfix_spool=_path("mail.postfix_spool", mail.postfix_spool),
        postfix_data=_path("mail.postfix_data", mail.postfix_data),
        milter=mail.milter,
        message_size=mail.max_message,
        min_free=settings.limits.disk_free,
        strict=production,
    )


def _embedded(settings: Settings, data_dir: Path) -> EmbeddedSettings:
    mail = settings.mail
    return EmbeddedSettings(
        **_shared(settings, data_dir),
        run_dir=_path("mail.run_dir", mail.run_dir),
        resolver=Resolver(
            nameservers=tuple(settings.dns.nameservers),
            port=settings.dns.port,
            timeout=settings.dns.timeout,
        ),
        limits=Limits(message_size=mail.max_message, pace=Pace(settings.limits.slowest_upload)),
        allow_private_mx=mail.allow_private_relay,
        verify=mail.verify_authentication,
        trusted_sealers=trusted_sealers(settings),
    )


def _shared(settings: Settings, data_dir: Path) -> dict[str, Any]:
    mail = settings.mail
    if bool(mail.tls_cert) != bool(mail.tls_key):
        raise BadSettings("mail.tls_cert and mail.tls_key go together: set both or neither")
    return {
        "data_dir": _place(settings, data_dir),
        "hostname": mail.hostname or f"mail.{mail.domain}",
        "bind": mail.host,
        "imap_port": mail.imap_port,
        "imaps_port": mail.imaps_port,
        "smtp_port": mail.smtp_port,
        "submission_port": mail.submission_port,
        "submissions_port": mail.submissions_port,
        "outside_ports": outside_ports(mail),
        "tls_cert": _path("mail.tls_cert", mail.tls_cert),
        "tls_key": _path("mail.tls_key", mail.tls_key),
        "mailbox_format": mail.mailbox_format,
        "quota": mail.quota,
        "push": mail.push,
        "key_logins": mail.key_logins,
        "lookup_url": lookup_url(settings),
        "lookup_reader_url": mail.lookup_reader_url if mail.lookup == "postgresql" else "",
        "insecure_dev": settings.profile == "development",
        "smarthost": smarthost_of(settings),
    }


def lookup_url(settings: Settings) -> str:
    """The PostgreSQL database of the lookup tables; empty: they are in SQLite. Raises BadSettings."""
    if settings.mail.lookup == "sqlite":
        return ""
    url = settings.mail.lookup_url or settings.database.url
    if not url.startswith(("postgresql://", "postgres://")):
        raise BadSettings(
            'mail.lookup = "postgresql" needs mail.lookup_url = postgresql://USER:PASSWORD@HOST/NAME, '
            "or such a database.url"
        )
    return url


def _place(settings: Settings, data_dir: Path) -> Path:
    if settings.mail.server == "embedded" or settings.mail.manage:
        return mail_directory(data_dir, development=settings.profile == "development")
    # daemons that others start must find it at this very path, whoever asks
    if not PLAIN.fullmatch(str(data_dir)):
        raise BadSettings(
            f"data_dir {str(data_dir)!r}: with mail.manage = false it takes a path without blanks"
        )
    return data_dir


def _path(name: str, text: str) -> Path | None:
    """A path setting; None when it is empty. Raises BadSettings for one that is not absolute."""
    if not text:
        return None
    path = Path(text)
    if not path.is_absolute():
        raise BadSettings(f"{name} takes an absolute path, not {text!r}")
    return path


def smarthost_of(settings: Settings) -> Smarthost | None:
    """The relay that takes all mail for the outside; None: direct delivery. Raises BadSettings."""
    mail, profile = settings.mail, profile_of(settings)
    relay = relay_of(settings)
    if not relay:
        return None
    match = _HOST_PORT.fullmatch(relay)
    if match is None or not 0 < int(match[2]) < 65536:
        raise BadSettings(f"mail.smarthost takes host:port, not {relay!r}")
    return Smarthost(
        host=match[1],
        port=int(match[2]),
        tls=mail.smarthost_tls,
        user=mail.smarthost_user or (mail.smarthost_password if profile.user_is_password else ""),
        password=mail.smarthost_password,
    )
