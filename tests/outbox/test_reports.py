"""Reports that come back count once, and only when they prove what they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.sending import SendRequest, send
from gateway.outbox.reports import apply_report
from gateway.store.engine import Row
from tests.outbox.rig import SCOPE, Rig, rig
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


def arf(message_id: str, recipient: str = "") -> bytes:
    original = f"Original-Rcpt-To: <{recipient}>\r\n" if recipient else ""
    return (
        "From: fbl@world.test\r\nTo: agent@x.test\r\nSubject: abuse\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nAbuse.\r\n"
        "--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: x/1\r\n"
        f"Version: 1\r\n{original}\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: {message_id}\r\nSubject: s\r\n\r\nx\r\n--b--\r\n"
    ).encode()


async def _apply(r: Rig, inbox: Row, raw: bytes, delivered_to: str | None) -> bool:
    parsed = await r.core.parser.parse(raw)
    assert parsed.report is not None
    return await r.core.store.write(lambda tx: apply_report(tx, r.core.events, inbox, parsed, delivered_to))


async def _sent(r: Rig, inbox: Row, *to: str) -> tuple[str, str, str]:
    """(message ULID, return path, token) of a message a smarthost took."""
    sent = await send(r.core, SCOPE, inbox, SendRequest(to=to, text="t"))
    await r.settled(sent.message_id)
    row = (await r.rows("SELECT mail_from, token FROM outbox WHERE id = ?", sent.message_id))[0]
    return sent.message_id, row["mail_from"], row["token"]


def smart(sink):
    return SinkMail(sink, smarthost=True)


async def _kinds(r: Rig, message_id: str) -> list[str]:
    return [kind for kind, _ in await r.events(message_id)]


async def test_failure_report_counts_once(tmp_path: Path) -> None:
    async with rig(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, path, _ = await _sent(r, inbox, "bob@world.test", "carol@world.test")
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
    async with rig(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, path, _ = await _sent(r, inbox, "bob@world.test")
        mid = f"<msg_{ulid}@x.test>"
        assert await _apply(r, inbox, dsn("delayed", "bob@world.test", mid, "4.4.1"), path)
        assert await _kinds(r, ulid) == ["message.sent"]
        assert (
            await r.value("SELECT status FROM outbox_recipient WHERE outbox_id = ? AND role = 'to'", ulid)
            == "4.4.1"
        )
        assert await _apply(r, inbox, dsn("delivered", "bob@world.test", mid, "2.0.0"), path)
        assert await _kinds(r, ulid) == ["message.sent", "message.delivered"]
        assert await r.status(ulid) == "delivered"


async def test_envelope_id_alone_is_enough(tmp_path: Path) -> None:
    async with rig(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, _, token = await _sent(r, inbox, "bob@world.test")
        raw = dsn("failed", "forwarded@elsewhere.test", f"<msg_{ulid}@x.test>", "4.4.7", envid=token)
        assert await _apply(r, inbox, raw, None)
        assert (await r.events(ulid))[-1][1]["type"] == "Transient"


async def test_forged_reports_change_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path, mail=smart) as r:
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
    async with rig(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, _, _ = await _sent(r, inbox, "bob@world.test", "carol@world.test")
        mid = f"<msg_{ulid}@x.test>"
        for _ in range(2):
            assert await _apply(r, inbox, arf(mid, "carol@world.test"), "agent@x.test")
        assert await _kinds(r, ulid) == ["message.sent", "message.complained"]
        facts = (await r.events(ulid))[1][1]
        assert facts["type"] == "abuse"
        assert facts["recipients"] == ["carol@world.test"]
        assert await r.status(ulid) == "complained"


async def test_what_an_alias_of_several_took_is_delivered(tmp_path: Path) -> None:
    """Action "expanded" (RFC 3464 §2.3.3) is the last that is said of the address written to."""
    async with rig(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, path, _ = await _sent(r, inbox, "team@world.test")
        assert await _apply(
            r, inbox, dsn("expanded", "team@world.test", f"<msg_{ulid}@x.test>", "2.0.0"), path
        )
        assert await _kinds(r, ulid) == ["message.sent", "message.delivered"]
