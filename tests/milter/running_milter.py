"""``postern milter`` in a process of its own, and a Postfix that asks it."""

from __future__ import annotations

import asyncio
import os
import signal
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dkim

from gateway.milter.key_files import KeyFiles
from gateway.mime.dkim_sign import Signing, generate_key
from mailserver.imap import Client, ImapPool
from mailserver.process import below
from tests.support.servers import NameServer, postfix_server

HOST = "mx.x.test"
ALICE = "alice@x.test"
PRIVATE, PUBLIC = generate_key(1024)
KEY = Signing("x.test", "now", PRIVATE)
FAR, FAR_PUBLIC = generate_key(1024)
ZONES = {
    "now._domainkey.x.test": f'"{PUBLIC}"',
    "s._domainkey.far.test": f'"{FAR_PUBLIC}"',
    "s._domainkey.list.test": f'"{FAR_PUBLIC}"',
    "_dmarc.far.test": '"v=DMARC1; p=reject"',
}


@dataclass
class Milter:
    """A ``postern milter``; ``address`` as in mail.milter."""

    directory: Path
    dns_port: int
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"unix:{self.directory}/milter.sock"

    @property
    def keys(self) -> KeyFiles:
        return KeyFiles(self.directory / "data" / "dkim")

    @property
    def log(self) -> str:
        return (self.directory / "milter.log").read_text("utf-8", "replace")

    def start(self) -> None:
        """Start it and wait until it answers."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
        wanted = {
            "MAIL_HOSTNAME": HOST,
            "MAIL_MILTER": self.address,
            "DATA_DIR": str(self.directory / "data"),
            "DNS_NAMESERVERS": "127.0.0.1",
            "DNS_PORT": str(self.dns_port),
            "DNS_TIMEOUT": "2",
            "MAIL_TRUSTED_SEALERS": "list.test",
        }
        kept |= {f"POSTERN_{name}": value for name, value in wanted.items()}
        socket = self.directory / "milter.sock"
        socket.unlink(missing_ok=True)
        log_file = self.directory / "milter.log"
        # an earlier process of this log has said it too; the socket is there a moment before anyone listens
        said_before = self.log.count("answering at") if log_file.exists() else 0
        with open(log_file, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway.cli.main", "milter"], env=kept, stdout=log, stderr=log
            )
        end = time.monotonic() + 60
        while self.log.count("answering at") == said_before:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.05)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(20)


@contextmanager
def milter(dns_port: int) -> Iterator[Milter]:
    with tempfile.TemporaryDirectory(prefix="postern-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        made = Milter(directory, dns_port)
        made.keys.replace([KEY])
        made.start()
        try:
            yield made
        finally:
            if made.process is not None and made.process.poll() is None:
                made.end()
            assert not below(directory), "a process of the milter is left"


class Post:
    """A Postfix with a milter before it, and the mailbox of Alice."""

    def __init__(self, server: Any, pool: ImapPool, asked: Milter, names: NameServer) -> None:
        self.server = server
        self.pool = pool
        self.milter = asked
        self.names = names

    async def receive(self, *mails: bytes, sender: str = "eve@far.test") -> None:
        """Mails from the world, on one connection."""
        end = self.server.access().smtp

        def go() -> None:
            with smtplib.SMTP(end.host, end.port, timeout=60) as client:
                for mail in mails:
                    client.sendmail(sender, [ALICE], mail, ["BODY=8BITMIME"])

        await asyncio.to_thread(go)

    async def submit(self, *mails: bytes, login: str = ALICE, to: str = ALICE) -> None:
        """What a person hands in. Raises smtplib's errors."""
        end = self.server.access().submission

        def go() -> None:
            with smtplib.SMTP(end.host, end.port, timeout=60) as client:
                client.login(login, "secret")
                for mail in mails:
                    client.sendmail(login, [to], mail)

        await asyncio.to_thread(go)

    async def arrived(self, *subjects: str) -> list[bytes]:
        """The mails of these subjects in Alice's inbox, waited for, in this order."""

        def look(client: Client) -> list[bytes]:
            client.open("INBOX", readonly=True)
            rows, _ = client.fetch_set("1:*", ["UID", "BODY.PEEK[]"])
            return [row[b"BODY[]"] for row in rows.values()]

        async with asyncio.timeout(90):
            while True:
                found = {_subject(one): one for one in await self.pool.run(ALICE, look)}
                if all(one in found for one in subjects):
                    return [found[one] for one in subjects]
                await asyncio.sleep(0.1)

    def dkim(self, mail: bytes) -> bool:
        """What dkimpy says of the signature of a delivered mail."""

        def key(name: bytes, timeout: float = 5) -> bytes | None:
            texts = self.names.zones.get((name.decode().rstrip("."), "TXT"))
            return texts[0].replace('"', "").encode() if texts else None

        return bool(dkim.DKIM(mail).verify(0, key))


def _subject(mail: bytes) -> str:
    return mail.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode()


@asynccontextmanager
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    """A started Postfix that asks a started milter, which asks a name server."""
    async with NameServer({(name, "TXT"): [text] for name, text in ZONES.items()}) as names:
        with milter(names.port) as asked:
            async with postfix_server(
                tmp_path, hostname=HOST, milter=asked.address, message_size=80 * 1024 * 1024
            ) as server:
                pool = ImapPool(server.imap_login)
                try:
                    await server.add_domain("x.test")
                    await server.add_mailbox(ALICE, "secret")
                    await server.add_mailbox("bob@x.test", "secret")
                    yield Post(server, pool, asked, names)
                finally:
                    await pool.close()
