"""A Dovecot of our own: what it is set to, its configuration on disk, its process where we run it.

With ``manage`` the gateway renders the configuration and keeps the daemon as its child. Without it others (systemd)
run ``dovecot -F -c DATA/dovecot/dovecot.conf`` after ``postern mail render dovecot``, as the gateway's own user, and
the gateway only knows where everything is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mailserver import dovecot, process
from mailserver.base import Endpoint, MailServerDown, MailServerError, PartHealth
from mailserver.daemon_log import DaemonLog
from mailserver.lookup import Lookup
from mailserver.machine import answers, check_reachable, gateway_host, mail_user, run_dir_for
from mailserver.notifications import KEYS, LOGINS, notification_url
from mailserver.port_owner import listening, listens
from mailserver.ports import Wanted, check_free, held_ports
from mailserver.rendering import Rendered
from mailserver.server_key import ServerKey

log = logging.getLogger(__name__)

_KICK_SECONDS = 15.0
_CLOSING_SECONDS = 0.5
"""How long Dovecot may take to notice that sessions were closed, before what is left is kicked."""
_PROVEN_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DovecotSettings:
    """Settings both mail servers share.

    ``imap_port`` 0 takes any free one; the ports with TLS from the start are open where there is a certificate.
    ``run_dir`` None chooses one; ``mail_user`` None is the invoking user, or, when that is root, the first of
    postern, vmail, dovecot, nobody. ``bind`` is where people's IMAP listens (``*``: everywhere); the gateway itself
    uses loopback. ``sieve_port`` 0: people have no filters of their own. ``quota`` in octets, 0 without limit.
    ``outside_ports``: by which port others reach each of ours, where a container or router hands
    connections on; empty: as they are. ``lookup_url``: the PostgreSQL database of the lookup tables, empty for a SQLite
    file; see :class:`Lookup`. ``key_logins``: an API key may be the password; for IMAP, and for Postfix, this needs
    ``push`` and lookup tables in SQLite.
    """

    data_dir: Path
    hostname: str = "localhost"
    bind: str = "127.0.0.1"
    imap_port: int = 0
    imaps_port: int = 0
    submissions_port: int = 0
    sieve_port: int = 0
    outside_ports: Mapping[int, int] = field(default_factory=dict)
    mailbox_format: dovecot.MailboxFormat = "sdbox"
    quota: int = 0
    lookup_url: str = field(default="", repr=False)
    lookup_reader_url: str = field(default="", repr=False)
    push: bool = True
    key_logins: bool = True
    run_dir: Path | None = None
    mail_user: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure_dev: bool = False  # passwords without TLS from anywhere
    manage: bool = True  # False: others run the daemons
    doorbell_port: int = 0
    hear: bool = True  # False: another process of the gateway takes the notifications
    syslog: bool = False  # else Dovecot logs to the gateway, Postfix to a file beside its configuration

    @property
    def spool(self) -> Path:
        """Where large messages lie while they are received or sent; its files have no names."""
        return self.data_dir.absolute() / "spool"

    @property
    def lookup(self) -> Lookup:
        """Where the lookup tables are."""
        path = dovecot.lookup_path(self.data_dir.absolute())
        return Lookup(path, self.lookup_url, self.lookup_reader_url)

    @property
    def sends_by(self) -> Path | None:
        """The configuration of the Postfix that takes what people's filters send, if there is one."""
        return None

    @property
    def has_tls(self) -> bool:
        return self.tls_cert is not None and self.tls_key is not None


class PrivateDovecot:
    """One Dovecot. ``config`` says where everything of it is."""

    def __init__(
        self, settings: DovecotSettings, key: ServerKey, *, peer_group: str | None, notifications_port: int
    ) -> None:
        """``peer_group``: who besides us (Postfix) speaks to its sockets."""
        self._settings = settings
        self._key = key
        self._peer_group = peer_group
        self._notifications_port = notifications_port
        self._child: process.Child | None = None
        self._log = DaemonLog("dovecot")
        self._proven: tuple[int | None, int] | None = None
        self._proven_until = 0.0
        self.config = self._configure()

    def _configure(self) -> dovecot.DovecotConfig:
        settings = self._settings
        data = settings.data_dir.absolute()
        user, group = mail_user(settings.mail_user)
        peer = self._peer_group
        url = notification_url(self._notifications_port, self._key.doorbell) if settings.push else None
        # Dovecot's auth process panics where it has both an HTTP client and PostgreSQL at its start (2.3.19)
        asks_for_keys = settings.key_logins and not settings.lookup.postgresql
        return dovecot.DovecotConfig(
            data=data,
            run=settings.run_dir or run_dir_for(data),
            hostname=settings.hostname,
            user=user,
            group=group,
            imap_port=settings.imap_port,
            lookup=settings.lookup,
            bind=settings.bind,
            imaps_port=settings.imaps_port if settings.has_tls else 0,
            sieve_port=settings.sieve_port,
            mailbox_format=settings.mailbox_format,
            quota=settings.quota,
            postfix=settings.sends_by,
            push_url=url,
            logins_url=url + LOGINS if url else None,
            keys_url=url + KEYS if url and asks_for_keys else None,
            socket_group=peer,
            sasl=peer is not None,
            tls_cert=settings.tls_cert,
            tls_key=settings.tls_key,
            plain_auth=settings.insecure_dev,
            syslog=settings.syslog,
            master_secret=self._key.master,
            submit_secret=self._key.submit if peer else "",
        )

    @property
    def imap(self) -> Endpoint:
        """Where the gateway reads."""
        return Endpoint(gateway_host(self.config.bind), self.config.imap_port)

    @property
    def pid(self) -> int | None:
        """The process, where it is our child."""
        return self._child.pid if self._child else None

    # -- configuration on disk ----------------------------------------------------------------------

    def rendered(self) -> list[Rendered]:
        """Its files as they should be. Raises MailServerError for settings that no Dovecot can have."""
        return dovecot.rendered(self.config, self._dialect())

    def _dialect(self) -> dovecot.Dialect:
        config = self.config
        return dovecot.check_installation(config.lookup.driver, sieve=config.has_filters)

    def render(self) -> None:
        """Write its files and make its directories. Blocks."""
        config = self.config
        if os.geteuid() == 0:
            check_reachable(config.data, config.user)
        dovecot.write(config, self.rendered())

    # -- its process --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Render and run it. Raises MailServerError with the end of its log."""
        await asyncio.to_thread(self._end_stale)
        settings = self._settings
        wanted = [
            Wanted("IMAP", settings.imap_port, "--imap-port or mail.imap_port"),
            Wanted("IMAP with TLS", settings.imaps_port if settings.has_tls else 0, "mail.imaps_port"),
            Wanted("ManageSieve", settings.sieve_port, "mail.sieve_port"),
        ]
        await asyncio.to_thread(check_free, settings.bind, wanted)
        for attempt in range(4):
            with held_ports(settings.bind, (settings.imap_port, settings.imaps_port)) as (imap, imaps):
                tls = imaps if settings.has_tls else 0
                self.config = replace(self.config, imap_port=imap, imaps_port=tls)
                await asyncio.to_thread(self.render)
                self._child = self._daemon()
                if await self._child.start():
                    return
            # another program may have taken the free port we had found
            if settings.imap_port or attempt == 3:
                raise MailServerError(f"Dovecot did not start: {self._log.tail() or 'it said nothing'}")

    async def stop(self) -> None:
        if self._child is not None:
            child, self._child = self._child, None
            await child.stop()
            await asyncio.to_thread(self._end_stale)
            await child.read_out()

    def _daemon(self) -> process.Child:
        config = self.config
        groups = [self._peer_group, "postdrop"] if self._peer_group else []
        command = process.wrapped(
            [dovecot.dovecot_binary(), "-F", "-c", str(config.file)], config.user, config.group, groups
        )
        return process.Child(
            "dovecot",
            command,
            self._ready,
            before=self._end_stale,
            output=self._log.follow,
        )

    async def _ready(self) -> bool:
        return await answers(self.imap, b"* OK") and await asyncio.to_thread(self._is_ours)

    def _is_ours(self) -> bool:
        """Whether who listens at the IMAP port is the Dovecot we started, or that others run for us. Blocks."""
        port = self.config.imap_port
        if self._settings.manage:
            child = self._child
            if child is None or child.pid is None:
                return False
            # where the kernel does not say, it is the child that lives and has bound
            return listens(child.pid, port) is not False
        held = listening(port)
        mine = {0, os.geteuid(), pwd.getpwnam(self.config.user).pw_uid}
        return not held or {one.uid for one in held} <= mine

    def prove(self) -> None:
        """See that a password of ours goes to our Dovecot. Blocks for an instant. Raises MailServerDown when another
        program listens there, or nobody."""
        child = self._child
        now = time.monotonic()
        proven = (child.pid if child else None, self.config.imap_port)
        if self._proven == proven and (child is not None or now < self._proven_until):
            return
        if not self._is_ours():
            raise MailServerDown(
                f"port {self.config.imap_port} is not our Dovecot's: it is not running, or another program listens "
                "there; the gateway does not log in to it"
            )
        self._proven, self._proven_until = proven, now + _PROVEN_SECONDS

    def _end_stale(self) -> None:
        """End what an earlier run of ours left (its working directory is our run directory)."""
        run = self.config.run
        if run.is_dir():
            process.end(lambda: process.below(run))
            (run / "master.pid").unlink(missing_ok=True)

    # -- while it runs ------------------------------------------------------------------------------

    async def kick(self, addresses: list[str]) -> bool:
        """End IMAP sessions of these mailboxes; answers whether all have ended. Those that were just closed get a
        moment to be gone: with 2.3 a kick ends the whole process, and the others in it must reconnect."""
        wanted = set(addresses)
        if not wanted:
            return True
        # asked each time: where others run Dovecot, it may be upgraded while we run
        kick = (await asyncio.to_thread(self._dialect)).kick
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_KICK_SECONDS):
                await self._end_sessions(wanted, kick)
                return True
        log.warning(
            "sessions did not end within %g s: %s; the mail server's log may say why",
            _KICK_SECONDS,
            ", ".join(sorted(wanted)),
        )
        return False

    async def _end_sessions(self, wanted: set[str], kick: tuple[str, ...]) -> None:
        closing = asyncio.get_running_loop().time() + _CLOSING_SECONDS
        while True:
            listing = await self.doveadm("who", "-1")
            names = {line.split()[0] for line in listing.splitlines()[1:] if line.strip()}
            online = wanted & names
            if not online:
                return
            if asyncio.get_running_loop().time() > closing:
                for address in online:
                    await self.doveadm(*kick, address)
            await asyncio.sleep(0.05)

    async def doveadm(self, *words: str) -> str:
        """What doveadm(1) says on standard output."""
        config = self.config
        command = process.wrapped(["doveadm", "-c", str(config.file), *words], config.user, config.group)
        child = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            out, _ = await child.communicate()
        finally:
            if child.returncode is None:  # nobody waits for it any more
                child.kill()
                await child.wait()
        return out.decode("utf-8", "replace")

    async def health(self) -> PartHealth:
        child = self._child
        if self._settings.manage and (child is None or child.pid is None):
            return PartHealth(False, "not running")
        if not await answers(self.imap, b"* OK", 1.5):
            return PartHealth(False, f"IMAP does not answer at {self.imap.host}:{self.imap.port}")
        return PartHealth(True, f"{child.restarts} restarts" if child else "")
