"""API keys as passwords: what is watched of the sessions that they opened, and how wrong ones are limited."""

from __future__ import annotations

import asyncio
import imaplib
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from gateway.core.accounts import keys
from gateway.core.accounts.login_file import LoginFile
from gateway.core.accounts.mail_logins import NEEDED, MailLogins
from gateway.core.inboxes import inboxes
from gateway.core.key_ring import hash_of
from gateway.records.accounts import ApiKey
from gateway.records.ids import KEY_ID
from mailserver.base import CheckKey, MailServerDown
from mailserver.guessing import FREE
from mailserver.provisioning import Provisioning
from tests.support.running_api import RunningApi
from tests.support.waiting import until_async

LONG = 1e9


class Sessions:
    """The part of a mail server that ends sessions; the first ``fail`` times it fails."""

    def __init__(self, fail: int = 0) -> None:
        self.check_key: CheckKey | None = None
        self.asked: list[str] = []
        self.ended: list[str] = []
        self._fail = fail

    async def end_sessions(self, addresses: Sequence[str]) -> None:
        self.asked += addresses
        if self._fail:
            self._fail -= 1
            raise MailServerDown("the mail server goes on with sessions that should end")
        self.ended += addresses


@asynccontextmanager
async def watching(
    running: RunningApi, sessions: Sessions, *, settled: float = LONG, most: int = 100
) -> AsyncIterator[MailLogins]:
    logins = MailLogins(running.core, cast(Provisioning, sessions), recheck=0.01, settled=settled, most=most)
    await logins.start()
    try:
        yield logins
    finally:
        await logins.stop()


def noted(running: RunningApi) -> list[str]:
    file = running.core.data_dir / "key-logins"
    return file.read_text().splitlines() if file.exists() else []


async def new_inbox(running: RunningApi) -> str:
    return (await inboxes.create(running.core, running.scope, inboxes.NewInbox())).inbox.address


async def new_key(running: RunningApi) -> tuple[ApiKey, str]:
    return await keys.create(running.core, running.scope, name="mail")


async def revoke(running: RunningApi, key: ApiKey) -> None:
    await keys.delete(running.core, running.scope, KEY_ID.public(key.id))


@pytest.mark.anyio
async def test_a_login_that_was_allowed_as_its_key_went_has_its_session_ended_when_it_is_open(
    running: RunningApi,
) -> None:
    """The mail server may open the session only after the sessions of the key were ended."""
    address, (key, secret), sessions = await new_inbox(running), await new_key(running), Sessions()
    line = f"{hash_of(secret)} {address}"
    async with watching(running, sessions) as logins:
        assert await logins.check(address, secret, "imap")
        await revoke(running, key)
        assert not await logins.check(address, secret, "imap")
        await until_async(lambda: sessions.ended == [address])
        assert line in noted(running), "its session is not open yet, perhaps"
    async with watching(running, sessions):  # after a restart it is
        await until_async(lambda: line not in noted(running))
        assert sessions.ended == [address, address]


@pytest.mark.anyio
async def test_sessions_that_did_not_end_are_ended_again(running: RunningApi) -> None:
    address, (key, secret), sessions = await new_inbox(running), await new_key(running), Sessions(fail=2)
    async with watching(running, sessions, settled=0.0) as logins:
        assert await logins.check(address, secret, "imap")
        await revoke(running, key)
        await until_async(lambda: sessions.ended == [address] and not noted(running))
        assert sessions.asked == [address] * 3


@pytest.mark.anyio
async def test_a_session_that_is_watched_is_no_use_of_its_key(running: RunningApi) -> None:
    address, (key, secret), sessions = await new_inbox(running), await new_key(running), Sessions()
    gone = hash_of("a key that was revoked")
    (running.core.data_dir / "key-logins").write_text(f"{hash_of(secret)} {address}\n{gone} {address}\n")
    async with watching(running, sessions):
        await until_async(lambda: sessions.ended == [address])
        assert noted(running) == [f"{hash_of(secret)} {address}"]
        assert running.core.keys.used_at(key.id) is None
    assert (await keys.get(running.core, running.scope, KEY_ID.public(key.id))).used_at is None


@pytest.mark.anyio
async def test_a_login_by_smtp_opens_no_mailbox_that_is_watched(running: RunningApi) -> None:
    address, (_, secret) = await new_inbox(running), await new_key(running)
    before = noted(running)
    async with watching(running, Sessions()) as logins:
        assert await logins.check(address, secret, "smtp")
        for service in ("", "sieve", "doveadm", "IMAP"):
            assert service not in NEEDED
            assert not await logins.check(address, secret, service)
    assert noted(running) == before


@pytest.mark.anyio
async def test_the_logins_that_are_watched_are_bounded_and_the_newest_stay(running: RunningApi) -> None:
    (key, secret), sessions = await new_key(running), Sessions()
    addresses = [await new_inbox(running) for _ in range(5)]
    async with watching(running, sessions, settled=0.0, most=3) as logins:
        for address in (addresses[0], *addresses[1:3], addresses[0], *addresses[3:]):
            assert await logins.check(address, secret, "imap")
        await revoke(running, key)
        await until_async(lambda: len(sessions.ended) == 3)
        assert sorted(sessions.ended) == sorted([addresses[0], *addresses[3:]])


def test_the_file_of_logins_is_bounded_and_shared(tmp_path: Path) -> None:
    ours, theirs = (LoginFile(tmp_path / "key-logins", 10) for _ in range(2))
    for number in range(100):
        ours.add(("a" * 64, f"{number}@x.test"))
    assert len(ours.path.read_text().splitlines()) <= 20
    assert ours.read()[-1] == ("a" * 64, "99@x.test")
    theirs.add(("b" * 64, "theirs@x.test"))
    ours.remove([("a" * 64, "99@x.test")])
    assert theirs.read()[-2:] == [("a" * 64, "98@x.test"), ("b" * 64, "theirs@x.test")]
    assert ours.path.stat().st_mode & 0o077 == 0
    ours.path.write_bytes(b"\xff\n\nno-address \n" + b"c" * 64 + b" c@x.test\n")
    assert ours.read() == [("c" * 64, "c@x.test")], "what is damaged is left out"


class _FromElsewhere(imaplib.IMAP4):
    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, ("127.18.0.1", 0))


@pytest.mark.anyio
async def test_wrong_keys_are_counted_like_wrong_passwords(running: RunningApi) -> None:
    """On Dovecot, where a right key of another inbox is a wrong one, too."""
    address, other = await new_inbox(running), await new_inbox(running)
    _, secret = await keys.create(running.core, running.scope, name="mail", inbox=other)
    imap = running.server.imap_login(address).endpoint

    def guess(password: str) -> None:
        client = _FromElsewhere(imap.host, imap.port, timeout=60)
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.login(address, password)
        client.shutdown()

    logins = MailLogins(running.core, running.server)
    await logins.start()
    try:
        for number in range(FREE + 1):
            await asyncio.to_thread(guess, f"{secret}{number}" if number else secret)
        guesses = running.server.guesses
        assert guesses.begin("127.18.0.2", "somebody@else.test") == 0.0
        assert guesses.begin("127.18.0.1", "somebody@else.test") > 0.0
    finally:
        await logins.stop()
