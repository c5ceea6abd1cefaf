"""Each delivery that fails is one line of the log: whose, to whom, what was said, what happens next."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gateway.core.sending import submissions
from gateway.core.sending.send import SendRequest, send
from mailserver.base import Submission
from tests.outbox.running_outbox import SCOPE, running_outbox
from tests.outbox.sink import SinkMail
from tests.outbox.test_reports import _apply, _sent, dsn, smart
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """(level, text) of the lines on failed deliveries."""
    return [
        (one.levelname, one.getMessage()) for one in caplog.records if " not delivered " in one.getMessage()
    ]


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "postern.outbox")


async def test_a_refusal_by_the_remote_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running_outbox(tmp_path) as r:
        inbox = await r.inbox()
        request = SendRequest(to=["refuse@world.test", "bob@world.test"], text="t")
        sent = await send(r.core, SCOPE, inbox, request)
        await r.settled(sent.message_id)
    ((level, text),) = lines(caplog)
    assert level == "WARNING"
    assert text.startswith(
        f"msg_{sent.message_id} to refuse@world.test not delivered (agent@x.test): 550 5.1.1 from "
    )
    assert text.endswith(": no such person; given up, message.bounced is sent, the address is suppressed")
    (record,) = [one for one in caplog.records if " not delivered " in one.getMessage()]
    fields = vars(record)
    assert (fields["inbox"], fields["message_id"], fields["recipient"]) == (
        "agent@x.test",
        f"msg_{sent.message_id}",
        "refuse@world.test",
    )
    assert (fields["smtp_code"], fields["smtp_status"]) == (550, "5.1.1")


async def test_a_temporary_failure_until_patience_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_outbox(tmp_path) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["full@world.test"], text="t"))
        await r.expires_after(2, "full@world.test")
        await r.settled(sent.message_id)
        tries = r.sink.tries["full@world.test"]
    found = lines(caplog)
    assert len(found) == tries
    assert [level for level, _ in found] == ["INFO"] * (tries - 1) + ["WARNING"]
    assert "452 4.2.2" in found[0][1]
    assert found[0][1].endswith(": come back later; it stays in the queue and is tried again")
    assert found[-1][1].endswith("; given up after days, message.bounced is sent")


async def test_a_relay_that_refuses(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running_outbox(tmp_path, mail=lambda sink: SinkMail(sink, smarthost=True)) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["refuse@world.test"], text="t"))
        await r.settled(sent.message_id)
    ((_, text),) = lines(caplog)
    assert "given up, message.rejected is sent" in text


async def test_what_a_person_submitted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running_outbox(tmp_path) as r:
        await r.inbox()
        data = b"From: agent@x.test\r\nTo: refuse@world.test\r\nSubject: s\r\n\r\nx\r\n"
        await submissions.accept(
            r.core, Submission("agent@x.test", "agent@x.test", ("refuse@world.test",), data)
        )

        async def bounced() -> bool:
            return bool(lines(caplog))

        await until_async(bounced)
    ((_, text),) = lines(caplog)
    assert "to refuse@world.test not delivered (agent@x.test): 550 5.1.1" in text
    assert "a bounce mail goes to agent" in text


async def test_a_report_that_comes_back_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running_outbox(tmp_path, mail=smart) as r:
        inbox = await r.inbox()
        ulid, path, _ = await _sent(r, inbox, "bob@world.test")
        mid = f"<msg_{ulid}@x.test>"
        assert await _apply(r, inbox, dsn("delayed", "bob@world.test", mid, "4.4.1"), path)
        failure = dsn("failed", "bob@world.test", mid, "5.1.1").replace(
            b"550 5.1.1 no", b"550 5.1.1 no\tsuch \x1b[31m user"
        )
        assert await _apply(r, inbox, failure, path)
        assert await _apply(r, inbox, failure, path)  # the same again says nothing new
    delayed, failed = lines(caplog)
    assert delayed[0] == "INFO"
    assert delayed[1].endswith("; the server that took it tries again")
    assert failed[0] == "WARNING"
    assert failed[1].startswith(
        f"msg_{ulid} to bob@world.test not delivered (agent@x.test): 550 5.1.1 no such "
    )
    assert "user; given up, message.bounced is sent, the address is suppressed" in failed[1]
    assert "\x1b" not in failed[1]
    assert "\t" not in failed[1]
