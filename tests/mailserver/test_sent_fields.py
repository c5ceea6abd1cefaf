"""What only the copy in Sent has (Bcc): it is there, and on no other way out, local, relayed or direct."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailserver.base import Envelope
from mailserver.embedded import EmbeddedServer
from mailserver.embedded.settings import Smarthost
from mailserver.imap import Client
from mailserver.postfix_dovecot import PostfixServer
from mailserver.postfix_dovecot.config import postfix_binary
from tests.support.servers import Sink, embedded_server, postfix_server
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio
BCC = b"Bcc: Ms Hidden <hidden@far.test>,\r\n hidden@x.test\r\n"
DATA = b"From: alice@x.test\r\nTo: ann@far.test\r\nMessage-ID: <one@x.test>\r\nSubject: s\r\n\r\nBcc: not a field\r\n"
BOXES = ("bob", "carol", "dave", "hidden")
TOKEN = "t" * 16
PEOPLE = ("ann@far.test", "hidden@far.test", "bob@x.test", "hidden@x.test", "all@x.test")


@dataclass
class Way:
    """A started server and the world that it sends to."""

    server: EmbeddedServer | PostfixServer
    world: Sink

    async def send(self, fields: bytes) -> None:
        """Hand a message to everybody and to Sent, as the outbox does."""
        everyone = (*PEOPLE, self.server.sent_address("alice@x.test"))
        tokens = {one: chr(ord("a") + number) * 16 for number, one in enumerate(PEOPLE)}
        envelope = Envelope(
            f"alice+b-{TOKEN}@x.test",
            everyone,
            DATA,
            TOKEN,
            "<one@x.test>",
            "alice@x.test",
            tokens=tokens,
            sent_fields=fields,
        )
        for hop in self.server.plan(everyone):
            said = await self.server.transmit(hop, envelope)
            assert all(one.ok for one in said.values()), said

    async def mails(self, address: str, folder: str = "INBOX") -> list[bytes]:
        def read() -> list[bytes]:
            client = Client(self.server.imap_login(address))
            try:
                if not client.folder_exists(folder) or not client.open(folder, readonly=True)[b"EXISTS"]:
                    return []
                rows, _ = client.fetch_set("1:*", ["UID", "BODY.PEEK[]"])
                return [row[b"BODY[]"] for row in rows.values()]
            finally:
                client.logout()

        return await asyncio.to_thread(read)

    async def elsewhere(self) -> list[bytes]:
        """All copies but the one in Sent, once they are there."""

        async def arrived() -> list[bytes] | None:
            here = [mail for one in BOXES for mail in await self.mails(f"{one}@x.test")]
            away = self.world.messages
            whole = len(here) == len(BOXES) and sum(len(one.recipients) for one in away) == 2
            return [*here, *(one.data for one in away)] if whole else None

        found: list[bytes] = await until_async(arrived, 60)
        return found

    async def sent(self) -> bytes:
        [copy] = await until_async(lambda: self.mails("alice@x.test", "Sent"), 60)
        return copy


@asynccontextmanager
async def started(tmp_path: Path, kind: str) -> AsyncIterator[Way]:
    async with Sink() as world:
        relay = Smarthost(host="127.0.0.1", port=world.port, tls="none", verify=False)
        running = postfix_server if kind == "postfix" else embedded_server
        async with running(tmp_path, smarthost=relay) as server:
            await server.add_domain("x.test")
            for name in ("alice", *BOXES):
                await server.add_mailbox(f"{name}@x.test", "secret")
            await server.set_alias("all@x.test", ["carol@x.test", "dave@x.test"])
            yield Way(server, world)


@pytest.mark.parametrize("kind", ["embedded", "postfix"])
async def test_only_the_copy_in_sent_names_bcc(tmp_path: Path, kind: str) -> None:
    async with started(tmp_path, kind) as way:
        await way.send(BCC)
        copy = await way.sent()
        assert re.sub(rb"\s+", b" ", copy).count(b"Bcc: Ms Hidden <hidden@far.test>, hidden@x.test") == 1
        assert copy.endswith(DATA.split(b"\r\n\r\n")[1])
        for other in await way.elsewhere():
            head, _, body = other.partition(b"\r\n\r\n")
            assert b"bcc" not in head.lower()
            assert b"Ms Hidden" not in other
            assert body == b"Bcc: not a field\r\n", "text is left alone"
        assert await way.server.was_submitted(Envelope("", (), b"", "", "<one@x.test>", "alice@x.test"))


@pytest.mark.parametrize("kind", ["embedded", "postfix"])
async def test_a_field_longer_than_postfix_keeps_leaks_nothing(tmp_path: Path, kind: str) -> None:
    people = b",\r\n".join(b" person%d@secret.test" % number for number in range(8000))
    async with started(tmp_path, kind) as way:
        await way.send(b"Bcc:" + people + b"\r\n")
        assert b"person0@secret.test" in await way.sent()
        assert all(b"secret.test" not in other for other in await way.elsewhere())


async def test_a_postfix_with_its_old_configuration_drops_it_for_everybody(tmp_path: Path) -> None:
    """The gateway was upgraded, and set-up was not run again."""
    async with started(tmp_path, "postfix") as way:
        assert isinstance(way.server, PostfixServer)
        directory = way.server.settings.config_dir
        for name, lines in (
            ("main.cf", r"(?m)^(smtp|lmtp)_header_checks .*\n"),
            ("master.cf", r".*cleanup-gateway\n"),
        ):
            path = directory / name
            text = re.sub(lines, "", path.read_text())
            assert text != path.read_text()
            path.write_text(text)
        reload = [postfix_binary(), "-c", str(directory), "reload"]
        await asyncio.to_thread(subprocess.run, reload, check=True, capture_output=True)
        await way.send(BCC)
        assert all(b"Ms Hidden" not in one for one in [await way.sent(), *await way.elsewhere()])
