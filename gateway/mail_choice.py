"""Which mail server stands under the gateway, made from the settings."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.mail_place import mail_directory
from gateway.settings import BadSettings, Settings
from mailserver.base import MailServer
from mailserver.embedded import EmbeddedServer, EmbeddedSettings
from mailserver.embedded.settings import Limits, Resolver, Smarthost
from mailserver.postfix_dovecot import PostfixServer, PostfixSettings

_HOST_PORT = re.compile(r"\[?([^\[\]\s/]+?)\]?:([0-9]{1,5})")


def make_mail_server(settings: Settings, data_dir: Path) -> MailServer:
    """The mail server of ``mail.server``; nothing is started yet. Raises BadSettings."""
    mail = settings.mail
    hostname = mail.hostname or f"mail.{mail.domain}"
    development = settings.profile == "development"
    directory = mail_directory(data_dir, development=development)
    if mail.server == "postfix_dovecot":
        return PostfixServer(
            PostfixSettings(
                data_dir=directory,
                hostname=hostname,
                bind=mail.host,
                imap_port=mail.imap_port,
                smtp_port=mail.smtp_port,
                submission_port=mail.submission_port,
                mailbox_format=mail.mailbox_format,
                push=mail.push,
                insecure_dev=development,
                manage=mail.manage,
                smarthost=_smarthost(settings),
                message_size=mail.max_message,
            )
        )
    return EmbeddedServer(
        EmbeddedSettings(
            data_dir=directory,
            hostname=hostname,
            bind=mail.host,
            imap_port=mail.imap_port,
            smtp_port=mail.smtp_port,
            submission_port=mail.submission_port,
            mailbox_format=mail.mailbox_format,
            push=mail.push,
            insecure_dev=development,
            smarthost=_smarthost(settings),
            resolver=Resolver(
                nameservers=tuple(settings.dns.nameservers),
                port=settings.dns.port,
                timeout=settings.dns.timeout,
            ),
            limits=Limits(message_size=mail.max_message),
            allow_private_mx=mail.allow_private_relay,
            verify=mail.verify_authentication,
        )
    )


def _smarthost(settings: Settings) -> Smarthost | None:
    mail = settings.mail
    if not mail.smarthost:
        return None
    match = _HOST_PORT.fullmatch(mail.smarthost)
    if match is None or not 0 < int(match[2]) < 65536:
        raise BadSettings(f"mail.smarthost takes host:port, not {mail.smarthost!r}")
    return Smarthost(
        host=match[1],
        port=int(match[2]),
        tls=mail.smarthost_tls,
        user=mail.smarthost_user,
        password=mail.smarthost_password,
    )
