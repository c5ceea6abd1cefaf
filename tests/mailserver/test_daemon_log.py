"""What Dovecot says on its standard error goes into the gateway's log."""

from __future__ import annotations

import asyncio
import logging

import pytest

from mailserver.daemon_log import DaemonLog

pytestmark = pytest.mark.anyio


async def test_lines_are_logged_by_what_they_say(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "postern.dovecot")
    reader = asyncio.StreamReader()
    reader.feed_data(b"Nov 29 21:40:01 imap(a@x.test): Info: Logged out\nNov 29 21:40:02 lmtp: Error: no sp")
    reader.feed_data(b"ace\x1b[0m left\nmaster: Fatal: it is over\n" + b"x" * 20_000 + b"\nthe end")
    reader.feed_eof()
    said = DaemonLog("dovecot")
    await said.follow(reader)
    levels = [(one.levelname, one.getMessage()) for one in caplog.records]
    assert levels[:3] == [
        ("DEBUG", "imap(a@x.test): Info: Logged out"),
        ("WARNING", "lmtp: Error: no space [0m left"),
        ("ERROR", "master: Fatal: it is over"),
    ]
    assert max(len(text) for _, text in levels) <= 4096
    assert said.tail().endswith("the end")
