"""What every mail server must do, run on each implementation."""

from __future__ import annotations

import asyncio
import imaplib
import itertools
import smtplib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from mailserver.base import Envelope, MailServerError
from mailserver.imap import Client, ImapPool
from tests.support.servers import Sink, embedded_server, postfix_server

pytestmark = pytest.mark.anyio
ALICE, BOB = "alice@x.test", "bob@x.test"
MAIL = b"From: Eve <eve@far.test>\r\nTo: alice@x.test\r\nSubject: hello\r\nMessage-ID: <%d@far.test>\r\n\r\nHi.\r\n"


class OwnGateway:
    """A started server with two mailboxes, and shorthands."""

    def __init__(self, server: Any, pool: ImapPool) -> None:
        self.server = server
        self.pool = pool
        self.recorder = server.recorder

    async def smtp(self, rcpt: list[str] | str, data: bytes = MAIL % 1, sender: str = "eve@far.test") -> Any:
        end = self.server.access().smtp

        def go() -> Any:
            # a sender waits ten minutes for the reply to a message (RFC 5321 §4.5.3.2.6)
            with smtplib.SMTP(end.host, end.port, timeout=90) as client:
                return client.sendmail(sender, rcpt, data)

        return await asyncio.to_thread(go)

    async def raw(
        self, address: str, folder: str = "INBOX", count: int = 1
    ) -> list[tuple[bytes, tuple[bytes, ...]]]:
        """(bytes, flags) of each message, waited for until ``count`` are there."""

        def look(client: Client) -> list[tuple[bytes, tuple[bytes, ...]]]:
            client.open(folder, readonly=True)
            rows, _ = client.fetch_set("1:*", ["UID", "BODY.PEEK[]", "FLAGS"])
            return [(row[b"BODY[]"], row[b"FLAGS"]) for _, row in sorted(rows.items())]

        async with asyncio.timeout(15):
            while True:
                found = await self.pool.run(address, look)
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.05)


Start = Callable[..., AbstractAsyncContextManager[OwnGateway]]


@pytest.fixture(params=["embedded", pytest.param("postfix", marks=pytest.mark.root)])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Start:
    make = embedded_server if request.param == "embedded" else postfix_server

    @asynccontextmanager
    async def started(**overrides: Any) -> AsyncIterator[OwnGateway]:
        async with make(tmp_path, **overrides) as server:
            pool = ImapPool(server.imap_login)
            try:
                await server.add_domain("x.test")
                await server.add_mailbox(ALICE, "secret-a")
                await server.add_mailbox(BOB)
                yield OwnGateway(server, pool)
            finally:
                await pool.close()

    return started


def envelope(data: bytes, *recipients: str, token: str = "t1", message_id: str = "<m1@x.test>") -> Envelope:
    return Envelope(ALICE, recipients, data, token, message_id, ALICE)


OUT = (
    b"From: alice@x.test\r\nTo: bob@x.test\r\nSubject: out\r\nMessage-ID: <m1@x.test>\r\n\r\nbody\r\n.dot\r\n"
)


async def test_mail_comes_in_and_everyone_sees_it(start: Start) -> None:
    async with start() as running:
        await running.smtp([ALICE, "Alice+Tag@X.test"])
        (data, flags), *_ = await running.raw(ALICE)
        assert b"Subject: hello\r\n" in data
        assert data.endswith(b"\r\n\r\nHi.\r\n")
        assert b"\\Seen" not in flags
        hint = await running.recorder.hint(lambda h: h.kind == "new")
        assert (hint.address, hint.folder) == (ALICE, "INBOX")
        imap = running.server.access().imap

        def person() -> tuple[str, Any]:
            client = imaplib.IMAP4(imap.host, imap.port)
            client.login("alice@x.test", "secret-a")
            client.select("INBOX")
            answer = client.store("1", "+FLAGS", "(\\Flagged)")
            folders = b" ".join(cast(Any, client.list()[1]))
            client.logout()
            return answer[0], folders

        answer, folders = await asyncio.to_thread(person)
        assert answer == "OK"
        for use in (b"\\Sent", b"\\Drafts", b"\\Trash", b"\\Junk"):
            assert use in folders
        await running.recorder.hint(lambda h: h.kind == "flags" and h.address == ALICE)


async def test_wrong_password_or_none_opens_nothing(start: Start) -> None:
    async with start() as running:
        imap = running.server.access().imap
        places = itertools.count(2)

        class From(imaplib.IMAP4):
            """A client at an address of its own: Dovecot lets one that failed wait ever longer."""

            def _create_socket(self, timeout: float | None) -> socket.socket:
                return socket.create_connection(
                    (imap.host, imap.port), timeout, source_address=(f"127.0.0.{next(places)}", 0)
                )

        def login(user: str, password: str) -> str:
            client = From(imap.host, imap.port)
            try:
                return client.login(user, password)[0]
            except imaplib.IMAP4.error:
                return "refused"
            finally:
                client.shutdown()

        tries = [(ALICE, "wrong"), ("alice@x.test*postern", "wrong")]
        found = await asyncio.gather(*(asyncio.to_thread(login, *one) for one in tries))
        assert found == ["refused"] * len(tries)
        await running.server.set_password(ALICE, None)
        assert await asyncio.to_thread(login, ALICE, "secret-a") == "refused"
        await running.server.set_password(ALICE, "other")
        assert await asyncio.to_thread(login, ALICE, "other") == "OK"


async def test_many_labels_and_long_ones(start: Start) -> None:
    async with start() as running:
        await running.smtp(ALICE)
        await running.raw(ALICE)
        labels = [f"label-{number}-{'x' * 180}".encode() for number in range(60)]

        def store(client: Client) -> Any:
            client.open("INBOX")
            client.add_flags([1], labels)
            return client.fetch_set("1", ["FLAGS"])[0][1][b"FLAGS"]

        assert set(labels) <= set(await running.pool.run(ALICE, store))


async def test_unknown_recipient_relay_and_sent_folder_are_refused(start: Start) -> None:
    async with start() as running:
        sent = running.server.sent_address(ALICE)
        for recipient in ("nobody@x.test", sent, sent.upper(), "a@elsewhere.test"):
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                await running.smtp(recipient)
            code, text = refused.value.recipients[recipient]
            assert code in (550, 554), text
            if "x.test" in recipient:
                assert (code, b"5.1.1" in text) == (550, True)
        assert running.server.is_local("ALICE+x@X.TEST")
        assert not running.server.is_local("nobody@x.test")


async def test_removed_mailbox_leaves_no_byte_and_comes_back_empty(start: Start) -> None:
    async with start() as running:
        await running.smtp(ALICE, MAIL.replace(b"Hi.", b"needle-in-the-mail") % 1)
        await running.raw(ALICE)
        mail = running.server.settings.data_dir / "mail"

        def holders() -> list[Path]:
            return [p for p in mail.rglob("*") if p.is_file() and b"needle-in-the-mail" in p.read_bytes()]

        assert holders()
        imap = running.server.access().imap
        person = await asyncio.to_thread(imaplib.IMAP4, imap.host, imap.port)
        await asyncio.to_thread(person.login, ALICE, "secret-a")
        await asyncio.to_thread(person.select, "INBOX")
        await running.server.remove_mailbox(ALICE)
        assert not [path for path in mail.iterdir() if path.name.startswith("alice")]
        with pytest.raises((imaplib.IMAP4.abort, OSError)):  # the session ended with the mailbox
            await asyncio.to_thread(
                person.append, "INBOX", None, None, b"Subject: late\r\n\r\nneedle-in-the-mail\r\n"
            )
        person.shutdown()
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await running.smtp(ALICE)
        again = await asyncio.to_thread(imaplib.IMAP4, imap.host, imap.port)
        with pytest.raises(imaplib.IMAP4.error):
            await asyncio.to_thread(again.login, ALICE, "secret-a")
        again.shutdown()
        await running.server.remove_mailbox(ALICE)  # safe to repeat
        await running.pool.drop(ALICE)
        await running.server.add_mailbox(ALICE)
        assert await running.raw(ALICE, count=0) == []
        assert holders() == []


async def test_local_transmit_delivers_and_files_a_seen_copy(start: Start) -> None:
    async with start() as running:
        sent = running.server.sent_address(ALICE)
        out = envelope(OUT, BOB, sent, "nobody@x.test")
        assert not await running.server.was_submitted(out)
        replies: dict[str, Any] = {}
        for hop in running.server.plan(out.recipients):
            replies |= await running.server.transmit(hop, out)
        assert replies[BOB].ok
        assert replies[sent].ok
        assert (replies["nobody@x.test"].code, replies["nobody@x.test"].status) == (550, "5.1.1")
        (copy, flags), *_ = await running.raw(ALICE, "Sent")
        assert b"\\Seen" in flags
        assert copy.endswith(OUT.partition(b"\r\n\r\n")[2])
        assert b"\r\nDelivered-To: " + sent.encode() + b"\r\n" in copy  # marks it as the sender's own
        assert b"\r\nReceived:" in (await running.raw(BOB))[0][0]
        assert b"Subject: out" in (await running.raw(BOB))[0][0]
        inbox = await running.raw(ALICE, "INBOX", count=0)  # Postfix's own DSN may be there
        assert [one for one, _ in inbox if b"\r\nSubject: out" in one.partition(b"\r\n\r\n")[0]] == []
        assert await running.server.was_submitted(out)
        await running.recorder.hint(lambda h: h.folder == "Sent" and h.kind == "new")


async def test_remote_transmit_by_smarthost(start: Start) -> None:
    from mailserver.embedded import Smarthost

    async with (
        Sink({"bad@far.test": "550 5.1.1 who?"}) as sink,
        start(smarthost=Smarthost(host="127.0.0.1", port=sink.port, tls="none")) as running,
    ):
        out = envelope(OUT, "eve@far.test", running.server.sent_address(ALICE))
        replies: dict[str, Any] = {}
        for hop in running.server.plan(out.recipients):
            replies |= await running.server.transmit(hop, out)
        assert all(reply.ok for reply in replies.values()), replies
        (got,) = await sink.wait(1)
        assert (got.mail_from, got.recipients) == (ALICE, ("eve@far.test",))
        assert got.data.endswith(b"body\r\n.dot\r\n")
        await running.raw(ALICE, "Sent")


async def test_reconcile_makes_the_tables_as_listed(start: Start) -> None:
    async with start() as running:
        await running.smtp(ALICE)
        await running.raw(ALICE)
        await running.server.reconcile(["x.test", "y.test"], [ALICE, "carol@y.test"], {})
        assert len(await running.raw(ALICE)) == 1
        await running.smtp("carol@y.test")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await running.smtp(BOB)
        await running.server.reconcile(["x.test"], [ALICE], {})
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await running.smtp("carol@y.test")
        homes = [path.name for path in (running.server.settings.data_dir / "mail").iterdir()]
        assert [name.partition("~")[0] for name in homes] == [ALICE]


async def test_works_without_push(start: Start) -> None:
    async with start(push=False) as running:
        assert not running.server.has_push
        await running.smtp(ALICE)
        assert len(await running.raw(ALICE)) == 1
        assert running.recorder.hints == []


async def test_health_names_each_daemon(start: Start) -> None:
    async with start() as running:
        parts = await running.server.health()
        assert all(part.ok for part in parts.values()), parts
        assert "dovecot" in parts


async def test_addresses_no_table_may_hold_are_refused(start: Start) -> None:
    async with start() as running:
        for bad in (
            "a+sent-b@x.test",
            "no-at",
            "o'brien@x.test",
            "é@x.test",
            "a b@x.test",
            "a'\r\n@x.test",
            "@x.test",
            "../../etc@x..test",
        ):
            with pytest.raises(MailServerError):
                await running.server.add_mailbox(bad)
        await running.server.add_mailbox("0.a-b_c@x.test")
        await running.server.add_mailbox("a+b%c@x.test")
        await running.smtp("0.a-b_c@x.test")
        assert len(await running.raw("0.a-b_c@x.test")) == 1


async def test_a_new_mailbox_takes_mail_and_readers_at_the_same_instant(start: Start) -> None:
    """Whoever comes first to a mailbox makes its folders: two at once made Dovecot panic over its own locks."""
    async with start() as running:
        names = [f"box{number}@x.test" for number in range(40)]

        def look(client: Client) -> int:
            for folder in ("INBOX", "Sent", "INBOX"):
                client.open(folder)
                client.folder_status(folder, ["MESSAGES", "HIGHESTMODSEQ"])
            return len(client.list_folders())

        at_once = asyncio.Semaphore(4)

        async def use(name: str) -> None:
            async with at_once:
                await running.server.add_mailbox(name)
                await asyncio.gather(
                    running.smtp(name, MAIL % 1),
                    running.pool.run(name, look),
                    running.smtp(name, MAIL % 2),
                    running.pool.run(name, look),
                )

        await asyncio.gather(*(use(name) for name in names))
        for name in names:
            assert len(await running.raw(name, count=2)) == 2
        log = running.server._dovecot._log.tail()
        assert "Panic" not in log
        assert "deadlock" not in log
