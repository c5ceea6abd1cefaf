"""What we sent is found by either Message-ID: ours, and the one that a relay put in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import dkim
import pytest

from gateway.core.sending import submissions
from gateway.outbox.reports import apply_report
from gateway.smarthost.profiles import reporting_relay
from gateway.store import sent_aliases
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from mailserver.base import Submission
from tests.outbox.running_outbox import key
from tests.outbox.test_reports import arf
from tests.smarthost.relay import SES_HOST, head_of, relay
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

SES = "0102019aa1b2c3d4-0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0-000000"
SES_ID = f"<{SES}@eu-west-1.amazonses.com>"
BREVO_ID = "<202611211000.12345678901@smtp-relay.mailin.fr>"


@pytest.mark.parametrize(
    ("text", "remote", "name"),
    [
        (f"Ok {SES}", SES_HOST, SES_ID),
        (f"Ok {SES}", "email-smtp.us-east-1.amazonaws.com", f"<{SES}@email.amazonses.com>"),
        (f"250 Ok {SES}", "", SES),
        (f"2.0.0 OK: queued as {BREVO_ID}", "smtp-relay.brevo.com", BREVO_ID),
        ("2.0.0 Ok: queued as 4F3B21A0C7", "relay.test", None),
        ("Great success", "smtp.mailgun.org", None),
        ("2.6.0 <> queued", "relay.test", None),
    ],
)
def test_a_relay_tells_its_name_for_a_message_in_its_250(text: str, remote: str, name: str | None) -> None:
    assert sent_aliases.relay_message_id(text, remote) == name


async def test_an_answer_to_the_relays_message_id_is_in_the_thread(tmp_path: Path) -> None:
    async with relay(tmp_path, "ses", answer=f"Ok {SES}") as relaying:
        ulid = await relaying.send()
        thread = await relaying.thread_of(ulid)
        assert await relaying.receive(SES_ID) == thread
        # the answer's own id leads there too, and so does an answer that names both
        assert (
            await relaying.receive("<r1@world.test>", f"{SES_ID} <r1@world.test>", "<r2@world.test>")
            == thread
        )
        assert await relaying.receive(f"<msg_{ulid}@x.test>", "", "<r3@world.test>") == thread
        # an id that is like it, or in another inbox, does not
        other = SES_ID.replace("0102", "0103")
        assert await relaying.receive(other, "", "<r4@world.test>") != thread


async def test_a_rebuild_finds_the_same_threads_in_any_order(tmp_path: Path) -> None:
    async with relay(tmp_path, "ses", answer=f"Ok {SES}") as relaying:
        thread = await relaying.thread_of(await relaying.send())
        assert await relaying.receive(SES_ID) == thread

        def forget(tx: Tx) -> None:
            for table in ("thread", "thread_ref", "message", "message_body", "message_search", "location"):
                sql(tx).run(f"DELETE FROM {table}")

        await relaying.core.store.write(forget)
        assert await relaying.receive(SES_ID) == thread  # though what it answers is not there


async def test_a_follow_up_names_what_recipients_have(tmp_path: Path) -> None:
    async with relay(tmp_path, "ses", answer=f"Ok {SES}") as relaying:
        first = await relaying.send()
        ours = f"<msg_{first}@x.test>"
        second = await relaying.send(in_reply_to=ours, references=[ours])
        data = relaying.relayed(second)
        assert head_of(data, b"In-Reply-To").decode() == SES_ID
        assert head_of(data, b"References").decode().split() == [ours, SES_ID]
        assert await relaying.thread_of(second) == await relaying.thread_of(first)


async def test_other_names_are_learnt_and_kept_once(tmp_path: Path) -> None:
    async with relay(tmp_path, "brevo", answer=f"2.0.0 OK: queued as {BREVO_ID}") as relaying:
        ulid = await relaying.send("bob@world.test", "carol@world.test")
        assert await relaying.running.value("SELECT count(*) FROM sent_alias") == 1
        assert await relaying.receive(BREVO_ID) == await relaying.thread_of(ulid)


async def test_a_relay_that_keeps_our_name_teaches_nothing(tmp_path: Path) -> None:
    async with relay(tmp_path, "generic") as relaying:
        ulid = await relaying.send()
        cast(
            Any, relaying.core.mail
        ).answer = f"2.6.0 <msg_{ulid}@x.test> [InternalId=7] Queued mail for delivery"
        await relaying.send()
        assert await relaying.running.value("SELECT count(*) FROM sent_alias WHERE outbox_id = ?", ulid) == 0


async def test_postfix_reports_what_its_relay_said(tmp_path: Path) -> None:
    async with relay(tmp_path, "ses") as relaying:
        ulid = await relaying.send()
        (row,) = await relaying.running.rows("SELECT mail_from FROM outbox WHERE id = ?", ulid)
        raw = (
            "From: MAILER-DAEMON@mail.x.test\r\nTo: agent@x.test\r\nSubject: Successful Mail Delivery Report\r\n"
            'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
            "--b\r\nContent-Type: text/plain\r\n\r\nRelayed.\r\n"
            "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.x.test\r\n\r\n"
            "Final-Recipient: rfc822; bob@world.test\r\nOriginal-Recipient: rfc822;bob@world.test\r\n"
            f"Action: relayed\r\nStatus: 2.0.0\r\nRemote-MTA: dns; {SES_HOST}\r\n"
            f"Diagnostic-Code: smtp; 250 Ok {SES}\r\n\r\n--b--\r\n"
        ).encode()
        parsed = await relaying.core.parser.parse(raw)
        assert await relaying.core.store.write(
            lambda tx: apply_report(
                tx,
                relaying.core.events,
                relaying.inbox,
                parsed,
                row["mail_from"],
                reporting_relay(relaying.core.settings),
            )
        )
        # the relay will post what becomes of it
        assert (await relaying.running.states(ulid))["bob@world.test"] == "sent"
        assert await relaying.receive(SES_ID) == await relaying.thread_of(ulid)


async def test_a_complaint_that_names_the_relays_message_id_counts(tmp_path: Path) -> None:
    async with relay(tmp_path, "ses", answer=f"Ok {SES}") as relaying:
        ulid = await relaying.send()
        parsed = await relaying.core.parser.parse(arf(SES_ID, "bob@world.test"))
        assert await relaying.core.store.write(
            lambda tx: apply_report(tx, relaying.core.events, relaying.inbox, parsed, None)
        )
        assert "message.complained" in await relaying.kinds(ulid)


def _verified(data: bytes) -> bool:
    record = key()[1].encode()
    return bool(dkim.DKIM(data).verify(0, lambda name, timeout=5: record))


async def test_our_signature_covers_only_what_the_relay_leaves(tmp_path: Path) -> None:
    async with relay(tmp_path, "ses", answer=f"Ok {SES}") as relaying:
        data = relaying.relayed(await relaying.send())
        changed = data.replace(head_of(data, b"Message-ID"), SES_ID.encode())
        changed = changed.replace(head_of(data, b"Date"), b"Sat, 21 Nov 2026 10:00:00 +0000")
        assert changed != data
        assert _verified(changed)
        assert not _verified(changed.replace(b"Subject: s", b"Subject: t"))
    (tmp_path / "p").mkdir()
    async with relay(tmp_path / "p", "postmark", smarthost_stream="outbound") as relaying:
        ulid = await relaying.send()
        data = relaying.relayed(ulid)
        assert b"DKIM-Signature" not in data  # it writes the message anew
        assert head_of(data, b"X-PM-KeepID") == b"true"
        assert head_of(data, b"X-PM-Message-Stream") == b"outbound"
        assert head_of(data, b"X-PM-Metadata-postern").decode() == f"msg_{ulid}@x.test"


async def test_what_the_relay_will_not_take_is_refused_at_once(tmp_path: Path) -> None:
    from gateway.core.errors import TooLarge
    from gateway.mime.types import OutgoingAttachment

    async with relay(tmp_path, "postmark") as relaying:
        big = OutgoingAttachment(
            filename="a", content_type="application/octet-stream", content=b"x" * 9_000_000
        )
        with pytest.raises(TooLarge, match="at most 10485760"):
            await relaying.send(attachments=[big])
        assert await until_async(lambda: relaying.running.value("SELECT count(*) + 1 FROM outbox")) == 1


async def test_what_people_submit_is_fit_for_the_relay_too(tmp_path: Path) -> None:
    data = b"From: agent@x.test\r\nTo: bob@world.test\r\nSubject: s\r\nMessage-ID: %s\r\n\r\nhi\r\n"
    async with relay(tmp_path, "brevo") as relaying:
        for message_id, custom in (
            (b"<mine@x.test>", b"postern:mine@x.test"),
            ("<ü@x.test>".encode(), b"postern:"),
        ):
            submission = Submission("agent@x.test", "agent@x.test", ("bob@world.test",), data % message_id)
            queued = await submissions.accept(relaying.core, submission)
            await relaying.running.settled(queued)
            taken = relaying.running.sink.taken[-1].data
            assert head_of(taken, b"X-Mailin-custom") == custom
            assert _verified(taken.replace(message_id, b"<theirs@mailin.fr>"))
