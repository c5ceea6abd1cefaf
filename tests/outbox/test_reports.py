"""Reports that come back count once, and only when they prove what they are about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.core.sending.send import SendRequest, send
from gateway.outbox.reports import apply_report
from gateway.records.inboxes import Inbox
from gateway.store.sql import sql
from tests.outbox.running_outbox import SCOPE, RunningOutbox, running_outbox
from tests.outbox.sink import SinkMail

pytestmark = pytest.mark.anyio


def dsn(action: str, address: str, message_id: str, status: str, envid: str = "") -> bytes:
    envelope = f"Original-Envelope-Id: {envid}\r\n" if envid else ""
    return (
        "From: MAILER-DAEMON@world.test\r\nTo: agent@x.test\r\nSubject: Delivery Status\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; world.test\r\n{envelope}\r\n"
        f"Final-Recipient: rfc822; {address}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} no\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {message_id}\r\nSubject: s\r\n\r\n--b--\r\n"
    ).encode()


def arf(message_id: str, recipient: str = "", kind: str = "abuse", path: str = "") -> bytes:
    path = f"Return-Path: <{path}>\r\n" if path else ""
    original = f"Original-Rcpt-To: <{recipient}>\r\n" if recipient else ""
    return (
        "From: fbl@world.test\r\nTo: agent@x.test\r\nSubject: abuse\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nAbuse.\r\n"
        f"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\nUser-Agent: x/1\r\n"
        f"Version: 1\r\n{original}\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\n{path}Message-ID: {message_id}\r\nSubject: s\r\n\r\nx\r\n--b--\r\n"
    ).encode()


async def _apply(r: RunningOutbox, inbox: Inbox, raw: bytes, delivered_to: str | None) -> bool:
    parsed = await r.core.parser.parse(raw)
    assert parsed.report is not None
    return await r.core.store.write(lambda tx: apply_report(tx, r.core.events, inbox, parsed, delivered_to))


async def _sent(r: RunningOutbox, inbox: Inbox, *to: str) -> tuple[str, str, str]:
    """(message ULID, return path, token) of a message a smarthost took."""
    sent = await send(r.core, SCOPE, inbox, SendRequest(to=to, text="t"))
    await r.settled(sent.message_id)
    row = (await r.rows("SELECT mail_from, token FROM outbox WHERE id = ?", sent.message_id))[0]
    return sent.message_id, row["mail_from"], row["token"]


async def _path(r: RunningOutbox, recipient: str) -> str:
    """The return path that a recipient saw."""
    return next(one.mail_from for one in reversed(r.sink.taken) if recipient in one.recipients)


async def _suppressed(r: RunningOutbox) -> set[str]:
    return {row["address"] for row in await r.rows("SELECT address FROM suppression")}


def smart(sink: Any) -> Any:
    return SinkMail(sink, smarthost=True)


async def _kinds(r: RunningOutbox, message_id: str) -> list[str]:
    return [kind for kind, _ in await r.events(message_id)]


async def test_failure_report_counts_once(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, _, _ = await _sent(r, inbox, "bob@world.test", "carol@world.test")
        path = await _path(r, "bob@world.test")
        raw = dsn("failed", "BOB@world.test", f"<msg_{ulid}@x.test>", "5.1.1")
        assert await _apply(r, inbox, raw, path)
        assert await _apply(r, inbox, raw, path)
        assert await _kinds(r, ulid) == ["message.sent", "message.bounced"]
        assert (await r.events(ulid))[1][1]["recipients"] == [
            {"address": "bob@world.test", "status": "5.1.1"}
        ]
        assert await r.status(ulid) == "bounced"
        assert (await r.states(ulid))["carol@world.test"] == "sent"


async def test_success_and_delay(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, path, _ = await _sent(r, inbox, "bob@world.test")
        mid = f"<msg_{ulid}@x.test>"
        assert await _apply(r, inbox, dsn("delayed", "bob@world.test", mid, "4.4.1"), path)
        assert await _apply(r, inbox, dsn("delayed", "bob@world.test", mid, "4.4.1"), path)
        assert await _kinds(r, ulid) == ["message.sent", "message.delayed"]
        assert (
            await r.value("SELECT status FROM outbox_recipient WHERE outbox_id = ? AND role = 'to'", ulid)
            == "4.4.1"
        )
        assert await _apply(r, inbox, dsn("delivered", "bob@world.test", mid, "2.0.0"), path)
        assert await _kinds(r, ulid) == ["message.sent", "message.delayed", "message.delivered"]
        assert await r.status(ulid) == "delivered"


async def test_envelope_id_alone_is_enough(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, _, token = await _sent(r, inbox, "bob@world.test")
        raw = dsn("failed", "forwarded@elsewhere.test", f"<msg_{ulid}@x.test>", "4.4.7", envid=token)
        assert await _apply(r, inbox, raw, None)
        assert (await r.events(ulid))[-1][1]["type"] == "Transient"


async def test_forged_reports_change_nothing(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        stranger = await r.inbox("other@x.test", organization="1" * 26)
        ulid, path, token = await _sent(r, inbox, "bob@world.test")
        other, other_path, _ = await _sent(r, inbox, "carol@world.test")
        mid = f"<msg_{ulid}@x.test>"
        raw = dsn("failed", "bob@world.test", mid, "5.1.1")
        assert not await _apply(r, inbox, raw, "agent@x.test")
        assert not await _apply(r, inbox, raw, "agent+b-aaaaaaaaaaaaaaaa@x.test")
        assert not await _apply(r, inbox, raw, other_path)  # a real token, of another message
        assert not await _apply(r, stranger, raw, path)  # another organization's mailbox
        assert not await _apply(
            r, inbox, dsn("failed", "bob@world.test", "<x@y.test>", "5.1.1", envid=token), None
        )
        assert not await _apply(r, inbox, arf("<foreign@world.test>"), None)
        assert not await _apply(r, stranger, arf(mid), None)
        assert await r.status(ulid) == "sent"
        assert await r.status(other) == "sent"
        assert await r.value("SELECT count(*) FROM event WHERE type <> 'message.sent'") == 0


async def test_complaint(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, _, _ = await _sent(r, inbox, "bob@world.test", "carol@world.test")
        mid = f"<msg_{ulid}@x.test>"
        path = await _path(r, "carol@world.test")
        for _ in range(2):
            assert await _apply(r, inbox, arf(mid, "carol@world.test"), path)
        assert await _kinds(r, ulid) == ["message.sent", "message.complained"]
        facts = (await r.events(ulid))[1][1]
        assert facts["type"] == "abuse"
        assert facts["recipients"] == ["carol@world.test"]
        assert await r.status(ulid) == "complained"


async def test_what_an_alias_of_several_took_is_delivered(tmp_path: Path) -> None:
    """Action "expanded" (RFC 3464 §2.3.3) is the last that is said of the address written to."""
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, path, _ = await _sent(r, inbox, "team@world.test")
        assert await _apply(
            r, inbox, dsn("expanded", "team@world.test", f"<msg_{ulid}@x.test>", "2.0.0"), path
        )
        assert await _kinds(r, ulid) == ["message.sent", "message.delivered"]


@pytest.mark.parametrize("kind", ["mx", "smarthost"])
async def test_each_recipient_has_a_return_path_of_its_own(tmp_path: Path, kind: str) -> None:
    people = ["bob@world.test", "carol@world.test", "dan@else.test", "refuse@world.test"]
    async with running_outbox(tmp_path, mail=smart if kind == "smarthost" else None) as r:
        inbox = await r.inbox()
        ulid, shared, _ = await _sent(r, inbox, *people, "near@x.test")
        paths = [await _path(r, one) for one in people[:3]]
        assert len({*paths, shared}) == 4
        assert all(len(one.recipients) == 1 for one in r.sink.taken if people[0] in one.recipients)
        assert len(r.sink.copies("agent+sent-secret@x.test")) == 1
        assert [len(r.sink.copies(one)) for one in (*people, "near@x.test")] == [1, 1, 1, 0, 1]
        assert (await r.states(ulid))["refuse@world.test"] == "bounced"


async def test_one_recipient_cannot_speak_for_another(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, shared, token = await _sent(r, inbox, "bob@world.test", "carol@world.test")
        mid, bob = f"<msg_{ulid}@x.test>", await _path(r, "bob@world.test")
        forged = dsn("failed", "carol@world.test", mid, "5.1.1")
        await _apply(r, inbox, forged, bob)
        await _apply(r, inbox, arf(mid, "carol@world.test"), bob)  # by the path it is bob who complains
        await _apply(r, inbox, arf(mid, "carol@world.test", path=bob), "agent@x.test")
        assert not await _apply(
            r, inbox, arf(mid, "carol@world.test"), "agent@x.test"
        )  # all know the Message-ID
        await _apply(r, inbox, dsn("failed", "nobody@world.test", mid, "5.1.1"), bob)  # whom bob forwards to
        assert (await r.states(ulid))["bob@world.test"] == "sent"
        assert not await _apply(r, inbox, forged, shared)
        assert not await _apply(
            r, inbox, forged, bob.replace("+b-", "+b-" + "a" * 16 + "+b-")[:40] + "@x.test"
        )
        assert not await _apply(r, inbox, dsn("failed", "carol@world.test", mid, "5.1.1", envid=token), None)
        assert await _suppressed(r) == {"bob@world.test"}
        assert (await r.states(ulid))["carol@world.test"] == "sent"
        assert {
            one
            for kind, facts in await r.events(ulid)
            if kind == "message.complained"
            for one in facts["recipients"]
        } == {"bob@world.test"}
        carol = await _path(r, "carol@world.test")
        assert await _apply(r, inbox, forged, carol)
        assert (await r.states(ulid))["carol@world.test"] == "bounced"


async def test_what_was_sent_before_tokens_of_recipients_proves_what_its_token_can(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        one, one_path, _ = await _sent(r, inbox, "bob@world.test")
        two, two_path, token = await _sent(r, inbox, "carol@world.test", "dan@world.test")
        await r.core.store.write(lambda tx: sql(tx).run("UPDATE outbox_recipient SET token = NULL"))
        assert await _apply(
            r, inbox, dsn("failed", "bob@world.test", f"<msg_{one}@x.test>", "5.1.1"), one_path
        )
        raw = dsn("failed", "dan@world.test", f"<msg_{two}@x.test>", "5.1.1")
        assert not await _apply(r, inbox, raw, two_path)
        assert not await _apply(
            r, inbox, dsn("failed", "dan@world.test", f"<msg_{two}@x.test>", "5.1.1", token), None
        )
        assert await _suppressed(r) == {"bob@world.test"}


HOPS = "Return-Path: <>\r\nReceived: from mail.x.test ([127.0.0.1])\r\n\tby mail.x.test with LMTP\r\n\tid abc; now\r\n"
OUTSIDE = "Received: from a.test (a.test [192.0.2.1])\r\n\tby mail.x.test (Postfix) with ESMTP id 4; now\r\n"
INSIDE = "Received: by mail.x.test (Postfix)\r\n\tid 4bC; Sun, 29 Nov 2026 10:00:00 +0000 (UTC)\r\n"


async def test_what_our_own_postfix_reports_speaks_of_everybody(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, _, token = await _sent(r, inbox, "bob@world.test", "carol@world.test")
        raw = dsn("failed", "carol@world.test", f"<msg_{ulid}@x.test>", "5.1.1", token)
        path = f"agent+b-{token}+carol=world.test@x.test"
        people = "Received: by mail.x.test (Postfix) with ESMTPSA id 4bC; now\r\n"
        for trace in (
            HOPS + OUTSIDE + INSIDE,
            INSIDE,
            HOPS + people,
            HOPS.replace("<>", "<a@b.test>") + INSIDE,
            HOPS,
        ):
            assert not await _apply(r, inbox, trace.encode() + raw, path)
        assert await _apply(r, inbox, (HOPS + INSIDE).encode() + raw, path)
        assert await _suppressed(r) == {"carol@world.test"}
        assert (await r.states(ulid))["bob@world.test"] == "sent"


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure", "virus"])
@pytest.mark.parametrize("at", ["path", "inbox"])
async def test_what_is_no_complaint_changes_nothing(tmp_path: Path, kind: str, at: str) -> None:
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, path, _ = await _sent(r, inbox, "bob@world.test")
        raw = arf(f"<msg_{ulid}@x.test>", "bob@world.test", kind)
        assert await _apply(r, inbox, raw, path if at == "path" else "agent@x.test")
        assert await r.status(ulid) == "sent"
        assert await _kinds(r, ulid) == ["message.sent"]
        assert await _suppressed(r) == set()


async def test_a_complaint_counts_by_the_return_path_of_the_mail_it_carries(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, _, _ = await _sent(r, inbox, "bob@world.test", "carol@world.test")
        path = await _path(r, "carol@world.test")
        assert await _apply(r, inbox, arf(f"<msg_{ulid}@x.test>", path=path), "agent@x.test")
        single, _, _ = await _sent(r, inbox, "dan@world.test")
        assert await _apply(r, inbox, arf(f"<msg_{single}@x.test>"), "agent@x.test")
        assert await _suppressed(r) == {"carol@world.test", "dan@world.test"}


PROSE = (
    "From: MAILER-DAEMON@world.test\r\nTo: agent@x.test\r\nSubject: failure notice\r\n\r\n"
    "Hi. I could not hand it on.\r\n\r\n<carol@world.test>:\r\n{said}\r\n\r\n--- Below this line is a copy.\r\n\r\n"
    "Message-ID: {mid}\r\n"
)


async def test_a_bounce_in_words_counts_where_only_one_recipient_can_write(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, shared, _ = await _sent(r, inbox, "bob@world.test", "carol@world.test")
        mid = f"<msg_{ulid}@x.test>"
        raw = PROSE.format(said="no such user", mid=mid).encode()
        null = b"Return-Path: <>\r\n"
        bob, carol = await _path(r, "bob@world.test"), await _path(r, "carol@world.test")
        assert not await _apply(r, inbox, null + raw, "agent@x.test")
        assert not await _apply(r, inbox, null + raw, shared)
        assert not await _apply(r, inbox, raw, carol)  # whoever has an address may answer there
        assert not await _apply(r, inbox, b"Return-Path: <e@world.test>\r\n" + raw, carol)
        assert not await _apply(
            r, inbox, null + PROSE.format(said="no", mid="<other@x.test>").encode(), carol
        )
        assert await _apply(r, inbox, null + raw, bob)  # it names another: nothing changes for either
        assert await _suppressed(r) == set()
        assert await _apply(r, inbox, null + raw, carol)
        assert await _suppressed(r) == {"carol@world.test"}
        assert await r.states(ulid) == {
            "bob@world.test": "sent",
            "carol@world.test": "bounced",
            "sent": "delivered",
        }


@pytest.mark.parametrize(
    ("said", "type", "sub_type"),
    [
        ("mailbox full", "Transient", "MailboxFull"),
        ("550 5.7.1 blocked by policy", "Transient", "ContentRejected"),
        ("no such user", "Permanent", "NoEmail"),
        ("it is so", "Permanent", "General"),
    ],
)
async def test_how_lasting_a_bounce_is_follows_from_its_code(
    tmp_path: Path, said: str, type: str, sub_type: str
) -> None:
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, path, _ = await _sent(r, inbox, "carol@world.test")
        raw = PROSE.format(said=said, mid=f"<msg_{ulid}@x.test>").encode()
        assert await _apply(r, inbox, b"Return-Path: <>\r\n" + raw, path)
        facts = (await r.events(ulid))[-1][1]
        assert (facts["type"], facts["sub_type"]) == (type, sub_type)
        assert bool(await _suppressed(r)) == (sub_type == "NoEmail")
        assert await r.status(ulid) == "bounced"
