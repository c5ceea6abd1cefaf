"""Postfix and Dovecot on lookup tables in PostgreSQL, as a role that only reads."""

from __future__ import annotations

import asyncio
import imaplib
import secrets
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mailserver.base import REFUSED
from mailserver.directory import Directory
from mailserver.imap import Client, ImapPool
from mailserver.lookup import Lookup
from mailserver.lookup_postgresql import READER
from tests.support.postgres_server import PostgresCluster
from tests.support.servers import embedded_server, postfix_server

pytestmark = pytest.mark.anyio
ALICE, BOB, INFO = "alice@x.test", "bob@x.test", "info@x.test"
MAIL = b"From: Eve <eve@far.test>\r\nTo: %s\r\nSubject: hello\r\n\r\nHi.\r\n"


def urls(cluster: PostgresCluster) -> dict[str, Any]:
    """A database with the tables, for their owner and for who may only read them, by the documented statements."""
    name, password = cluster.new_database().rpartition("/")[2], "p@ss word%/'#"
    owner = cluster.url(name)
    directory = Directory(Lookup(Path("none"), owner).storage())
    directory.open()
    directory.close()
    role = "reader_" + secrets.token_hex(4)
    quoted = password.replace("'", "''")
    for statement in READER.replace("postern_mail_reader", role).replace("'...'", f"'{quoted}'").split(";"):
        if statement.strip():
            cluster.run(statement, name)
    return {"lookup_url": owner, "lookup_reader_url": cluster.url(name, role, quote(password, safe=""))}


Start = Callable[[], AbstractAsyncContextManager[tuple[Any, ImapPool]]]


@pytest.fixture(params=["embedded", pytest.param("postfix", marks=pytest.mark.root)])
def start(request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresCluster) -> Start:
    make = embedded_server if request.param == "embedded" else postfix_server

    @asynccontextmanager
    async def started() -> AsyncIterator[tuple[Any, ImapPool]]:
        async with make(tmp_path, **await asyncio.to_thread(urls, postgres)) as server:
            pool = ImapPool(server.imap_login)
            try:
                await server.add_domain("x.test")
                await server.add_mailbox(ALICE, "secret-a")
                await server.add_mailbox(BOB)
                yield server, pool
            finally:
                await pool.close()

    return started


async def test_everything_is_looked_up_there(start: Start) -> None:
    async with start() as (server, pool):
        assert not list(server.settings.data_dir.rglob("lookup.db"))
        await server.set_alias(INFO, [ALICE])
        await server.set_alias("both@x.test", [ALICE, BOB])
        await server.set_alias("@x.test", [BOB])
        await server.set_alias("never@x.test", [REFUSED])
        await receive(server, "Info+tag@x.test")
        await receive(server, "who@x.test")
        await receive(server, ALICE, "both@x.test")
        # one copy of what was written to her and to an alias of hers and others; of several recipients at once
        # Dovecot names none
        assert await wait(pool, ALICE, 2) == ["Info+tag@x.test", "None"]
        assert await wait(pool, BOB, 2) == ["None", "who@x.test"]
        for address in ("never@x.test", "never+tag@x.test", "it's+sent-x@x.test", "alice+sent-x@x.test"):
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                await receive(server, address)
            assert refused.value.recipients[address][0] == 550
        # rows change without a reload
        await server.set_alias("@x.test", [])
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await receive(server, "who@x.test")
        await server.remove_mailbox(ALICE)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await receive(server, ALICE)
        assert server.directory.aliases() == {"both@x.test": (BOB,), "never@x.test": (REFUSED,)}


async def test_people_log_in_by_it(start: Start) -> None:
    async with start() as (server, _):
        await server.set_alias(INFO, [ALICE])
        imap, submission = server.access().imap, server.access().submission

        def log_in(user: str) -> str:
            client = imaplib.IMAP4(imap.host, imap.port)
            try:
                return client.login(user, "secret-a")[0]
            except client.error:
                return "NO"
            finally:
                client.shutdown()

        def submit(sender: str) -> None:
            with smtplib.SMTP(submission.host, submission.port, timeout=20) as client:
                client.login(ALICE, "secret-a")
                client.sendmail(
                    sender, [BOB], MAIL.replace(b"Eve <eve@far.test>", sender.encode()) % b"bob@x.test"
                )

        assert await asyncio.to_thread(log_in, ALICE) == "OK"
        # an alias is no login, nor opens anybody a mailbox
        assert await asyncio.to_thread(log_in, INFO) == "NO"
        await asyncio.to_thread(submit, INFO)
        with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused)):
            await asyncio.to_thread(submit, BOB)


async def receive(server: Any, *recipients: str) -> None:
    end = server.access().smtp

    def go() -> None:
        with smtplib.SMTP(end.host, end.port, timeout=20) as client:
            client.sendmail("eve@far.test", list(recipients), MAIL % recipients[0].encode())

    await asyncio.to_thread(go)


async def wait(pool: ImapPool, address: str, count: int) -> list[str]:
    """The Delivered-To of each message, sorted: what was written to, or the mailbox for an alias of several."""

    def look(client: Client) -> list[str]:
        client.open("INBOX", readonly=True)
        rows, _ = client.fetch_set("1:*", ["UID", "BODY.PEEK[]"])
        return [str(message_from_bytes(row[b"BODY[]"])["Delivered-To"]).strip("<>") for row in rows.values()]

    async with asyncio.timeout(20):
        while True:
            found = await pool.run(address, look)
            if len(found) >= count:
                return sorted(found)
            await asyncio.sleep(0.05)
