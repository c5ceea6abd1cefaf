"""One submission to several people, through a real Postfix: each has a return path that only that recipient sees."""

from __future__ import annotations

import asyncio
import imaplib
import re
from pathlib import Path
from typing import Any, cast

import pytest

from mailserver.base import Envelope, Hop
from mailserver.embedded.settings import Smarthost
from mailserver.postfix_dovecot import PostfixServer
from mailserver.postfix_dovecot.verp import bare_recipient, is_verp, verp_recipient
from tests.outbox.sink import Sink
from tests.support.servers import postfix_server
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio
T, A, B = "t" * 16, "a" * 16, "b" * 16
DATA = b"From: alice@x.test\r\nTo: ann@far.test\r\nMessage-ID: <one@x.test>\r\nSubject: s\r\n\r\nx\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_names_are_marked_and_read() -> None:
    for local in (True, False):
        assert bare_recipient(verp_recipient("ann+x@far.test", A, local=local)) == "ann+x@far.test"
    assert is_verp(f"VERP-{A}-ann@far.test")
    assert not is_verp("verp-ann@far.test")


async def test_each_recipient_has_a_return_path_of_its_own_and_one_copy_is_filed(tmp_path: Path) -> None:
    sink = Sink()
    await sink.start()
    try:
        relay = Smarthost(host="127.0.0.1", port=sink.port, tls="none", verify=False)
        async with postfix_server(tmp_path, smarthost=relay) as server:
            await server.add_domain("x.test")
            await server.add_mailbox("alice@x.test", "secret")
            await server.add_mailbox("bob@x.test", "secret")
            people = ("ann@far.test", "ben@far.test", "refuse.me@far.test", "bob@x.test")
            everyone = (*people, server.sent_address("alice@x.test"), f"verp-{B}-sly@far.test")
            envelope = Envelope(
                f"alice+b-{T}@x.test",
                everyone,
                DATA,
                T,
                "<one@x.test>",
                "alice@x.test",
                tokens={
                    "ann@far.test": A,
                    "ben@far.test": B,
                    "refuse.me@far.test": "c" * 16,
                    "bob@x.test": "d" * 16,
                },
            )
            said = await server.transmit(Hop("submission", "postfix", everyone), envelope)
            assert {one: said[one].code for one in everyone} == {
                **dict.fromkeys(everyone, 250),
                f"verp-{B}-sly@far.test": 553,
            }

            async def arrived() -> bool:
                return len(sink.taken) == 2 and await server.sent_copy_exists(envelope)

            await until_async(arrived, 60)
            seen = {tuple(one.recipients): one.mail_from for one in sink.taken}
            assert seen == {
                ("ann@far.test",): f"alice+b-{A}@x.test",
                ("ben@far.test",): f"alice+b-{B}@x.test",
            }
            assert all(b"verp" not in one.data for one in sink.taken)
            assert await server.was_submitted(envelope)
            [here] = await until_async(lambda: asyncio.to_thread(_mails, server, "bob@x.test"), 60)
            assert f"Return-Path: <alice+b-{'d' * 16}@x.test>" in here
            assert "Delivered-To: bob@x.test" in here
            # what comes back of the third one names it, and is made on this machine
            report = await _report(server)
            assert f"Delivered-To: alice+b-{'c' * 16}@x.test" in report
            assert re.search(r"(?i)original-recipient: rfc822;refuse\.me@far\.test", report)
            assert re.search(r"Received: by \S+ \(Postfix\)\s+id ", report)
            # a message to one alone goes as it is
            single = Envelope(
                f"alice+b-{A}@x.test", ("eve@far.test",), DATA, A, "<two@x.test>", "alice@x.test"
            )
            await server.transmit(Hop("submission", "postfix", ("eve@far.test",)), single)

            async def third() -> bool:
                return len(sink.taken) == 3

            await until_async(third, 60)
            assert (sink.taken[2].mail_from, sink.taken[2].recipients) == (
                f"alice+b-{A}@x.test",
                ["eve@far.test"],
            )
    finally:
        await sink.stop()


def _mails(server: PostfixServer, address: str) -> list[str]:
    end = server.access().imap
    imap = imaplib.IMAP4(end.host, end.port)
    imap.login(address, "secret")
    imap.select("INBOX")
    found = [
        cast(Any, imap.fetch(one, "(RFC822)")[1][0])[1] for one in imap.search(None, "ALL")[1][0].split()
    ]
    imap.logout()
    return [bytes(one).decode() for one in found]


async def _report(server: PostfixServer) -> str:
    """The failure report in the sender's mailbox, waited for."""

    def look() -> str:
        return next((text for text in _mails(server, "alice@x.test") if "Action: failed" in text), "")

    return str(await until_async(lambda: asyncio.to_thread(look), 60))
