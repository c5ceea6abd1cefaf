"""What a gateway in a container logs when it is ready."""

from __future__ import annotations

import logging

from gateway.core.context import Core
from gateway.published_ports import outside_port
from gateway.store.queries.keys import unscoped_any_user_key

log = logging.getLogger("postern.container")


async def log_ready(core: Core) -> None:
    """Log what an operator cannot see from outside: which ports are listened on, and what is still to be done."""
    mail = core.settings.mail
    ports = {"SMTP": mail.smtp_port, "submission": mail.submission_port}
    if mail.tls_cert:
        ports |= {"submission with TLS": mail.submissions_port, "IMAP with TLS": mail.imaps_port}
    listening = (f"{name} at {port}" + _published(outside_port(mail, port)) for name, port in ports.items())
    log.info("listening inside the container: %s", ", ".join(listening))
    if not mail.tls_cert:
        log.warning(
            "mail.tls_cert is not set: people's mail clients cannot log in, and mail from outside comes unencrypted"
        )
    if not await core.store.read(unscoped_any_user_key):
        log.info("there is no API key yet: docker compose exec postern postern key create NAME")


def _published(port: int) -> str:
    return f" (to be published as {port})" if port else ""
