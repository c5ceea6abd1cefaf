"""What a mail client gets when it asks for the settings of an address: servers, ports and how they are secured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from gateway.core.context import Core
from gateway.core.domains.records import hostname_of
from gateway.published_ports import outside_port
from gateway.records.domains import Domain
from gateway.settings import Settings
from gateway.store.queries.domains import unscoped_proven_domain
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError


@dataclass(frozen=True, slots=True)
class ClientService:
    """A server for mail clients; the login is the whole address."""

    kind: Literal["imap", "smtp"]
    host: str
    port: int
    security: Literal["tls", "starttls", "plain"]


def client_services(settings: Settings) -> list[ClientService]:
    """What is offered, best first: TLS from the start (RFC 8314 §3), then STARTTLS; without a certificate neither."""
    mail, host = settings.mail, hostname_of(settings)
    secure = bool(mail.tls_cert)
    later: Literal["starttls", "plain"] = "starttls" if secure else "plain"
    found = [
        ClientService("imap", host, mail.imaps_port if secure else 0, "tls"),
        ClientService("imap", host, mail.imap_port, later),
        ClientService("smtp", host, mail.submissions_port if secure else 0, "tls"),
        ClientService("smtp", host, mail.submission_port, later),
    ]
    outside = [replace(one, port=outside_port(mail, one.port)) for one in found]
    return [one for one in outside if one.port]


async def our_domain(core: Core, name: str) -> Domain | None:
    """A domain that is ours by proof; None for every other name."""
    try:
        folded = fold_domain(name)
    except MailServerError:
        return None
    return await core.store.read(lambda tx: unscoped_proven_domain(tx, folded))
