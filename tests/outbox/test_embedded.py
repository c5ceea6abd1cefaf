"""On the real embedded mail server: agents and people send, people get their bounces, nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import smtplib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient

from gateway.core.sending import submissions
from gateway.core.sending.reply import ReplyRequest, reply
from gateway.core.sending.send import SendRequest, send
from gateway.records.ids import MessageId, new_ulid, now_us
from gateway.records.inboxes import Inbox
from gateway.store import index, threads
from gateway.store.engine import Store
from gateway.store.json_columns import load
from gateway.store.queries.messages import unscoped_mail
from gateway.store.sql import sql
from gateway.sync.rebuild import rebuild
from mailserver.base import MailServerError, Submission
from mailserver.embedded.settings import Smarthost
from tests.outbox.running_outbox import SCOPE, RunningOutbox, running_outbox
from tests.support.databases import database_url
from tests.support.servers import Sink, embedded_server
from tests.support.waiting import until_async

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS"),  # loopback only
]


@asynccontextmanager
async def real(tmp_path: Path, **sink_answers: str) -> AsyncIterator[tuple[RunningOutbox, Sink]]:
    late: dict[str, RunningOutbox] = {}

    async def on_submission(submission: Submission) -> str:
        return await submissions.accept(late["rig"].core, submission)

    answers = {name.replace("_AT_", "@"): value for name, value in sink_answers.items()}
    async with (
        Sink(answers) as world,
        embedded_server(
            tmp_path / "mail",
            on_submission=on_submission,
            smarthost=Smarthost(host="127.0.0.1", port=world.port, tls="none"),
        ) as server,
        running_outbox(tmp_path, mail=server) as r,
    ):
        await server.add_domain("x.test")
        late["rig"] = r
        yield r, world


async def mailbox(r: RunningOutbox, address: str, organization: str | None = None) -> Inbox:
    await r.core.mail.add_mailbox(address, "secret")
    return await (r.inbox(address, organization) if organization else r.inbox(address))


async def person(r: RunningOutbox, address: str, work: Any) -> Any:
    end = r.core.mail.access().imap

    def run() -> Any:
        with IMAPClient(end.host, end.port, ssl=False) as client:
            client.login(address, "secret")
            return work(client)

    return await asyncio.to_thread(run)


async def subjects(r: RunningOutbox, address: str, folder: str = "INBOX") -> list[str]:
    def read(client: IMAPClient) -> list[str]:
        if not client.folder_exists(folder):
            return []
        client.select_folder(folder, readonly=True)
        uids = client.search()
        return (
            [row[b"ENVELOPE"].subject.decode() for row in client.fetch(uids, ["ENVELOPE"]).values()]
            if uids
            else []
        )

    return sorted(await person(r, address, read))


async def test_local_remote_and_one_sent_copy(tmp_path: Path) -> None:
    async with real(tmp_path, refuse_AT_world="550 5.1.1 nobody") as (r, world):
        world.answers["refuse@world.test"] = "550 5.1.1 nobody here"
        agent = await mailbox(r, "agent@x.test")
        await mailbox(r, "friend@x.test")
        sent = await send(
            r.core,
            SCOPE,
            agent,
            SendRequest(
                to=["friend@x.test", "bob@world.test"], bcc=["refuse@world.test"], subject="one", text="t"
            ),
        )
        states = await r.settled(sent.message_id)
        assert states == {
            "friend@x.test": "delivered",
            "bob@world.test": "sent",
            "refuse@world.test": "bounced",
            "sent": "delivered",
        }
        assert await subjects(r, "friend@x.test") == ["one"]
        assert await subjects(r, "agent@x.test", "Sent") == ["one"]
        assert await subjects(r, "agent@x.test") == []
        assert [one.recipients for one in world.messages] == [("bob@world.test",)]
        token = await r.value("SELECT token FROM outbox_recipient WHERE address = 'bob@world.test'")
        assert world.messages[0].mail_from == f"agent+b-{token}@x.test"
        missing = await send(r.core, SCOPE, agent, SendRequest(to=["nobody@x.test"], subject="two"))
        assert (await r.settled(missing.message_id))["nobody@x.test"] == "bounced"


async def test_reply_marks_the_original_answered(tmp_path: Path) -> None:
    async with real(tmp_path) as (r, _):
        agent = await mailbox(r, "agent@x.test")
        raw = b"From: bob@world.test\r\nTo: agent@x.test\r\nSubject: q\r\nMessage-ID: <q@world.test>\r\n\r\n?\r\n"
        end = r.core.mail.access().smtp
        await asyncio.to_thread(_deliver, end.host, end.port, "agent@x.test", raw)
        parsed = await r.core.parser.parse(raw)
        ulid = new_ulid()

        def look(client: IMAPClient) -> tuple[int, int]:
            opened = client.select_folder("INBOX", readonly=True)
            return int(opened[b"UIDVALIDITY"]), client.search()[0]

        validity, uid = await person(r, "agent@x.test", look)

        def write(tx: Any) -> None:
            placed = index.insert_message(
                tx, agent, MessageId(ulid), parsed, direction="inbound", status="received", at=now_us()
            )
            threads.refresh(tx, placed.thread_id, now_us())
            sql(tx).run(
                "INSERT INTO folder (id, inbox_id, name, role, uidvalidity, uidnext, highestmodseq, synced_at) "
                "VALUES (1, ?, 'INBOX', 'inbox', ?, 2, 1, 0)",
                agent.id,
                validity,
            )
            sql(tx).run(
                "INSERT INTO location (folder_id, uid, message_id, inbox_id) VALUES (1, ?, ?, ?)",
                uid,
                ulid,
                agent.id,
            )

        await r.core.store.write(write)
        original = await r.core.store.read(lambda tx: unscoped_mail(tx, MessageId(ulid)))
        assert original is not None
        await reply(r.core, SCOPE, agent, original, ReplyRequest(text="!"))

        def flags(client: IMAPClient) -> Any:
            client.select_folder("INBOX", readonly=True)
            return client.get_flags([uid])[uid]

        assert b"\\Answered" in await person(r, "agent@x.test", flags)


def _deliver(host: str, port: int, to: str, raw: bytes) -> None:
    with smtplib.SMTP(host, port, timeout=20) as smtp:
        smtp.sendmail("bob@world.test", [to], raw)


async def _submit(r: RunningOutbox, who: str, to: list[str], raw: bytes) -> None:
    end = r.core.mail.access().submission

    def run() -> None:
        with smtplib.SMTP(end.host, end.port, timeout=20) as smtp:
            smtp.login(who, "secret")
            smtp.sendmail(who, to, raw)

    await asyncio.to_thread(run)


async def test_a_person_submits_and_gets_bounces_as_mail(tmp_path: Path) -> None:
    async with real(tmp_path) as (r, world):
        world.answers["gone@world.test"] = "550 5.1.1 X-Evil:\tgone"
        await mailbox(r, "person@x.test")
        await mailbox(r, "friend@x.test")
        raw = (
            b"From: Me <person@x.test>\r\nTo: friend@x.test, bob@world.test\r\nBcc: gone@world.test\r\n"
            b"Subject: hello\r\n\r\nhi\r\n"
        )
        await _submit(r, "person@x.test", ["friend@x.test", "bob@world.test", "gone@world.test"], raw)

        async def bounced() -> list[str]:
            return await subjects(r, "person@x.test")

        assert await until_async(bounced) == ["Undelivered mail returned to sender"]
        assert await subjects(r, "friend@x.test") == ["hello"]
        (got,) = await world.wait(1)
        assert got.recipients == ("bob@world.test",)
        assert got.mail_from == "person@x.test"
        assert b"DKIM-Signature: v=1" in got.data
        assert b"Message-ID: <" in got.data
        assert b"gone@world.test" not in got.data  # the Bcc field went
        assert await subjects(r, "person@x.test", "Sent") == []  # their mail client files it

        def whole(client: IMAPClient) -> bytes:
            client.select_folder("INBOX", readonly=True)
            return bytes(next(iter(client.fetch(client.search(), ["BODY.PEEK[]"]).values()))[b"BODY[]"])

        parsed = await r.core.parser.parse(await person(r, "person@x.test", whole))
        assert parsed.report is not None
        (one,) = parsed.report.recipients
        assert (one.address, one.action, one.status) == ("gone@world.test", "failed", "5.1.1")
        assert parsed.report.original_message_id
        assert parsed.return_path in (None, "", "<>")
        assert await r.events() == []


async def test_a_person_cannot_be_somebody_else(tmp_path: Path) -> None:
    async with real(tmp_path) as (r, _):
        await mailbox(r, "person@x.test")
        for raw in (b"From: boss@x.test\r\n\r\nx", b"Subject: none\r\n\r\nx"):
            with pytest.raises(MailServerError):
                await submissions.accept(
                    r.core, Submission("person@x.test", "person@x.test", ("bob@world.test",), raw)
                )
        assert await r.value("SELECT count(*) FROM outbox") == 0


CHILD = """
import asyncio, sys
from pathlib import Path
from tests.outbox.child import main
asyncio.run(main(Path(sys.argv[1])))
"""


async def test_kill_9_in_the_middle_of_200_sends(tmp_path: Path) -> None:
    """A child process runs the outbox and is killed, again and again; every message is there exactly once."""
    async with embedded_server(tmp_path / "mail") as server:
        await server.add_domain("x.test")
        for name in ("agent", "friend"):
            await server.add_mailbox(f"{name}@x.test", "secret")
        async with running_outbox(tmp_path, mail=server, start=False) as r:
            agent = await r.inbox("agent@x.test")
            for n in range(200):
                await send(
                    r.core, SCOPE, agent, SendRequest(to=["friend@x.test"], subject=f"n{n:03}", text="t")
                )
        config = tmp_path / "child.ini"
        login = server.imap_login("agent@x.test")
        local = server._delivery
        config.write_text(
            "\n".join(
                [
                    login.endpoint.host,
                    str(login.endpoint.port),
                    login.user.partition("*")[2],
                    login.secret,
                    server.sent_address("agent@x.test"),
                    local._inbox.unix,
                    local._sent.unix,
                ]
            )
        )
        kills = 0
        marks = [20, 55, 90, 130, 165]
        with closing(Store(database_url(tmp_path / "rig.db"))) as look:
            while True:
                child = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", CHILD, str(tmp_path), cwd=Path(__file__).parents[2]
                )
                while child.returncode is None:
                    sent = await look.read(
                        lambda tx: sql(tx).value("SELECT count(*) FROM outbox WHERE state = 'done'")
                    )
                    if marks and sent >= marks[0]:
                        child.kill()
                        marks = [one for one in marks if one > sent + 10]
                        kills += 1
                        await child.wait()
                        break
                    await asyncio.sleep(0.002)
                else:
                    assert child.returncode == 0
                    break
        async with running_outbox(tmp_path, mail=server, start=False) as r:
            assert await r.value("SELECT count(*) FROM outbox WHERE state <> 'done'") == 0
            wanted = [f"n{n:03}" for n in range(200)]
            assert await subjects(r, "friend@x.test") == wanted
            assert await subjects(r, "agent@x.test", "Sent") == wanted
            assert await r.value("SELECT count(*) FROM event WHERE type = 'message.sent'") == 200
            assert await r.value("SELECT count(*) FROM event WHERE type = 'message.delivered'") == 200
        assert kills >= 2, "the child was too fast to be killed in the middle"


async def heads(r: RunningOutbox, address: str, folder: str = "INBOX") -> list[Message]:
    def read(client: IMAPClient) -> list[Message]:
        client.select_folder(folder, readonly=True)
        rows = client.fetch(client.search(), ["BODY.PEEK[HEADER]"])
        return [message_from_bytes(row[b"BODY[HEADER]"]) for row in rows.values()]

    found: list[Message] = await person(r, address, read)
    return found


@pytest.mark.parametrize("octets", [100, 3_000_000], ids=["small", "from a file"])
async def test_only_the_copy_in_sent_names_bcc_and_a_rebuild_knows_it(tmp_path: Path, octets: int) -> None:
    async with real(tmp_path) as (r, world):
        agent = await mailbox(r, "agent@x.test")
        for name in ("friend", "hidden"):
            await mailbox(r, f"{name}@x.test")
        blind = ["Jürgen, Büro <hidden@x.test>", '"a; b" <eve@world.test>', "plain@world.test"]
        request = SendRequest(
            to=["friend@x.test", "bob@world.test"], bcc=blind, subject="one", text="t" * octets
        )
        sent = await send(r.core, SCOPE, agent, request)
        await r.settled(sent.message_id)
        [copy] = await heads(r, "agent@x.test", "Sent")
        named = [one.strip() for one in str(make_header(decode_header(copy["Bcc"]))).split("<")]
        assert len(copy.get_all("Bcc", [])) == 1
        assert [
            one for one in ("hidden@x.test", "eve@world.test", "plain@world.test") if one not in copy["Bcc"]
        ] == []
        assert named[0] == "Jürgen, Büro"
        away = [message_from_bytes(one.data) for one in world.messages]
        assert sum(len(one.recipients) for one in world.messages) == 3
        for other in [*await heads(r, "friend@x.test"), *await heads(r, "hidden@x.test"), *away]:
            assert "bcc" not in {name.lower() for name in other}
            assert "eve@world.test" not in other.as_string()
        shown = load(await r.value("SELECT bcc_json FROM message WHERE id = ?", sent.message_id))
        assert [name for name, _ in shown] == ["Jürgen, Büro", "a; b", ""]
        await rebuild(r.core.store, r.core.imap, r.core.parser)
        assert load(await r.value("SELECT bcc_json FROM message WHERE id = ?", sent.message_id)) == shown


async def test_the_copy_in_sent_names_bcc_after_the_index_was_lost(tmp_path: Path) -> None:
    async with real(tmp_path) as (r, _):
        agent = await mailbox(r, "agent@x.test")
        await r.outbox.stop()
        request = SendRequest(to=["bob@world.test"], bcc=["Eve <eve@world.test>"], subject="one", text="t")
        sent = await send(r.core, SCOPE, agent, request)
        await r.core.store.write(lambda tx: sql(tx).run("DELETE FROM message"))
        await r.outbox.start()
        await r.settled(sent.message_id)
        [copy] = await heads(r, "agent@x.test", "Sent")
        assert copy["Bcc"] == "eve@world.test"
