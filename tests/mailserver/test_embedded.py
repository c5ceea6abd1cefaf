"""What only the embedded server does: its own receiver, submission listener, routing and child."""

from __future__ import annotations

import asyncio
import os
import smtplib
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from mailserver import process
from mailserver.base import Envelope, MailServerError
from mailserver.embedded import EmbeddedServer, EmbeddedSettings, Limits, Resolver
from mailserver.imap import Client, ImapPool
from mailserver.machine import run_dir_for
from tests.support.servers import NameServer, Recorder, Sink, data_directory, dovecot_missing, embedded_server

pytestmark = pytest.mark.anyio
ALICE = "alice@x.test"


async def stored(server: EmbeddedServer, folder: str = "INBOX") -> list[bytes]:
    pool = ImapPool(server.imap_login)

    def look(client: Client) -> list[bytes]:
        client.open(folder, readonly=True)
        return [row[b"BODY[]"] for _, row in sorted(client.fetch_set("1:*", ["BODY.PEEK[]"])[0].items())]

    try:
        return await pool.run(ALICE, look)
    finally:
        await pool.close()


async def talk(server: EmbeddedServer, *blocks: bytes) -> list[bytes]:
    """Send blocks raw, each after the reply to the one before; the replies."""
    end = server.access().smtp
    reader, writer = await asyncio.open_connection(end.host, end.port)
    replies = [await reader.readline()]
    for block in blocks:
        writer.write(block)
        async with asyncio.timeout(10):
            line = await reader.readline()
            while line[3:4] == b"-":
                line = await reader.readline()
        replies.append(line)
    writer.close()
    await writer.wait_closed()
    return replies


async def provisioned(server: EmbeddedServer) -> None:
    await server.add_domain("x.test")
    await server.add_mailbox(ALICE, "secret-a")


HEAD = (b"EHLO c.test\r\n", b"MAIL FROM:<> SIZE=100 RET=HDRS ENVID=a+2Bb\r\n")
RCPT = b"RCPT TO:<alice@x.test> NOTIFY=NEVER ORCPT=rfc822;a@b\r\n"


async def test_receiver_normalises_and_completes(tmp_path: Path) -> None:
    async with embedded_server(tmp_path, hostname="mx.x.test") as server:
        await provisioned(server)
        forged = b"Authentication-Results: (hi) mx.X.test; dkim=pass\r\nAuthentication-Results: far.test; spf=pass\r\n"
        body = (
            b"Subject: s\r\n\r\none\ntwo\rthree\0four\n.\nMAIL FROM:<x@y>\r\n..dot\r\n"
            + b"l" * 5000
            + b"\r\n.\r\n"
        )
        replies = await talk(server, *HEAD, RCPT, b"DATA\r\n", forged + body, b"QUIT\r\n")
        assert [one[:3] for one in replies] == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
        (mail,) = await stored(server)
        assert b"one\r\ntwo\r\nthreefour\r\n.\r\nMAIL FROM:<x@y>\r\n.dot\r\n" in mail
        assert mail.count(b"\n") == mail.count(b"\r\n")
        assert b"mx.X.test; dkim=pass" not in mail
        assert b"far.test; spf=pass" in mail
        assert mail.startswith(b"Return-Path: <>\r\nDelivered-To: alice@x.test\r\n")
        assert b"by mx.x.test with ESMTP id " in mail
        assert mail.count(b"\r\nReceived: ") == 1
        assert b"\r\nMessage-ID: <" in mail
        assert b"\r\nDate: " in mail


async def test_loops_limits_and_sizes_are_refused(tmp_path: Path) -> None:
    limits = Limits(message_size=2000, recipients=2, connections_per_address=2)
    async with embedded_server(tmp_path, limits=limits) as server:
        await provisioned(server)
        loop = b"Received: from a by b; now\r\n" * 51 + b"\r\nx\r\n.\r\n"
        replies = await talk(server, *HEAD, RCPT, b"DATA\r\n", loop)
        assert replies[-1].startswith(b"554 5.4.6")
        replies = await talk(server, *HEAD, RCPT, b"DATA\r\n", b"a: b\r\n\r\n" + b"x\r\n" * 900 + b".\r\n")
        assert replies[-1].startswith(b"552")
        tags = [b"RCPT TO:<alice+%d@x.test>\r\n" % n for n in range(3)]
        replies = await talk(server, *HEAD, *tags)
        assert [one[:3] for one in replies[-3:]] == [b"250", b"250", b"452"]
        end = server.access().smtp
        held = [await asyncio.open_connection(end.host, end.port) for _ in range(3)]
        greetings = [(await reader.readline())[:3] for reader, _ in held]
        assert greetings == [b"220", b"220", b"421"]
        for _, writer in held:
            writer.transport.abort()
        assert await stored(server) == []


async def test_dovecot_down_is_451_then_it_comes_back(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as server:
        await provisioned(server)
        assert server._dovecot is not None
        pid = server._dovecot.pid
        assert pid is not None
        for one in process.below(server._dovecot.config.run):
            if one == pid:
                os.kill(one, 9)
        replies = await talk(server, *HEAD, RCPT, b"DATA\r\n", b"Subject: x\r\n\r\nx\r\n.\r\n")
        async with asyncio.timeout(15):
            while not replies[-1].startswith(b"250"):
                assert replies[-1].startswith(b"451"), replies
                await asyncio.sleep(0.2)
                replies = await talk(server, *HEAD, RCPT, b"DATA\r\n", b"Subject: x\r\n\r\nx\r\n.\r\n")
        assert server._dovecot.pid != pid
        assert len(await stored(server)) == 1


async def test_people_submit_under_their_own_address_only(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as server:
        await provisioned(server)
        end = server.access().submission
        recorder: Recorder = server.recorder  # type: ignore[attr-defined]
        good = b"From: Alice <alice@x.test>\r\nTo: b@far.test\r\nSubject: s\r\n\r\nhi\r\n"

        def submit(password: str, sender: str, rcpt: str, data: bytes) -> Any:
            with smtplib.SMTP(end.host, end.port, timeout=20) as client:
                client.login(ALICE, password)
                return client.sendmail(sender, rcpt, data)

        await asyncio.to_thread(submit, "secret-a", ALICE, "b@far.test", good)
        (job,) = recorder.submissions
        assert (job.login, job.mail_from, job.recipients) == (ALICE, ALICE, ("b@far.test",))
        assert b"Message-ID: <" in job.data
        for password, sender, rcpt, data in (
            ("wrong", ALICE, "b@far.test", good),
            ("secret-a", "bob@x.test", "b@far.test", good),
            ("secret-a", ALICE, "b@far.test", good.replace(b"<alice", b"<bob")),
            ("secret-a", ALICE, server.sent_address(ALICE), good),
        ):
            with pytest.raises(smtplib.SMTPException):
                await asyncio.to_thread(submit, password, sender, rcpt, data)
        recorder.refuse = MailServerError("suppressed")
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await asyncio.to_thread(submit, "secret-a", ALICE, "b@far.test", good)
        assert refused.value.smtp_code == 550
        assert len(recorder.submissions) == 1


async def test_mx_routing(tmp_path: Path) -> None:
    async with Sink({"bad@far.test": "550 5.1.1 who?", "slow@far.test": "451 4.2.1 later"}) as sink:
        zones: dict[tuple[str, str], list[str] | None] = {
            ("far.test", "MX"): ["20 mx2.far.test.", "10 dead.far.test."],
            ("mx2.far.test", "A"): ["127.0.0.1"],
            ("dead.far.test", "A"): ["127.0.0.9"],  # nothing listens there
            ("plain.test", "A"): ["127.0.0.1"],
            ("null.test", "MX"): ["0 ."],
            ("broken.test", "MX"): None,
        }
        async with NameServer(zones) as names:
            resolver = Resolver(nameservers=("127.0.0.1",), port=names.port, timeout=1)
            async with embedded_server(
                tmp_path, resolver=resolver, allow_private_mx=True, mx_port=sink.port
            ) as server:
                await provisioned(server)
                people = ["a@far.test", "bad@far.test", "slow@far.test", "b@plain.test"]
                lost = ["c@null.test", "d@broken.test", "e@nowhere.test"]
                out = Envelope(ALICE, (*people, *lost), "Subject: s\r\n\r\n.\r\nü\r\n".encode(), "t")
                replies: dict[str, Any] = {}
                for hop in server.plan(out.recipients):
                    assert hop.kind == "mx"
                    replies |= await server.transmit(hop, out)
                codes = {address: (reply.code, reply.status) for address, reply in replies.items()}
                assert codes == {
                    "a@far.test": (250, "2.0.0"),
                    "bad@far.test": (550, "5.1.1"),
                    "slow@far.test": (451, "4.2.1"),
                    "b@plain.test": (250, "2.0.0"),
                    "c@null.test": (556, "5.1.10"),
                    "d@broken.test": (451, "4.4.3"),
                    "e@nowhere.test": (550, "5.1.2"),
                }
                assert [one.recipients for one in sink.messages] == [("a@far.test",), ("b@plain.test",)]
                assert sink.messages[0].data == out.data
                assert replies["a@far.test"].remote == "mx2.far.test"
                odd = ("eva..s.@far.test", '"eva s"@far.test')
                (hop,) = server.plan(odd)
                out = Envelope(ALICE, odd, b"Subject: 3\r\n\r\n", "t")
                assert {one.code for one in (await server.transmit(hop, out)).values()} == {250}
                assert sink.messages[-1].recipients == ("eva..s.@far.test", '"eva s"@far.test')
                again = Envelope(ALICE, ("a@far.test",), b"Subject: 2\r\n\r\n", "t")
                connections = sink.connections
                (hop,) = server.plan(again.recipients)
                await server.transmit(hop, again)
                assert sink.connections == connections  # kept


async def test_private_addresses_are_not_mailed(tmp_path: Path) -> None:
    zones: dict[tuple[str, str], list[str] | None] = {("far.test", "A"): ["127.0.0.1"]}
    async with NameServer(zones) as names:
        resolver = Resolver(nameservers=("127.0.0.1",), port=names.port, timeout=1)
        async with embedded_server(tmp_path, resolver=resolver) as server:
            (hop,) = server.plan(["a@far.test"])
            answers = await server.transmit(hop, Envelope("", ("a@far.test",), b"x"))
            assert answers["a@far.test"].status == "5.4.4"


async def test_nothing_is_left_after_stop_and_mail_survives(tmp_path: Path) -> None:
    if reason := dovecot_missing():
        pytest.skip(reason)
    with data_directory(tmp_path) as data:
        for round in (1, 2):
            server = EmbeddedServer(EmbeddedSettings(data_dir=data))
            recorder = Recorder()
            await server.start(recorder.on_hint, recorder.on_submission)
            await provisioned(server)
            await talk(server, *HEAD, RCPT, b"DATA\r\n", b"Subject: x\r\n\r\nx\r\n.\r\n")
            assert len(await stored(server)) == round
            sent = server.sent_address(ALICE)
            run = server._dovecot.config.run
            await server.stop()
            assert process.below(run) == []
        server = EmbeddedServer(EmbeddedSettings(data_dir=data))
        server._open()
        assert server.sent_address(ALICE) == sent  # the secret is kept
        server.directory.close()


SERVE = """
import asyncio, sys
from pathlib import Path
from mailserver.embedded import EmbeddedServer, EmbeddedSettings

async def main():
    async def submit(job): return "q"
    server = EmbeddedServer(EmbeddedSettings(data_dir=Path(sys.argv[1])))
    await server.start(lambda hint: None, submit)
    await server.add_domain("x.test"); await server.add_mailbox("alice@x.test")
    print(server.access().smtp.port, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_sigkill_of_the_gateway_leaves_no_daemon_and_loses_no_mail(tmp_path: Path) -> None:
    if reason := dovecot_missing():
        pytest.skip(reason)
    with data_directory(tmp_path) as data:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVE, str(data), stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        port = int(await asyncio.wait_for(child.stdout.readline(), 20))

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", port) as client:
                client.sendmail("e@far.test", ALICE, b"Subject: kept\r\n\r\n")

        await asyncio.to_thread(send)
        assert process.below(data / "run")
        child.kill()
        await child.wait()
        async with asyncio.timeout(10):
            while True:
                if not process.below(data / "run"):
                    break
                await asyncio.sleep(0.05)
        async with embedded_server(tmp_path, data_dir=data) as server:
            assert server.is_local(ALICE)
            assert len(await stored(server)) == 1


async def test_long_data_path_still_gets_sockets(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="postern-") as top:
        os.chmod(top, 0o755)
        data = Path(top) / ("d" * 90)
        async with embedded_server(tmp_path, data_dir=data) as server:
            await provisioned(server)
            replies = await talk(server, *HEAD, RCPT, b"DATA\r\n", b"Subject: x\r\n\r\nx\r\n.\r\n")
            assert replies[-1].startswith(b"250")


async def test_a_taken_port_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken, data_directory(tmp_path) as data:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = EmbeddedServer(EmbeddedSettings(data_dir=data, imap_port=taken.getsockname()[1]))
        recorder = Recorder()
        with pytest.raises(MailServerError):
            await server.start(recorder.on_hint, recorder.on_submission)
        assert process.below(run_dir_for(data)) == []
