"""What is accepted, what is refused, and what is in the rows afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.core.errors import CoreError, Invalid, Rejected, TooLarge, TooMany
from gateway.core.sending.send import SendRequest, send
from gateway.mime.types import OutgoingAttachment
from gateway.store.json_columns import load
from gateway.store.queries.list_entries import ListOwner, put_entry
from gateway.store.scope import Scope
from gateway.store.sql import sql
from tests.outbox.running_outbox import ORG, SCOPE, running_outbox

pytestmark = pytest.mark.anyio


async def test_accepted_message_is_in_every_row(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        sent = await send(
            r.core,
            SCOPE,
            inbox,
            SendRequest(
                to=["Bob <bob@world.test>"],
                cc=["carol@world.test"],
                bcc=["secret@world.test", "BOB@world.test"],
                subject="Grüße",
                text="hi",
                labels=["campaign"],
                headers={"X-Mine": "1"},
            ),
        )
        row = (await r.rows("SELECT * FROM message WHERE id = ?", sent.message_id))[0]
        assert row["thread_id"] == sent.thread_id
        assert row["direction"] == "outbound"
        assert row["status"] == "queued"
        assert row["subject"] == "Grüße"
        assert row["rfc_message_id"] == f"<msg_{sent.message_id}@x.test>"
        assert load(row["from_json"]) == ["Agent", "agent@x.test"]
        assert load(row["to_json"]) == [["Bob", "bob@world.test"]]
        assert load(row["bcc_json"]) == [["", "secret@world.test"]]  # bob is in To already
        assert await r.value("SELECT label FROM label WHERE message_id = ?", sent.message_id) == "campaign"
        out = (await r.rows("SELECT * FROM outbox WHERE id = ?", sent.message_id))[0]
        assert out["mail_from"] == f"agent+b-{out['token']}@x.test"
        mime = bytes(out["mime"])
        assert b"secret@world.test" not in mime
        assert mime.startswith(b"DKIM-Signature:")
        assert b"X-Mine: 1" in mime
        assert await r.states(sent.message_id) == {
            "bob@world.test": "queued",
            "carol@world.test": "queued",
            "secret@world.test": "queued",
            "sent": "queued",
        }
        thread = (await r.rows("SELECT * FROM thread WHERE id = ?", sent.thread_id))[0]
        assert thread["message_count"] == 1


async def test_signature_verifies(tmp_path: Path) -> None:
    import dkim

    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["bob@world.test"], text="signed"))
        mime = bytes(await r.value("SELECT mime FROM outbox WHERE id = ?", sent.message_id))
        public = await r.value("SELECT dkim_public FROM domain")
        assert dkim.verify(mime, dnsfunc=lambda name, timeout=5: public.encode())


BAD: list[tuple[dict[str, Any], str | None]] = [
    ({}, "to"),
    ({"to": ["bob"]}, "to[0]"),
    ({"to": ["bob@world.test", "eve@world.test\r\nBcc: x@y.test"]}, "to[1]"),
    ({"to": ["Eve\r\nX-Evil: 1 <eve@world.test>"]}, "to[0]"),
    ({"to": ["a@world.test"], "cc": ["a@@b"]}, "cc[0]"),
    ({"to": ["a@world.test"], "bcc": ["a@b\x00.test"]}, "bcc[0]"),
    ({"to": ["a@world.test"], "reply_to": ["x\ny@b.test"]}, "reply_to[0]"),
    ({"to": ["a@world.test"], "subject": "x\r\nBcc: evil@y.test"}, "subject"),
    ({"to": ["a@world.test"], "subject": "x\x00"}, "subject"),
    ({"to": ["a@world.test"], "headers": {"X-A": "1\nBcc: e@y.test"}}, "headers.X-A"),
    ({"to": ["a@world.test"], "headers": {"X-A: 1\r\nBcc": "e@y.test"}}, None),
    ({"to": ["a@world.test"], "headers": {"From": "boss@world.test"}}, "headers.From"),
    ({"to": ["a@world.test"], "text": "a\x00b"}, "text"),
    ({"to": ["a@world.test"], "labels": ["x" * 65]}, "labels[0]"),
    ({"to": ["a@world.test"], "labels": ["ok", "unread"]}, "labels[1]"),
    ({"to": [f"a{n}@world.test" for n in range(11)]}, "to"),
]


@pytest.mark.parametrize(("values", "field"), BAD)
async def test_bad_values_name_their_field(tmp_path: Path, values: dict[str, Any], field: str | None) -> None:
    async with running_outbox(tmp_path, start=False, recipients=10) as r:
        inbox = await r.inbox()
        with pytest.raises(Invalid) as caught:
            await send(r.core, SCOPE, inbox, SendRequest(**values))
        if field is not None:
            assert caught.value.field == field
        assert await r.value("SELECT count(*) FROM outbox") == 0
        assert await r.value("SELECT count(*) FROM message") == 0


async def test_limits(tmp_path: Path) -> None:
    async with running_outbox(
        tmp_path, start=False, attachments=2, attachment_bytes=1000, sends_per_minute=2
    ) as r:
        inbox = await r.inbox()

        async def refused(*sizes: int) -> CoreError:
            files = [
                OutgoingAttachment(filename="a.bin", content_type="application/pdf", content=b"x" * size)
                for size in sizes
            ]
            with pytest.raises(CoreError) as caught:
                await send(r.core, SCOPE, inbox, SendRequest(to=["a@world.test"], attachments=files))
            return caught.value

        assert isinstance(await refused(1001), TooLarge)
        assert isinstance(await refused(1, 1, 1), TooLarge)
        for _ in range(2):
            await send(r.core, SCOPE, inbox, SendRequest(to=["a@world.test"]))
        error = await refused(1)
        assert isinstance(error, TooMany)
        assert 0 < error.retry_after <= 61


async def test_lists_hold_sends_back(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        everybody = ListOwner(ORG, None, None, "send")
        await r.core.store.write(lambda tx: put_entry(tx, everybody, "block", "world.test", "domain", None))
        with pytest.raises(Rejected) as caught:
            await send(r.core, SCOPE, inbox, SendRequest(to=["ok@fine.test"], bcc=["bob@WORLD.test"]))
        assert caught.value.field == "bcc[0]"
        assert await r.value("SELECT count(*) FROM outbox") == 0
        await send(r.core, SCOPE, inbox, SendRequest(to=["ok@fine.test"]))


async def test_suspended_inbox_and_missing_permission(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        with pytest.raises(CoreError) as caught:
            await send(
                r.core,
                Scope(ORG, permissions=frozenset({"message_read"})),
                inbox,
                SendRequest(to=["a@b.test"]),
            )
        assert caught.value.code == "missing_permission"
        with pytest.raises(Rejected):
            await send(
                r.core,
                SCOPE,
                msgspec.structs.replace(inbox, status="suspended"),
                SendRequest(to=["a@b.test"]),
            )
        # the row the caller holds may be old: the transaction looks again
        await r.core.store.write(lambda tx: sql(tx).run("UPDATE inbox SET status = 'suspended'"))
        with pytest.raises(Rejected):
            await send(r.core, SCOPE, inbox, SendRequest(to=["a@b.test"]))
        assert await r.value("SELECT count(*) FROM message") == 0


async def test_sandbox_send_leaves_nothing_but_rows(tmp_path: Path) -> None:
    async with running_outbox(tmp_path) as r:
        inbox = await r.inbox()
        sent = await send(r.core, Scope(ORG, test=True), inbox, SendRequest(to=["bob@world.test"], text="x"))
        assert await r.status(sent.message_id) == "delivered"
        assert [kind for kind, _ in await r.events(sent.message_id)] == ["message.sent", "message.delivered"]
        assert await r.value("SELECT min(test) FROM event") == 1
        assert await r.value("SELECT mime FROM outbox WHERE id = ?", sent.message_id) is not None
        other = await send(r.core, SCOPE, inbox, SendRequest(to=["live@world.test"], text="x"))
        await r.settled(other.message_id)
        assert r.sink.copies("bob@world.test") == []


async def test_also_runs_in_the_same_transaction(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()

        def fail(tx: Any) -> None:
            raise Rejected("the draft is gone")

        with pytest.raises(Rejected):
            await send(r.core, SCOPE, inbox, SendRequest(to=["a@b.test"]), also=fail)
        assert await r.value("SELECT count(*) FROM outbox") == 0
