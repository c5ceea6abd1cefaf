"""8-bit mail that is signed goes out as it is, to a server that does not speak of 8BITMIME too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailserver.base import Envelope
from mailserver.embedded.settings import Smarthost
from tests.support.servers import Sink, postfix_server

pytestmark = [pytest.mark.anyio, pytest.mark.root]
MAIL = (
    b"From: a@x.test\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\nSubject: s\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
)


class OldSink(Sink):
    """Offers neither 8BITMIME nor SMTPUTF8."""

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [one for one in responses if one[4:] not in ("8BITMIME", "SMTPUTF8")]


async def test_signed_octets_stay(tmp_path: Path) -> None:
    async with (
        OldSink() as sink,
        postfix_server(tmp_path, smarthost=Smarthost(host="127.0.0.1", port=sink.port, tls="none")) as server,
    ):
        mail = Envelope("a@x.test", ("b@far.test",), MAIL, "t")
        [hop] = server.plan(mail.recipients)
        assert all(one.ok for one in (await server.transmit(hop, mail)).values())
        got = (await sink.wait())[0]  # the report to the sender may have come too
    assert b"Content-Transfer-Encoding: 8bit\r\n" in got.data
    assert got.data.endswith(b"\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n")
