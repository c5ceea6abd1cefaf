"""Mail on its way out of the embedded server: to the smarthost, or to the recipients' own servers."""

from __future__ import annotations

import dataclasses

from mailserver.base import Envelope, Hop, RecipientReply
from mailserver.embedded.route import NoRoute, Router
from mailserver.embedded.settings import EmbeddedSettings
from mailserver.smtp_client import (
    Broken,
    Pool,
    Recipient,
    Refused,
    Reply,
    Target,
    Transaction,
    deliver,
    xtext,
)


def transaction(envelope: Envelope, recipients: tuple[str, ...], notify: str) -> Transaction:
    """``notify``: the RFC 3461 §4.1 value to ask for, where the envelope wants DSNs at all."""
    if not envelope.dsn:
        return Transaction(envelope.mail_from, [Recipient(one) for one in recipients], envelope.data)
    wanted = [
        Recipient(one, notify, f"rfc822;{xtext(one)}" if one.isascii() else f"utf-8;{xtext(one)}")
        for one in recipients
    ]
    return Transaction(envelope.mail_from, wanted, envelope.data, envelope.token, "HDRS")


class Outgoing:
    """The smarthost and mx hops."""

    def __init__(self, settings: EmbeddedSettings, router: Router) -> None:
        self._settings = settings
        self._router = router
        self._pool = Pool(settings.hostname, width=settings.mx_connections, timeouts=settings.timeouts)

    def trim(self) -> None:
        self._pool.trim()

    async def close(self) -> None:
        await self._pool.close()

    async def to_smarthost(self, hop: Hop, envelope: Envelope) -> dict[str, RecipientReply]:
        relay = self._settings.smarthost
        if relay is None:
            return _all(hop, Reply(451, ("4.3.5 no smarthost is configured",)), "local")
        target = Target(
            relay.host,
            relay.port,
            tls=relay.tls,
            verify=relay.verify,
            user=relay.user,
            password=relay.password,
            name=relay.host,
        )
        job = transaction(envelope, hop.recipients, "SUCCESS,FAILURE,DELAY")
        return await deliver(self._pool, target, job)

    async def to_domain(self, hop: Hop, envelope: Envelope) -> dict[str, RecipientReply]:
        """Host after host until one answers (RFC 5321 §5.1); its per-recipient replies are final."""
        try:
            hosts = await self._router.hosts(hop.key)
        except NoRoute as error:
            return _all(hop, error.reply, "dns")
        job = transaction(envelope, hop.recipients, "FAILURE,DELAY")
        last = _all(hop, Reply(451, ("4.4.1 no host answers",)), hop.key)
        for host in hosts:
            target = Target(host.address, self._settings.mx_port, tls="opportunistic", name=host.name)
            try:
                return await self._pool.send(target, job)
            except Refused as error:
                reply = error.reply
                # opportunistic TLS that fails falls back to plain text (RFC 7435 §3)
                if reply.code == 454:
                    return await deliver(self._pool, dataclasses.replace(target, tls="none"), job)
                last = _all(hop, reply, host.name)
            except Broken as error:
                if error.sent:  # it may have the message: another host now would double it for sure
                    return _all(hop, Reply(451, (f"4.4.2 {error}",)), host.name)
                if str(error).startswith("TLS"):
                    return await deliver(self._pool, dataclasses.replace(target, tls="none"), job)
                last = _all(hop, Reply(421, (f"4.4.1 {error}",)), host.name)
            except (ValueError, UnicodeError) as error:
                return _all(hop, Reply(553, (f"5.1.3 {error}",)), "local")
        return last


def _all(hop: Hop, reply: Reply, remote: str) -> dict[str, RecipientReply]:
    return {one: reply.to_recipient(remote) for one in hop.recipients}
