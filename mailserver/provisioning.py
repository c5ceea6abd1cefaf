"""What both mail servers have in common: the lookup tables, a private Dovecot, its notifications, mail on disk.

Order of a removal, so that a crash anywhere is finished by the next :meth:`Provisioning.reconcile`: the row is
disabled (from that commit on no login and no mail), sessions end, the home is deleted, the row is deleted. The
next mailbox at the address gets another home, so nothing that lingers can reach it.
"""

from __future__ import annotations

import asyncio
import grp
import hmac
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from imapclient.exceptions import IMAPClientError

from mailserver.addresses import SENT_MARK, fold, fold_domain
from mailserver.aliasing import Aliasing
from mailserver.base import (
    CheckKey,
    Endpoint,
    Envelope,
    ImapLogin,
    MailServerDown,
    MailServerError,
    OnHint,
    PartHealth,
    PersonAccess,
    Tls,
)
from mailserver.directory import Directory, Mailbox, home_prefix, new_home
from mailserver.dovecot import MASTER, SUBMITTER
from mailserver.guessing import Guesses
from mailserver.imap import Client, ImapPool
from mailserver.machine import erase_tree, gateway_host, is_loopback, mail_user, run_dir_for
from mailserver.notifications import NotificationListener
from mailserver.own_address import rendered_address
from mailserver.passwords import hash_password
from mailserver.private_dovecot import DovecotSettings, PrivateDovecot
from mailserver.server_key import ServerKey, server_key
from mailserver.tls import Certificate

log = logging.getLogger(__name__)

T = TypeVar("T")
SessionsClosed = Callable[[Sequence[str]], AbstractAsyncContextManager[None]]


def _nothing_closed(_addresses: Sequence[str]) -> AbstractAsyncContextManager[None]:
    return nullcontext()


class Provisioning(Aliasing):
    """Base of both implementations; everything here is the same for each."""

    name = "dovecot"

    def __init__(self, settings: DovecotSettings, *, peer_group: str | None = None) -> None:
        """``peer_group``: a group besides us (Postfix) that reads the tables and speaks to the sockets."""
        self._base = settings
        self._data = settings.data_dir.absolute()
        self._peer_group = peer_group
        self.has_push = settings.push
        self.lookup = settings.lookup
        self.directory = Directory(self.lookup.storage())
        self._key = ServerKey(b"")
        self.guesses = Guesses(exempt=(rendered_address(gateway_host(settings.bind)), SUBMITTER))
        self._notifications: NotificationListener | None = None
        self._dovecot: PrivateDovecot | None = None
        self.check_key: CheckKey | None = None
        """Says whether a password is an API key; set by whoever uses this server, None before that."""
        self.sessions_closed: SessionsClosed = _nothing_closed
        """How whoever uses this server closes its own sessions of mailboxes while those of others are ended."""
        self._own: ImapPool | None = (
            None  # for what it looks up itself; a mailbox that hangs keeps no other waiting
        )
        self._certificate: Certificate | None = None  # where we run the daemons that show it
        self._refresher: asyncio.Task[None] | None = None

    @property
    def place(self) -> Path:
        """The directory of its mail, its tables and ``server.key``."""
        return self._data

    @property
    def lmtp_socket(self) -> Path:
        """Where Dovecot takes mail for mailboxes, whether we run it or others do."""
        return (self._base.run_dir or run_dir_for(self._data)) / "lmtp"

    # -- life ---------------------------------------------------------------------------------------

    async def _start_store(self, on_hint: OnHint) -> None:
        """Open the tables, listen for notifications (``on_hint``), start Dovecot (or know where it runs)."""
        await asyncio.to_thread(self._open)
        cert, key = self._base.tls_cert, self._base.tls_key
        if cert and key and self._base.manage:
            self._certificate = await asyncio.to_thread(Certificate, cert, key)
        port = 0
        if self._base.push and self._base.hear:
            # where others run Dovecot, several processes may listen on the port it knows
            self._notifications = NotificationListener(
                on_hint,
                port=self._base.doorbell_port,
                secret=self._key.doorbell,
                share=not self._base.manage,
                guesses=self.guesses,
                check_key=self._is_key,
            )
            await self._notifications.start()
            port = self._notifications.port
        self._refresher = asyncio.create_task(self._refresh(), name="lookup refresh")
        self._dovecot = await asyncio.to_thread(
            PrivateDovecot, self._base, self._key, peer_group=self._peer_group, notifications_port=port
        )
        self._own = ImapPool(self.imap_login, size=4, threads=4, slow=8, tries=2, timeout=20.0)
        if self._base.manage:
            await self._dovecot.start()

    async def _stop_store(self) -> None:
        if self._refresher is not None:
            self._refresher.cancel()
            await asyncio.wait([self._refresher])
            self._refresher = None
        if self._own is not None:
            await self._own.close()
            self._own = None
        if self._dovecot is not None:
            await self._dovecot.stop()
            self._dovecot = None
        if self._notifications is not None:
            await self._notifications.stop()
            self._notifications = None
        await asyncio.to_thread(self.directory.close)

    def _open(self) -> None:
        self._data.mkdir(parents=True, exist_ok=True)
        gid = -1
        place = self.lookup.path.parent
        place.mkdir(mode=0o750, exist_ok=True)
        if os.geteuid() == 0:
            gid = grp.getgrnam(self._peer_group or mail_user(self._base.mail_user)[1]).gr_gid
            os.chown(place, -1, gid)
            place.chmod(0o2750)  # what an unprivileged gateway makes in it belongs to the group too
        self.directory.open(group=gid)
        self._key = server_key(self._data / "server.key")

    async def look_again(self) -> None:
        """Know at once what another gateway process wrote: before anyone hears that a mailbox is not there."""
        await asyncio.to_thread(self.directory.refresh)

    async def _refresh(self) -> None:
        """Notice what another gateway process wrote, and a certificate that was renewed."""
        while True:
            await asyncio.sleep(1.0)
            try:
                await asyncio.to_thread(self.directory.refresh)
            except Exception as error:
                log.warning("lookup database: %s", error)
            if self._certificate is not None and await asyncio.to_thread(self._certificate.refresh):
                await self._show_certificate()

    async def _show_certificate(self) -> None:
        """Have the daemons we run read the certificate again; no connection ends for it."""
        if self._dovecot is not None:
            await self._dovecot.doveadm("reload")

    # -- provisioning -------------------------------------------------------------------------------

    async def add_domain(self, domain: str) -> None:
        await asyncio.to_thread(self.directory.add_domain, fold_domain(domain))

    async def remove_domain(self, domain: str) -> None:
        await asyncio.to_thread(self.directory.remove_domain, fold_domain(domain))

    async def add_mailbox(self, address: str, password: str | None = None) -> None:
        address = fold(address)
        row = self.directory.row(address)
        if row is not None and not row.enabled:  # its removal, or its making, was cut short
            await self._erase([row])
            row = None
        stored = await asyncio.to_thread(hash_password, password) if password is not None else None
        if row is None:
            fresh = Mailbox(address, new_home(address), stored, enabled=False, making=True)
            await asyncio.to_thread(self.directory.add_mailboxes, [fresh])
            await self._make_folders(address)
            await asyncio.to_thread(self.directory.enable, fresh)
        elif stored is not None:
            await self.set_password(address, password)

    async def _make_folders(self, address: str) -> None:
        """Raises MailServerDown; the next try, or the next start, begins anew."""
        for pause in (0.1, 0.5, None):  # while many are made at once, a look-up can find the tables locked
            try:
                return await self._once(address, _make_folders)
            except (MailServerDown, IMAPClientError) as error:
                if pause is None:
                    raise MailServerDown(f"the mailbox {address} could not be made: {error}") from error
                await asyncio.sleep(pause)

    async def set_password(self, address: str, password: str | None) -> None:
        address = fold(address)
        stored = await asyncio.to_thread(hash_password, password) if password is not None else None
        row = self.directory.find(address)
        if row is None:
            raise MailServerError(f"no mailbox {address}")
        await asyncio.to_thread(self.directory.set_password, address, stored)
        if row.password is not None:
            await self._kick([address])

    async def remove_mailbox(self, address: str) -> None:
        address = fold(address)
        row = self.directory.row(address)
        if row is None:
            return
        await asyncio.to_thread(self.directory.disable, address)
        await self._settle([address])
        await self._erase([row])

    async def purge(self, address: str) -> None:
        """Make what was expunged from a mailbox unreadable: Dovecot keeps header fields of it in its index caches."""
        if self._dovecot is not None:
            folders = (await self._dovecot.doveadm("mailbox", "list", "-u", fold(address))).splitlines()
            await self._dovecot.doveadm("mailbox", "cache", "purge", "-u", fold(address), "--", *folders)

    async def set_quota(self, address: str, octets: int | None) -> None:
        await self.look_again()  # what is compared must be what another process wrote last
        await asyncio.to_thread(self.directory.set_quotas, {fold(address): octets})

    async def reconcile(
        self,
        domains: Sequence[str],
        mailboxes: Sequence[str],
        aliases: Mapping[str, Sequence[str]],
        quotas: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        wanted = {fold_domain(name) for name in domains}
        held = self.directory.domains()
        await asyncio.to_thread(self.directory.add_domain, *(wanted - held))
        await asyncio.to_thread(self.directory.remove_domain, *(held - wanted))
        keep = {fold(address) for address in mailboxes}
        rows = self.directory.mailboxes()
        gone = [row for row in rows if row.address not in keep or not row.enabled]
        if gone:
            addresses = [row.address for row in gone]
            await asyncio.to_thread(self.directory.disable, *addresses)
            await self._settle(addresses)
            await self._erase(gone)
        missing = keep - {row.address for row in rows if row.enabled}
        await asyncio.to_thread(self._adopt, missing)
        own = {fold(address): octets for address, octets in quotas.items()}
        await asyncio.to_thread(self.directory.set_quotas, {address: own.get(address) for address in keep})
        await self._reconcile_aliases(aliases)
        await asyncio.to_thread(self._sweep)

    def _adopt(self, addresses: set[str]) -> None:
        """Rows for listed mailboxes that have none; a home found on disk (tables lost) is kept."""
        if not addresses:
            return
        homes: dict[str, str] = {}
        for path in sorted(self._homes(), key=lambda one: one.stat().st_mtime):
            homes[path.name.rpartition("~")[0] + "~"] = path.name
        self.directory.add_mailboxes(
            [Mailbox(a, homes.get(home_prefix(a)) or new_home(a), None) for a in sorted(addresses)]
        )

    def _sweep(self) -> None:
        """Delete homes that belong to no row."""
        held = {row.home for row in self.directory.mailboxes()}
        for path in self._homes():
            if path.name not in held:
                shutil.rmtree(path, ignore_errors=True)

    def _homes(self) -> list[Path]:
        mail = self._data / "mail"
        return [path for path in mail.iterdir() if path.is_dir()] if mail.is_dir() else []

    async def _settle(self, addresses: list[str]) -> None:
        """Wait for deliveries in progress and end sessions of mailboxes just disabled."""
        await self._kick(addresses)

    async def _erase(self, rows: list[Mailbox]) -> None:
        for row in rows:
            home = self._data / "mail" / row.home
            await asyncio.to_thread(erase_tree, home)
        await asyncio.to_thread(self.directory.forget, *rows)

    async def _kick(self, addresses: list[str]) -> bool:
        """End the sessions of these mailboxes: ours by ourselves, so that no process must be ended for them. Answers
        whether all have ended."""
        if self._dovecot is None:
            return True
        async with self.sessions_closed(addresses):
            return await self._dovecot.kick(addresses)

    async def end_sessions(self, addresses: Sequence[str]) -> None:
        """End the IMAP sessions of these mailboxes, whoever has them; mail programs log in again.

        Raises MailServerDown when some go on.
        """
        if not await self._kick([fold(one) for one in addresses]):
            raise MailServerDown("the mail server goes on with sessions that should end")

    async def _is_key(self, address: str, password: str, service: str) -> bool:
        """See ``CheckKey``; no key is accepted where the setting says so, or for what is no mailbox."""
        if not self._base.key_logins or self.directory.find(address) is None:
            return False
        if self.check_key is None:
            raise MailServerDown("the gateway is starting or stopping")
        return await self.check_key(address, password, service)

    # -- lookups ------------------------------------------------------------------------------------

    def imap_login(self, address: str) -> ImapLogin:
        if self._dovecot is None:
            raise MailServerError("the mail server is not started")
        self._dovecot.prove()
        return ImapLogin(self._dovecot.imap, f"{fold(address)}*{MASTER}", self._key.master)

    def sent_address(self, address: str) -> str:
        address = fold(address)
        local, _, domain = address.rpartition("@")
        return f"{local}{SENT_MARK}{self._key.sent_token(address)}@{domain}"

    def _access(self, smtp: int, submission: int, submissions: int) -> PersonAccess:
        """Endpoints for people, given the ports of our own listeners; with TLS from the start where we have it, and by
        the ports outside where a container or router hands connections on."""
        base, store = self._base, self._dovecot.config if self._dovecot else self._base
        host = base.bind if is_loopback(base.bind) else base.hostname
        tls: Tls = "starttls" if base.has_tls else "none"

        def outside(port: int) -> int:
            return base.outside_ports.get(port, 0) if base.outside_ports else port

        def best(implicit: int, plain: int) -> Endpoint:
            if base.has_tls and implicit and (port := outside(implicit)):
                return Endpoint(host, port, "implicit")
            return Endpoint(host, outside(plain) or plain, tls)

        return PersonAccess(
            best(store.imaps_port, store.imap_port),
            best(submissions, submission),
            Endpoint(host, outside(smtp) or smtp, tls),
        )

    def is_sent_address(self, recipient: str) -> str | None:
        """The mailbox whose Sent folder ``recipient`` names, if it is a genuine one."""
        local, mark, _ = recipient.lower().partition(SENT_MARK)
        address = f"{local}@{recipient.lower().rpartition('@')[2]}"
        if not mark or self.directory.find(address) is None:
            return None
        same = hmac.compare_digest(recipient.lower().encode(), self.sent_address(address).encode())
        return address if same else None

    async def sent_copy_exists(self, envelope: Envelope) -> bool:
        """Whether the sender's Sent folder holds this Message-ID."""
        if not envelope.sender or not envelope.message_id:
            return False

        def copy_is_there(client: Client) -> bool:
            client.open("Sent", readonly=True)
            return bool(client.find_message_id(envelope.message_id))

        return await self._once(envelope.sender, copy_is_there)

    async def _once(self, address: str, work: Callable[[Client], T]) -> T:
        """Do something in a mailbox, in a session for it alone. Raises MailServerDown, and what ``work`` raises."""
        if self._own is None:
            raise MailServerDown("the mail server is not started")
        try:
            return await self._own.run(address, work)
        finally:
            if not self._own.is_stuck(address):
                await self._own.drop(address)

    async def _store_health(self) -> dict[str, PartHealth]:
        if self._dovecot is None:
            return {"dovecot": PartHealth(False, "not running")}
        found = {"dovecot": await self._dovecot.health()}
        if self._base.push and self._base.hear:
            found["doorbell"] = PartHealth(
                self._notifications is not None,
                (self._notifications and f"{self._notifications.notifications}") or "",
            )
        return found


def _make_folders(client: Client) -> None:
    """Have Dovecot make a mailbox's folders and their index in one session, before mail can come.

    Left to the first mail and the first reader, who come at the same instant, each locks what the other waits for:
    Dovecot panics ("Resource deadlock avoided") or says "Mailbox already exists", and the mail gets 451.
    """
    for folder in client.list_folders():
        client.folder_status(folder[2], ["UIDNEXT", "HIGHESTMODSEQ"])
    client.open("INBOX", readonly=True)
