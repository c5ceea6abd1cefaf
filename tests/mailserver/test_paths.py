"""The short way through MAIL and RCPT paths says what aiosmtpd's full grammar says."""

from __future__ import annotations

import pytest
from aiosmtpd.smtp import SMTP

from mailserver.embedded.session import _PLAIN_PATH, Session

PLAIN = [
    "<a@b.c>",
    "<a.b+c=d@x-y.example> SIZE=4096 BODY=8BITMIME",
    "<b-01h+sent-x@x.example>\tSMTPUTF8",
    "<a@b> ",
]
OTHERS = [
    "",
    "<>",
    "<> SIZE=1",
    "a@b.c",
    "<a@b.c",
    "<a..b@c.d>",
    "<.a@b.c>",
    "<a@b.c> (comment)",
    "<a@b.c>SIZE=1",
    '<"q q"@b.c>',
    "<é@b.c>",
    "<a@[127.0.0.1]>",
    "<@relay.example:a@b.c>",
    " <a@b.c>",
    "<a b@c.d>",
]


@pytest.mark.parametrize("path", PLAIN + OTHERS)
def test_same_answer_as_the_full_grammar(path: str) -> None:
    session = Session.__new__(Session)
    address, rest = session._getaddr(path)
    wanted, wanted_rest = SMTP._getaddr(session, path)
    assert address == wanted
    assert (rest or "").split() == (wanted_rest or "").split()


@pytest.mark.parametrize("path", PLAIN)
def test_plain_paths_take_the_short_way(path: str) -> None:
    assert _PLAIN_PATH.fullmatch(path)


@pytest.mark.parametrize("path", OTHERS)
def test_everything_else_goes_the_long_way(path: str) -> None:
    assert not _PLAIN_PATH.fullmatch(path)
