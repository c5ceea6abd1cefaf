"""What both mail servers have in common: the lookup tables, a private Dovecot, the doorbell, mail on disk.

Order of a removal, so that a crash anywhere is finished by the next :meth:`Provisioning.reconcile`: the row is
disabled (from that commit on no login and no mail), sessions end, the home is deleted, the row is deleted. The
next mailbox at the address gets another home, so nothing that lingers can reach it.
"""

from __future__ import annotations

import asyncio
import base64
import grp
import hashlib
import hmac
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imapclient.exceptions import IMAPClientError

from mailserver import dovecot, process
from mailserver.addresses import fold, fold_domain, split_recipient
from mailserver.base import (
    Endpoint,
    Envelope,
    ImapLogin,
    MailServerDown,
    MailServerError,
    OnHint,
    PartHealth,
)
from mailserver.directory import Directory, Mailbox, home_prefix, new_home
from mailserver.doorbell import Doorbell
from mailserver.imap import Client
from mailserver.machine import (
    answers,
    check_reachable,
    erase_tree,
    free_port,
    kept_secret,
    local_host,
    mail_user,
    run_dir_for,
)
from mailserver.passwords import hash_password

log = logging.getLogger(__name__)

SENT_TAG = "sent-"


@dataclass(frozen=True, slots=True, kw_only=True)
class DovecotSettings:
    """Settings both mail servers share.

    ``imap_port`` 0 takes any free one. ``run_dir`` None chooses one; ``mail_user`` None is the invoking user,
    or, when that is root, the first of postern, vmail, dovecot, nobody. ``bind`` is where people's IMAP
    listens; the gateway itself uses loopback.
    """

    data_dir: Path
    hostname: str = "localhost"
    bind: str = "127.0.0.1"
    imap_port: int = 0
    imaps_port: int = 0
    mailbox_format: dovecot.MailboxFormat = "sdbox"
    push: bool = True
    run_dir: Path | None = None
    mail_user: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure_dev: bool = False  # passwords without TLS from anywhere
    manage: bool = True  # False: others run the daemons, with the configuration written here
    doorbell_port: int = 0


class Provisioning:
    """Base of both implementations; everything here is the same for each."""

    name = "dovecot"

    def __init__(self, settings: DovecotSettings, *, peer_group: str | None = None) -> None:
        """``peer_group``: a group besides us (Postfix) that reads the tables and speaks to the sockets."""
        self._base = settings
        self._data = settings.data_dir.absolute()
        self._peer_group = peer_group
        self.has_push = settings.push
        self.directory = Directory(self._data / "lookup.db")
        self._secret = b""
        self._master_secret = ""
        self._bell: Doorbell | None = None
        self._dovecot: process.Child | None = None
        self._config: dovecot.DovecotConfig | None = None
        self._refresher: asyncio.Task[None] | None = None

    # -- life ---------------------------------------------------------------------------------------

    async def _start_store(self, on_hint: OnHint) -> None:
        """Open the tables, ring the doorbell for ``on_hint``, start Dovecot."""
        await asyncio.to_thread(self._prepare)
        url = None
        if self._base.push:
            secret = hmac.new(self._secret, b"doorbell", hashlib.sha256).hexdigest()
            self._bell = Doorbell(on_hint, port=self._base.doorbell_port, secret=secret)
            await self._bell.start()
            url = self._bell.url
        self._refresher = asyncio.create_task(self._refresh(), name="lookup refresh")
        if not self._base.manage:
            self._config = self._configure(url)
            await asyncio.to_thread(self._render, self._config)
            return
        await asyncio.to_thread(self._end_stale)
        for attempt in range(4):
            self._config = self._configure(url)
            await asyncio.to_thread(self._render, self._config)
            self._dovecot = self._child(self._config)
            if await self._dovecot.start():
                break
            # another program may have taken the free port we had found
            if self._base.imap_port or attempt == 3:
                tail = await asyncio.to_thread(self._log_tail, self._config)
                raise MailServerError(f"Dovecot did not start: {tail}")

    async def _stop_store(self) -> None:
        if self._refresher is not None:
            self._refresher.cancel()
            await asyncio.wait([self._refresher])
            self._refresher = None
        if self._dovecot is not None:
            await self._dovecot.stop()
            self._dovecot = None
            await asyncio.to_thread(self._end_stale)
        if self._bell is not None:
            await self._bell.stop()
            self._bell = None
        await asyncio.to_thread(self.directory.close)

    def _prepare(self) -> None:
        self._template = dovecot.check_installation()
        self._data.mkdir(parents=True, exist_ok=True)
        self._user, self._group = mail_user(self._base.mail_user)
        if os.geteuid() == 0:
            check_reachable(self._data, self._user)
            gid = grp.getgrnam(self._peer_group or self._group).gr_gid
        else:
            gid = -1
        self.directory.open(group=gid)
        self._secret = kept_secret(self._data / "server.key")
        # stable, since daemons that others run read them from files written once
        self._master_secret = hmac.new(self._secret, b"master", hashlib.sha256).hexdigest()
        self._run = self._base.run_dir or run_dir_for(self._data)

    def _configure(self, url: str | None) -> dovecot.DovecotConfig:
        base = self._base
        return dovecot.DovecotConfig(
            data=self._data,
            run=self._run,
            hostname=base.hostname,
            user=self._user,
            group=self._group,
            imap_port=base.imap_port or free_port(base.bind),
            bind=base.bind,
            imaps_port=base.imaps_port,
            mailbox_format=base.mailbox_format,
            push_url=url,
            socket_group=self._peer_group,
            sasl=self._peer_group is not None,
            tls_cert=base.tls_cert,
            tls_key=base.tls_key,
            plain_auth=base.insecure_dev,
            master_secret=self._master_secret,
            submit_secret=self._submit_secret() if self._peer_group else "",
        )

    def _submit_secret(self) -> str:
        """The gateway's own SASL password at Postfix's submission listener."""
        return hmac.new(self._secret, b"submit", hashlib.sha256).hexdigest()

    def _render(self, config: dovecot.DovecotConfig) -> None:
        dovecot.render(config, self._template)
        dovecot.compile_sieve(config)
        dovecot.give(config)

    def _child(self, config: dovecot.DovecotConfig) -> process.Child:
        groups = [self._peer_group] if self._peer_group else []
        command = process.wrapped(
            [dovecot.dovecot_binary(), "-F", "-c", str(config.file)], self._user, self._group, groups
        )
        return process.Child(
            "dovecot",
            command,
            lambda: answers(Endpoint(local_host(config.bind), config.imap_port), b"* OK"),
            before=self._end_stale,
            output=config.etc / "dovecot.out",
        )

    def _end_stale(self) -> None:
        """End what an earlier run of ours left (its working directory is our run directory)."""
        if self._run.is_dir():
            process.end(lambda: process.below(self._run))
            (self._run / "master.pid").unlink(missing_ok=True)

    @staticmethod
    def _log_tail(config: dovecot.DovecotConfig) -> str:
        found = []
        for name in ("dovecot.log", "dovecot.out"):
            try:
                found.append((config.etc / name).read_text("utf-8", "replace")[-800:])
            except OSError:
                pass
        return " ".join(found) or "it said nothing"

    async def _refresh(self) -> None:
        """Notice what another gateway process wrote."""
        while True:
            await asyncio.sleep(1.0)
            try:
                await asyncio.to_thread(self.directory.refresh)
            except Exception as error:
                log.warning("lookup database: %s", error)

    # -- provisioning -------------------------------------------------------------------------------

    async def add_domain(self, domain: str) -> None:
        await asyncio.to_thread(self.directory.add_domain, fold_domain(domain))

    async def remove_domain(self, domain: str) -> None:
        await asyncio.to_thread(self.directory.remove_domain, fold_domain(domain))

    async def add_mailbox(self, address: str, password: str | None = None) -> None:
        address = _plain(address)
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
        login = self.imap_login(address)
        for pause in (0.1, 0.5, None):  # while many are made at once, a look-up can find the tables locked
            try:
                await asyncio.to_thread(_make_folders, login)
                return
            except (OSError, EOFError, IMAPClientError) as error:
                if pause is None:
                    raise MailServerDown(f"the mailbox {address} could not be made: {error}") from error
                await asyncio.sleep(pause)

    async def set_password(self, address: str, password: str | None) -> None:
        address = _plain(address)
        stored = await asyncio.to_thread(hash_password, password) if password is not None else None
        row = self.directory.find(address)
        if row is None:
            raise MailServerError(f"no mailbox {address}")
        await asyncio.to_thread(self.directory.set_password, address, stored)
        if row.password is not None:
            await self._kick([address])

    async def remove_mailbox(self, address: str) -> None:
        address = _plain(address)
        row = self.directory.row(address)
        if row is None:
            return
        await asyncio.to_thread(self.directory.disable, address)
        await self._settle([address])
        await self._erase([row])

    async def reconcile(self, domains: Sequence[str], mailboxes: Sequence[str]) -> None:
        wanted = {fold_domain(name) for name in domains}
        held = self.directory.domains()
        await asyncio.to_thread(self.directory.add_domain, *(wanted - held))
        await asyncio.to_thread(self.directory.remove_domain, *(held - wanted))
        keep = {_plain(address) for address in mailboxes}
        rows = self.directory.mailboxes()
        gone = [row for row in rows if row.address not in keep or not row.enabled]
        if gone:
            addresses = [row.address for row in gone]
            await asyncio.to_thread(self.directory.disable, *addresses)
            await self._settle(addresses)
            await self._erase(gone)
        missing = keep - {row.address for row in rows if row.enabled}
        await asyncio.to_thread(self._adopt, missing)
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

    async def _kick(self, addresses: list[str]) -> None:
        """End IMAP sessions of these mailboxes. Others in the same Dovecot process must reconnect."""
        if self._config is None or not addresses:
            return
        wanted = set(addresses)
        for _ in range(20):
            listing = await self._doveadm("who", "-1")
            names = {line.split()[0] for line in listing.splitlines()[1:] if line.strip()}
            online = wanted & names
            if not online:
                return
            for address in online:
                await self._doveadm("kick", "-f", address)
            await asyncio.sleep(0.05)
        log.warning("sessions did not end: %s", ", ".join(sorted(wanted)))

    async def _doveadm(self, *words: str) -> str:
        assert self._config is not None
        command = process.wrapped(["doveadm", "-c", str(self._config.file), *words], self._user, self._group)
        child = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        out, _ = await child.communicate()
        return out.decode("utf-8", "replace")

    # -- lookups ------------------------------------------------------------------------------------

    def is_local(self, address: str) -> bool:
        return self.directory.find(split_recipient(address)[0]) is not None

    def imap_login(self, address: str) -> ImapLogin:
        if self._config is None:
            raise MailServerError("the mail server is not started")
        end = Endpoint(local_host(self._config.bind), self._config.imap_port)
        return ImapLogin(end, f"{_plain(address)}*{dovecot.MASTER}", self._master_secret)

    def sent_address(self, address: str) -> str:
        address = _plain(address)
        digest = hmac.new(self._secret, f"sent:{address}".encode(), hashlib.sha256).digest()
        token = base64.b32encode(digest[:15]).decode("ascii").lower()
        local, _, domain = address.rpartition("@")
        return f"{local}+{SENT_TAG}{token}@{domain}"

    def is_sent_address(self, recipient: str) -> str | None:
        """The mailbox whose Sent folder ``recipient`` names, if it is a genuine one."""
        address, tag = split_recipient(recipient)
        if not tag.startswith(SENT_TAG) or self.directory.find(address) is None:
            return None
        same = hmac.compare_digest(recipient.lower().encode(), self.sent_address(address).encode())
        return address if same else None

    @staticmethod
    def _looks_sent(recipient: str) -> bool:
        return split_recipient(recipient)[1].startswith(SENT_TAG)

    async def sent_copy_exists(self, envelope: Envelope) -> bool:
        """Whether the sender's Sent folder holds this Message-ID."""
        if not envelope.sender or not envelope.message_id:
            return False
        login = self.imap_login(envelope.sender)

        def look() -> bool:
            client = Client(login, 10)
            try:
                client.open("Sent", readonly=True)
                return bool(client.find_message_id(envelope.message_id))
            finally:
                client.shutdown()

        return await asyncio.to_thread(look)

    async def _store_health(self) -> dict[str, PartHealth]:
        config, child = self._config, self._dovecot
        if config is None or (self._base.manage and (child is None or child.pid is None)):
            return {"dovecot": PartHealth(False, "not running")}
        up = await answers(Endpoint(local_host(config.bind), config.imap_port), b"* OK", 1.5)
        found = {
            "dovecot": PartHealth(
                up, f"{child.restarts if child else 0} restarts" if up else "IMAP does not answer"
            )
        }
        if self._base.push:
            found["doorbell"] = PartHealth(
                self._bell is not None, (self._bell and f"{self._bell.rings}") or ""
            )
        return found


def _make_folders(login: ImapLogin) -> None:
    """Have Dovecot make a mailbox's folders and their index in one session, before mail can come.

    Left to the first mail and the first reader, who come at the same instant, each locks what the other waits for:
    Dovecot panics ("Resource deadlock avoided") or says "Mailbox already exists", and the mail is told 451.
    """
    client = Client(login, 20)
    try:
        for folder in client.list_folders():
            client.folder_status(folder[2], ["UIDNEXT", "HIGHESTMODSEQ"])
        client.open("INBOX", readonly=True)
    finally:
        client.shutdown()


def _plain(address: str) -> str:
    """A folded mailbox address; one with the delimiter would shadow another's subaddresses."""
    folded = fold(address)
    if "+" in folded.rpartition("@")[0]:
        raise MailServerError(f"a mailbox address cannot contain '+': {address!r}")
    return folded
