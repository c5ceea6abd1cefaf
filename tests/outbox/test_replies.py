"""Replies stay in their thread and go to the right people."""

from __future__ import annotations

import base64
from email import message_from_bytes
from pathlib import Path

import pytest

from gateway.core.errors import Invalid
from gateway.core.sending.reply import ReplyRequest, forward, reply
from gateway.mime.attachments import safe_filename
from gateway.mime.types import OutgoingAttachment
from gateway.records.ids import MessageId, derived_ulid, now_us
from gateway.records.inboxes import Inbox
from gateway.records.mail import Mail
from gateway.store import index, threads
from gateway.store.queries.messages import unscoped_mail
from gateway.store.transaction import Tx
from tests.outbox.running_outbox import SCOPE, RunningOutbox, running_outbox

pytestmark = pytest.mark.anyio

MAIL = (
    b"From: Ann <ann@world.test>\r\nTo: AGENT@x.test, Bob <bob@world.test>\r\nCc: carol@world.test\r\n"
    b"Subject: AW: Plan\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <m1@world.test>\r\n"
    b"References: <root@world.test>\r\n\r\nwhat do you think?\r\n"
)


async def _received(r: RunningOutbox, inbox: Inbox, raw: bytes = MAIL) -> Mail:
    parsed = await r.core.parser.parse(raw)
    ulid = derived_ulid(now_us(), inbox.id, parsed.identity)

    def write(tx: Tx) -> None:
        placed = index.insert_message(
            tx, inbox, MessageId(ulid), parsed, direction="inbound", status="received", at=now_us()
        )
        threads.refresh(tx, placed.thread_id, now_us())

    await r.core.store.write(write)
    return await _mail(r, ulid)


async def _mail(r: RunningOutbox, ulid: str) -> Mail:
    mail = await r.core.store.read(lambda tx: unscoped_mail(tx, MessageId(ulid)))
    assert mail is not None
    return mail


async def _wire(r: RunningOutbox, message_id: str) -> str:
    return bytes(await r.value("SELECT mime FROM outbox WHERE id = ?", message_id)).decode()


async def test_reply(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        original = await _received(r, inbox)
        sent = await reply(r.core, SCOPE, inbox, original, ReplyRequest(text="fine"))
        assert sent.thread_id == original.message.thread_id
        assert set(await r.states(sent.message_id)) == {"ann@world.test", "sent"}
        wire = await _wire(r, sent.message_id)
        assert "Subject: Re: Plan\r\n" in wire
        assert "In-Reply-To: <m1@world.test>\r\n" in wire
        assert "References: <root@world.test> <m1@world.test>\r\n" in wire
        assert "what do you think" not in wire


async def test_reply_all_leaves_out_ourselves(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        original = await _received(r, inbox)
        request = ReplyRequest(text="fine", cc=["carol@world.test", "dan@world.test"], quote=True)
        sent = await reply(r.core, SCOPE, inbox, original, request, reply_all=True)
        assert set(await r.states(sent.message_id)) == {
            "ann@world.test",
            "bob@world.test",
            "carol@world.test",
            "dan@world.test",
            "sent",
        }
        assert "> what do you think?" in await _wire(r, sent.message_id)


async def test_reply_to_a_mail_without_an_id_keeps_the_thread(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        original = await _received(r, inbox, b"From: ann@world.test\r\nSubject: x\r\n\r\nhello\r\n")
        sent = await reply(r.core, SCOPE, inbox, original, ReplyRequest(text="fine"))
        assert sent.thread_id == original.message.thread_id
        assert "In-Reply-To" not in await _wire(r, sent.message_id)


async def test_nobody_to_answer(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        original = await _received(r, inbox, b"Subject: x\r\n\r\nhello\r\n")
        with pytest.raises(Invalid):
            await reply(r.core, SCOPE, inbox, original, ReplyRequest(text="fine"))


async def test_hostile_original_cannot_inject(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        raw = (
            b"From: =?utf-8?q?Eve=0D=0ABcc:_x=40y.test?= <eve@world.test>\r\n"
            b"Subject: =?utf-8?q?hi=0D=0AX-Evil:_1?=\r\nMessage-ID: <a b\x0bc@x>\r\n\r\nhello\r\n"
        )
        original = await _received(r, inbox, raw)
        sent = await reply(r.core, SCOPE, inbox, original, ReplyRequest(text="fine"))
        names = {line.partition(":")[0].lower() for line in (await _wire(r, sent.message_id)).split("\r\n")}
        assert "bcc" not in names
        assert "x-evil" not in names
        assert set(await r.states(sent.message_id)) == {"eve@world.test", "sent"}


async def test_forward_takes_attachments_along_and_starts_a_thread(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        first = await reply(
            r.core,
            SCOPE,
            inbox,
            await _received(r, inbox),
            ReplyRequest(
                text="see",
                attachments=[
                    OutgoingAttachment(
                        filename="ä.pdf", content_type="application/pdf", content=b"%PDF" * 100
                    )
                ],
            ),
        )
        original = await _mail(r, first.message_id)
        sent = await forward(r.core, SCOPE, inbox, original, ReplyRequest(to=["zoe@world.test"], text="fyi"))
        assert sent.thread_id != first.thread_id
        row = (await r.rows("SELECT * FROM message WHERE id = ?", sent.message_id))[0]
        assert row["subject"] == "Fwd: Re: Plan"
        assert "ä.pdf" in row["attachments_json"]
        body = await r.value("SELECT text FROM message_body WHERE message_id = ?", sent.message_id)
        assert body.startswith("fyi")
        assert "see" in body


async def test_text_that_decodes_to_an_encoded_word_stays_text(tmp_path: Path) -> None:
    """What a stranger wrote is decoded once, when it is read; the answer must not be read for more."""
    inner = "=?utf-8?q?=0d=0aX-Injected:_yes=0d=0a=0d=0aBODY?="
    word = f"=?utf-8?b?{base64.b64encode(inner.encode()).decode()}?="
    raw = (
        f"From: {word} <ann@world.test>\r\nReply-To: {word} <reply@world.test>\r\nTo: agent@x.test\r\n"
        f"Cc: {word} <carol@world.test>\r\nSubject: {word}\r\nMessage-ID: <m1@world.test>\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nhi\r\n--b\r\n'
        f'Content-Type: text/csv\r\nContent-Disposition: attachment; filename="{word}"\r\n\r\na,b\r\n--b--\r\n'
    ).encode()
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        original = await _received(r, inbox, raw)
        assert original.message.subject == inner
        files = [OutgoingAttachment(filename=inner, content_type="text/csv", content=b"a,b")]
        request = ReplyRequest(text="fine", attachments=files)
        one = await reply(r.core, SCOPE, inbox, original, request, reply_all=True)
        answer = await reply(r.core, SCOPE, inbox, original, ReplyRequest(text="x", subject=f"a {inner}"))
        for sent in (one, answer):
            wire = (await _wire(r, sent.message_id)).encode()
            mail = message_from_bytes(wire)
            names = [name for part in mail.walk() for name in part]
            assert {one.lower() for one in names} <= {
                "dkim-signature", "message-id", "date", "from", "to", "cc", "subject", "in-reply-to", "references",
                "mime-version", "content-type", "content-transfer-encoding", "content-disposition",
            }  # fmt: skip
            assert b"\nX-Injected" not in wire
            assert b"\nBODY" not in wire
            read = await r.core.parser.parse(wire)
            assert inner in read.subject
            assert all(one.filename == safe_filename(inner) for one in read.attachments)
