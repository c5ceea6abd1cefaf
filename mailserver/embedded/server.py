"""The embedded mail server: a private Dovecot child, an SMTP receiver and a submission listener in-process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mailserver.addresses import is_sent_copy
from mailserver.base import (
    Envelope,
    Hop,
    MailServer,
    OnHint,
    OnSubmission,
    PartHealth,
    PersonAccess,
    RecipientReply,
)
from mailserver.content import content_of
from mailserver.disks import Disks
from mailserver.embedded import wire
from mailserver.embedded.authentication.verifier import Verifier
from mailserver.embedded.local import LocalDelivery
from mailserver.embedded.outgoing import Outgoing
from mailserver.embedded.receiver import Receiver
from mailserver.embedded.route import Router, make_resolver
from mailserver.embedded.session import Listener
from mailserver.embedded.settings import EmbeddedSettings
from mailserver.embedded.submission import SubmissionHandler, SubmissionSession
from mailserver.inflight import InFlight
from mailserver.machine import is_loopback
from mailserver.memory import Memory
from mailserver.ports import Wanted, check_free, public_ports
from mailserver.provisioning import Provisioning
from mailserver.simulated import results_field

_NO_MAILBOX = RecipientReply(550, "5.1.1", "5.1.1 no such mailbox here", "local")


class EmbeddedServer(Provisioning):
    """Implements :class:`mailserver.base.MailServer`."""

    name = "embedded"

    def __init__(
        self,
        settings: EmbeddedSettings,
        inflight: InFlight | None = None,
        memory: Memory | None = None,
        disks: Disks | None = None,
    ) -> None:
        """``inflight``, ``memory``: what mail that comes in counts against and waits for, shared with others. Without
        room on ``disks`` none is taken in."""
        super().__init__(settings)
        self.settings = settings
        self._inflight = inflight or InFlight(16 * settings.limits.message_size)
        self._memory = memory or Memory(2 * settings.limits.message_size)
        self._disks = disks or Disks({}, 0)
        self._delivery: LocalDelivery | None = None
        self._outgoing: Outgoing | None = None
        self._verifier: Verifier | None = None
        self._mx: Listener | None = None
        self._submission: Listener | None = None
        self._submissions: Listener | None = None
        self._trimmer: asyncio.Task[None] | None = None

    async def start(self, on_hint: OnHint, on_submission: OnSubmission) -> None:
        try:
            await self._start(on_hint, on_submission)
        except BaseException:
            await self.stop()
            raise

    async def _start(self, on_hint: OnHint, on_submission: OnSubmission) -> None:
        settings, limits = self.settings, self.settings.limits
        logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd logs each command
        if settings.manage:
            await asyncio.to_thread(check_free, settings.bind, self._wanted())
        await self._start_store(on_hint)
        assert self._dovecot is not None
        store = self._dovecot.config
        self._delivery = LocalDelivery(
            store.lmtp_socket, store.sent_socket, settings.hostname, limits.deliveries, self.targets
        )
        resolver = await asyncio.to_thread(make_resolver, settings.resolver)
        self._outgoing = Outgoing(settings, Router(resolver, settings.allow_private_mx))
        self._trimmer = asyncio.create_task(self._trim(), name="trim outgoing connections")
        if not settings.manage:  # another process of the gateway runs Dovecot and takes mail in
            return
        tls = self._certificate.context if self._certificate else None
        if settings.verify:
            self._verifier = await asyncio.to_thread(
                Verifier, settings.resolver, settings.hostname, self._memory, settings.trusted_sealers
            )
        spooling: dict[str, Any] = {
            "inflight": self._inflight,
            "spool": settings.spool,
            "disks": self._disks,
        }
        receiver = Receiver(
            self._delivery,
            self.is_local,
            self.directory.has_domain,
            self.look_again,
            settings.hostname,
            limits,
            self._verifier,
        )
        self._mx = Listener(
            receiver,
            hostname=settings.hostname,
            limits=limits,
            tls=tls,
            **spooling,
            auth_exclude_mechanism=["PLAIN", "LOGIN"],
        )
        await self._mx.start(settings.bind, settings.smtp_port)
        handler = SubmissionHandler(
            self.directory,
            on_submission,
            settings.hostname,
            limits,
            self._memory,
            self.guesses,
            self._is_key,
        )
        if tls is not None:
            self._submissions = Listener(
                handler,
                hostname=settings.hostname,
                limits=limits,
                implicit=tls,
                make=SubmissionSession,
                logins=True,
                **spooling,
                auth_require_tls=False,  # there is no other way in
            )
            await self._submissions.start(settings.bind, settings.submissions_port)
        self._submission = Listener(
            handler,
            hostname=settings.hostname,
            limits=limits,
            tls=tls,
            make=SubmissionSession,
            logins=True,
            **spooling,
            auth_require_tls=not (settings.insecure_dev or is_loopback(settings.bind)),
        )
        await self._submission.start(settings.bind, settings.submission_port)

    def _wanted(self) -> list[Wanted]:
        """The ports that this process listens at itself."""
        settings = self.settings
        submissions = settings.submissions_port if settings.has_tls else 0
        return public_ports(settings.smtp_port, settings.submission_port, submissions)

    async def stop(self) -> None:
        for listener in (self._mx, self._submission, self._submissions):
            if listener is not None:
                await listener.stop()
        self._mx = self._submission = self._submissions = None
        if self._trimmer is not None:
            self._trimmer.cancel()
            await asyncio.wait([self._trimmer])
            self._trimmer = None
        if self._verifier is not None:
            self._verifier.close()
            self._verifier = None
        for part in (self._outgoing, self._delivery):
            if part is not None:
                await part.close()
        self._outgoing = self._delivery = None
        await self._stop_store()

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(10)
            if self._outgoing is not None:
                self._outgoing.trim()

    async def _settle(self, addresses: list[str]) -> None:
        await super()._settle(addresses)
        if self._delivery is not None:
            await self._delivery.quiet(addresses)

    def access(self) -> PersonAccess:
        settings = self.settings
        return self._access(
            self._mx.port if self._mx else settings.smtp_port,
            self._submission.port if self._submission else settings.submission_port,
            self._submissions.port if self._submissions else 0,
        )

    def plan(self, recipients: Sequence[str]) -> list[Hop]:
        local: list[str] = []
        domains: dict[str, list[str]] = {}
        for recipient in dict.fromkeys(recipients):
            address = self.directory.named(recipient)
            domain = address.rpartition("@")[2]
            if self.directory.has_domain(domain) or self.directory.find(address) is not None:
                local.append(recipient)  # unknown ones too: 550 without a loop through our own MX
            else:
                domains.setdefault(domain, []).append(recipient)
        hops = [Hop("lmtp", "local", tuple(local))] if local else []
        if self.settings.smarthost is not None:
            away = tuple(one for group in domains.values() for one in group)
            return [*hops, Hop("smarthost", self.settings.smarthost.host, away)] if away else hops
        return [*hops, *(Hop("mx", domain, tuple(group)) for domain, group in domains.items())]

    async def transmit(self, hop: Hop, envelope: Envelope) -> Mapping[str, RecipientReply]:
        if self._outgoing is None or self._delivery is None:
            down = RecipientReply(451, "4.3.0", "4.3.0 the mail server is not started", "local")
            return dict.fromkeys(hop.recipients, down)
        if hop.kind == "lmtp":
            return await self._local(self._delivery, hop, envelope)
        if hop.kind == "smarthost":
            return await self._outgoing.to_smarthost(hop, envelope)
        if not hop.key:
            bad = RecipientReply(501, "5.1.3", "5.1.3 bad recipient address", "local")
            return dict.fromkeys(hop.recipients, bad)
        return await self._outgoing.to_domain(hop, envelope)

    async def _local(
        self, delivery: LocalDelivery, hop: Hop, envelope: Envelope
    ) -> dict[str, RecipientReply]:
        answers: dict[str, RecipientReply] = {}
        inboxes = []
        if not all(map(self.is_local, hop.recipients)):
            await self.look_again()
        for recipient in hop.recipients:
            if self.is_sent_address(recipient) is not None:
                copy = content_of(envelope.data).after(envelope.sent_fields)
                answers[recipient] = await delivery.to_sent(envelope.mail_from, recipient, copy)
            elif self.is_local(recipient) and not is_sent_copy(recipient):
                inboxes.append(recipient)
            else:
                answers[recipient] = _NO_MAILBOX
        if inboxes:
            trace = wire.local_trace(self.settings.hostname)
            trace = results_field(self.settings.hostname, envelope.mail_from) + trace
            data, key = content_of(envelope.data).after(trace), envelope.token.encode()
            answers |= await delivery.to_inbox(envelope.mail_from, inboxes, data, key)
        return answers

    async def was_submitted(self, envelope: Envelope) -> bool:
        return await self.sent_copy_exists(envelope)

    async def health(self) -> Mapping[str, PartHealth]:
        found = await self._store_health()
        if self.settings.manage:
            found["receiver"] = PartHealth(
                self._mx is not None, f"port {self._mx.port}" if self._mx else "stopped"
            )
        return found


def _typed(settings: EmbeddedSettings) -> MailServer:
    """mypy's proof that the protocol is met."""
    return EmbeddedServer(settings)
