"""Postfix in front of Dovecot: Postfix queues, relays and receives; the gateway only submits and provisions."""

from __future__ import annotations

import asyncio
import grp
from collections.abc import Mapping, Sequence

from mailserver import process
from mailserver.addresses import wire_form
from mailserver.base import (
    Endpoint,
    Envelope,
    Hop,
    MailServer,
    MailServerError,
    OnHint,
    OnSubmission,
    PartHealth,
    PersonAccess,
    RecipientReply,
)
from mailserver.content import content_of
from mailserver.dovecot import SUBMITTER
from mailserver.machine import answers
from mailserver.ports import Wanted, check_free, held_ports, public_ports
from mailserver.postfix_dovecot import queue as postfix_queue
from mailserver.postfix_dovecot import render
from mailserver.postfix_dovecot.config import (
    USER,
    PostfixPorts,
    PostfixSettings,
    check_installation,
    fixed_ports,
    postfix_binary,
)
from mailserver.postfix_dovecot.queue import Queued, QueueState, queue_state, queued_from
from mailserver.postfix_dovecot.verp import is_verp, verp_recipient
from mailserver.provisioning import Provisioning
from mailserver.smtp_client import Pool, Recipient, Target, Transaction, deliver, xtext

_MARKED = RecipientReply(
    553, "5.1.3", "5.1.3 addresses of this form are used inside the mail server", "local"
)


class PostfixServer(Provisioning):
    """Implements :class:`mailserver.base.MailServer`."""

    name = "postfix"

    def __init__(self, settings: PostfixSettings) -> None:
        super().__init__(settings, peer_group=_group())
        self.settings = settings
        self._ports: PostfixPorts | None = None
        self._postfix: process.Child | None = None
        self._pool: Pool | None = None

    async def start(self, on_hint: OnHint, on_submission: OnSubmission) -> None:
        """People submit to Postfix itself here, so ``on_submission`` is never called."""
        try:
            await self._start(on_hint)
        except BaseException:
            await self.stop()
            raise

    async def _start(self, on_hint: OnHint) -> None:
        settings = self.settings
        if settings.manage:
            await asyncio.to_thread(check_installation, settings.lookup)
            await self._start_store(on_hint)
            await self._start_postfix()
        else:
            self._ports = fixed_ports(settings)
            await self._start_store(on_hint)
        self._pool = Pool(settings.hostname, width=settings.submit_connections, idle=60.0)

    async def _start_postfix(self) -> None:
        settings = self.settings
        assert self._dovecot is not None
        store = self._dovecot.config
        await asyncio.to_thread(self._end_stale_postfix)
        submissions = settings.submissions_port if settings.has_tls else 0
        public = public_ports(settings.smtp_port, settings.submission_port, submissions)
        await asyncio.to_thread(check_free, settings.bind, public)
        own = [Wanted("the gateway's submission", settings.gateway_port, "mail.gateway_port")]
        await asyncio.to_thread(check_free, "127.0.0.1", own)
        for attempt in range(4):
            wanted = (
                settings.smtp_port,
                settings.submission_port,
                settings.submissions_port,
                settings.gateway_port,
            )
            with held_ports(settings.bind, wanted) as (smtp, submission, submissions, gateway):
                ports = PostfixPorts(smtp, submission, submissions if settings.has_tls else 0, gateway)
                await asyncio.to_thread(render.render, settings, store, ports)
                self._ports = ports
                self._postfix = self._daemon(ports)
                if await self._postfix.start():
                    return
            await asyncio.to_thread(self._end_stale_postfix)
            if attempt == 3:
                tail = await asyncio.to_thread(self._tail)
                raise MailServerError(f"Postfix did not start: {tail}")

    def _daemon(self, ports: PostfixPorts) -> process.Child:
        gateway = Endpoint("127.0.0.1", ports.gateway)
        return process.Child(
            "postfix",
            process.wrapped([postfix_binary(), "-c", str(self.settings.config_dir), "start-fg"]),
            lambda: answers(gateway, b"220"),
            before=self._end_stale_postfix,
            output=self.settings.config_dir / "postfix.out",
        )

    def _end_stale_postfix(self) -> None:
        spool = self.settings.spool
        if spool.is_dir():
            process.end(lambda: process.below(spool))

    def _tail(self) -> str:
        found = []
        for name in ("postfix.log", "postfix.out"):
            path = self.settings.config_dir / name
            if path.exists():
                found.append(path.read_text("utf-8", "replace")[-800:])
        return " ".join(found) or "it said nothing"

    async def stop(self) -> None:
        if self._pool is not None:
            await self._pool.close()
            self._pool = None
        if self._postfix is not None:
            await self._postfix.stop()
            self._postfix = None
            await asyncio.to_thread(self._end_stale_postfix)
        await self._stop_store()

    async def _show_certificate(self) -> None:
        await super()._show_certificate()
        if self._postfix is not None:
            command = (postfix_binary(), "-c", str(self.settings.config_dir), "reload")
            quiet = asyncio.subprocess.DEVNULL
            child = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
            await child.wait()

    def access(self) -> PersonAccess:
        settings, ports = self.settings, self._ports
        if ports is None:
            return self._access(settings.smtp_port, settings.submission_port, settings.submissions_port)
        return self._access(ports.smtp, ports.submission, ports.submissions)

    def plan(self, recipients: Sequence[str]) -> list[Hop]:
        return [Hop("submission", "postfix", tuple(dict.fromkeys(recipients)))] if recipients else []

    async def transmit(self, hop: Hop, envelope: Envelope) -> Mapping[str, RecipientReply]:
        if self._pool is None or self._ports is None:
            down = RecipientReply(451, "4.3.0", "4.3.0 the mail server is not started", "local")
            return dict.fromkeys(hop.recipients, down)
        target = Target(
            "127.0.0.1", self._ports.gateway, user=SUBMITTER, password=self._key.submit, name="postfix"
        )
        data = envelope.data
        if envelope.sent_fields and any(map(self.is_sent_address, hop.recipients)):
            # one transaction has one text: on every way but that to Sent, Postfix drops them (outgoing-headers)
            data = content_of(data).after(envelope.sent_fields)
        job = Transaction(
            envelope.mail_from,
            [self._recipient(one, envelope) for one in hop.recipients if not is_verp(one)],
            data,
            envelope.token,
            "HDRS" if envelope.dsn else "",
        )
        refused = {one: _MARKED for one in hop.recipients if is_verp(one)}
        return {**await deliver(self._pool, target, job), **refused} if job.recipients else refused

    def _recipient(self, address: str, envelope: Envelope) -> Recipient:
        if self.is_sent_address(address) is not None:
            return Recipient(address, "NEVER")
        token = envelope.tokens.get(address, "") if '"' not in wire_form(address) else ""
        verp = verp_recipient(address, token, local=self.is_local(address)) if token else ""
        if not envelope.dsn:
            return Recipient(address, verp=verp)
        kind = "rfc822" if address.isascii() else "utf-8"
        return Recipient(address, "SUCCESS,FAILURE,DELAY", f"{kind};{xtext(address)}", verp)

    async def was_submitted(self, envelope: Envelope) -> bool:
        # the queue first: a message leaves it for Sent, never the other way. Twice: while the queue is listed, one may
        # go from where was not looked yet to where was looked already
        for _ in range(2):
            if envelope.mail_from and await queued_from(self.settings.config_dir, envelope.mail_from):
                return True
            if await self.sent_copy_exists(envelope):
                return True
        return False

    async def queue(self) -> QueueState:
        """What waits in Postfix's queue. Raises MailServerError when it cannot be asked."""
        return await queue_state(self.settings.config_dir)

    async def queued(self, most: int) -> tuple[int, list[Queued]]:
        """How many messages wait in Postfix's queue, and the ``most`` oldest. Raises MailServerError."""
        return await postfix_queue.queued(self.settings.config_dir, most)

    async def is_queued(self, queue_id: str) -> bool:
        """Whether a message of this id waits in Postfix's queue. Raises MailServerError."""
        return await postfix_queue.is_queued(self.settings.config_dir, queue_id)

    async def flush(self, queue_id: str | None = None) -> None:
        """Have Postfix try one message of its queue, or with None all, now. Raises MailServerError."""
        await postfix_queue.flush(self.settings.config_dir, queue_id)

    async def health(self) -> Mapping[str, PartHealth]:
        found = await self._store_health()
        up = self._ports is not None and await answers(
            Endpoint("127.0.0.1", self._ports.gateway), b"220", 1.5
        )
        restarts = self._postfix.restarts if self._postfix else 0
        found["postfix"] = PartHealth(up, f"{restarts} restarts" if up else "SMTP does not answer")
        return found


def _group() -> str:
    try:
        return grp.getgrnam(USER).gr_name
    except KeyError as error:
        raise MailServerError("postfix is not installed: apt install postfix postfix-sqlite") from error


def _typed(settings: PostfixSettings) -> MailServer:
    """mypy's proof that the protocol is met."""
    return PostfixServer(settings)
