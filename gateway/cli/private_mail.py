"""The mail server of a command that reads or fills mailboxes while no gateway runs."""

from __future__ import annotations

import msgspec

from gateway.settings import Settings


def own_mail_server(settings: Settings) -> Settings:
    """Settings with a Dovecot of the command's own on the same mailboxes, for the time of the command.

    It listens on this machine only, on ports that are free, so that no mail comes in, no person gets in, and ports
    that others have taken do not matter. It needs no root and no unit of systemd.
    """
    mail = msgspec.structs.replace(
        settings.mail,
        server="embedded",
        manage=True,
        host="127.0.0.1",
        smtp_port=0,
        submission_port=0,
        imap_port=0,
        run_dir="",
        tls_cert="",
        tls_key="",
        push=False,
    )
    return msgspec.structs.replace(settings, mail=mail)


def private_mail_server(settings: Settings) -> Settings:
    """The same where the gateway runs the mail server itself; one that systemd runs is read as it is, by IMAP."""
    mail = settings.mail
    if mail.server == "embedded" or mail.manage:
        return own_mail_server(settings)
    return msgspec.structs.replace(settings, mail=msgspec.structs.replace(mail, push=False))
