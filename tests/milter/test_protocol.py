"""What an MTA may say beyond what our Postfix says in the other tests, octet by octet."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailserver.base import MailServerError
from mailserver.milter import Mail, MilterService, Verdict
from mailserver.milter.connection import LARGE

pytestmark = pytest.mark.anyio
ALL = struct.pack(">III", 6, 0x1FF, 0x1FFFFF)


@dataclass
class Judged:
    """A filter that keeps what it is shown."""

    decide: Callable[[Mail], Verdict] = lambda mail: Verdict()
    mails: list[Mail] = field(default_factory=list)

    def passes(self, login: str) -> bool:
        return login == "ours"

    async def judge(self, mail: Mail) -> Verdict:
        self.mails.append(mail)
        return self.decide(mail)


class Mta:
    """Speaks to a milter."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def say(self, command: bytes, data: bytes = b"") -> None:
        self._writer.write(struct.pack(">I", 1 + len(data)) + command + data)

    async def hear(self) -> tuple[bytes, bytes]:
        async with asyncio.timeout(20):
            (size,) = struct.unpack(">I", await self._reader.readexactly(4))
            answer = await self._reader.readexactly(size)
        return answer[:1], answer[1:]

    async def ended(self) -> bool:
        async with asyncio.timeout(20):
            return await self._reader.read(1) == b""

    async def negotiate(self, offer: bytes = ALL) -> tuple[int, ...]:
        self.say(b"O", offer)
        command, data = await self.hear()
        assert command == b"O"
        return struct.unpack(">III", data)

    async def begin(self, login: str = "", sender: bytes = b"<eve@far.test>") -> bytes:
        """MAIL; the answer."""
        macros = b"{auth_authen}\0" + login.encode() + b"\0" if login else b"{mail_addr}\0x\0"
        self.say(b"D", b"M" + macros)
        self.say(b"M", sender + b"\0BODY=8BITMIME\0")
        return (await self.hear())[0]

    async def end(self) -> list[tuple[bytes, bytes]]:
        """The end of the body; everything said to it."""
        self.say(b"E")
        said = [await self.hear()]
        while said[-1][0] not in (b"a", b"y"):
            said.append(await self.hear())
        return said


@asynccontextmanager
async def spoken(judged: Judged, largest: int = 10_000_000) -> AsyncIterator[Callable[[], Any]]:
    service = MilterService("inet:127.0.0.1:0", judged, largest=largest)
    await service.start()
    writers = []

    async def connect() -> Mta:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writers.append(writer)
        return Mta(reader, writer)

    try:
        yield connect
    finally:
        for writer in writers:
            writer.close()
        await service.stop()


async def test_clients_of_any_kind_and_octets_of_any_kind() -> None:
    judged = Judged()
    async with spoken(judged) as connect:
        mta: Mta = await connect()
        version, actions, steps = await mta.negotiate()
        assert (version, actions) == (6, 0x11)
        assert steps & 0x100000  # the blank after a field's colon, which simple canonicalisation needs
        mta.say(b"C", b"far.test\x006\x00\x19IPv6:2001:db8::1\0")
        mta.say(b"H", "hällo\0".encode() + b"")
        assert await mta.begin(sender="<évé@far.test>".encode()) == b"c"
        mta.say(b"L", b"Subject\0 a\n\tb \xff\0")
        mta.say(b"L", b"X\0\0")
        mta.say(b"N")
        mta.say(b"B", b"one\r\ntwo")
        mta.say(b"B", b"\r\n")
        assert await mta.end() == [(b"a", b"")]
        (mail,) = judged.mails
        assert (mail.address, mail.helo, mail.mail_from) == ("2001:db8::1", "hällo", "évé@far.test")
        assert bytes(mail.data) == b"Subject: a\r\n\tb \xff\r\nX:\r\n\r\none\r\ntwo\r\n"


async def test_an_mta_that_waits_for_every_answer_gets_it() -> None:
    judged = Judged(lambda mail: Verdict(top=b"X-A: 1;\r\n\t2\r\n"))
    async with spoken(judged) as connect:
        mta: Mta = await connect()
        assert (await mta.negotiate(struct.pack(">III", 2, 0x1F, 0x7F)))[2] == 0x08
        for command, data in (
            (b"C", b"x\x00U"),
            (b"H", b"x\0"),
            (b"M", b"<>\0"),
            (b"L", b"A\0b\0"),
            (b"N", b""),
            (b"B", b"c\r\n"),
        ):
            mta.say(command, data)
            assert await mta.hear() == (b"c", b"")
        (insert, accept) = await mta.end()
        assert insert == (b"i", b"\0\0\0\0X-A\x001;\n\t2\0")
        assert accept == (b"a", b"")
        assert bytes(judged.mails[0].data) == b"A: b\r\n\r\nc\r\n"


async def test_aborted_and_following_messages_share_nothing() -> None:
    judged = Judged()
    async with spoken(judged) as connect:
        mta: Mta = await connect()
        await mta.negotiate()
        mta.say(b"C", b"far.test\x004\x00\x19192.0.2.1\0")
        await mta.begin("alice@x.test")
        mta.say(b"L", b"Authentication-Results\0 mx; x\0")
        mta.say(b"B", b"x" * 60_000)
        mta.say(b"A")
        await mta.begin()
        mta.say(b"N")
        await mta.end()
        assert await mta.begin("ours") == b"a"
        await mta.begin()
        await mta.end()
        assert [(one.login, one.address, bytes(one.data), one.claims) for one in judged.mails] == [
            ("", "192.0.2.1", b"\r\n", []),
            ("", "192.0.2.1", b"", []),
        ]


async def test_fields_are_deleted_from_the_last_to_the_first_and_refusals_are_one_line() -> None:
    judged = Judged(lambda mail: Verdict(drop=tuple(one for one in mail.claims if b"mx" in one.field)))
    async with spoken(judged) as connect:
        mta: Mta = await connect()
        await mta.negotiate()
        await mta.begin()
        for name in (b"Authentication-Results", b"X-Claimed-Results", b"Authentication-Results"):
            mta.say(b"L", name + b"\0 mx; x\0")
        mta.say(b"L", b"Authentication-Results\0 other; x\0")
        found = await mta.end()
        assert [data.rstrip(b"\0") for command, data in found if command == b"m"] == [
            b"\0\0\0\2authentication-results",
            b"\0\0\0\1x-claimed-results",
            b"\0\0\0\1authentication-results",
        ]
        judged.decide = lambda mail: Verdict(refuse="550 5.7.1 no\r\n100% sure")
        await mta.begin()
        assert await mta.end() == [(b"y", b"550 5.7.1 no 100%% sure\0")]


async def test_a_filter_that_fails_defers_people_and_takes_the_world() -> None:
    def fail(mail: Mail) -> Verdict:
        raise RuntimeError("a defect")

    async with spoken(Judged(fail), largest=1000) as connect:
        mta: Mta = await connect()
        await mta.negotiate()
        for _ in range(2):  # the second time it is too large
            await mta.begin()
            assert await mta.end() == [(b"a", b"")]
            await mta.begin("alice@x.test")
            mta.say(b"B", b"x" * 2000)
            ((command, words),) = await mta.end()
            assert (command, words[:4]) == (b"y", b"451 ")


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        struct.pack(">I", 0) + b"O",
        struct.pack(">I", 2**31) + b"B",
        struct.pack(">I", 1) + b"B",
        struct.pack(">I", 5) + b"O1234",
        struct.pack(">I", 13) + b"O" + struct.pack(">III", 6, 0, 0),
    ],
)
async def test_who_speaks_something_else_is_cut_off(said: bytes) -> None:
    async with spoken(Judged()) as connect:
        mta: Mta = await connect()
        mta._writer.write(said)
        assert await mta.ended()
        other: Mta = await connect()
        await other.negotiate()


async def test_of_large_messages_one_is_held_at_a_time() -> None:
    judged = Judged()
    async with spoken(judged) as connect:
        first: Mta = await connect()
        second: Mta = await connect()
        chunk = b"x" * 65_000
        for mta in (first, second):
            await mta.negotiate()
            await mta.begin()
        for _ in range(LARGE // len(chunk) + 2):
            first.say(b"B", chunk)
        first.say(b"A")  # holds until here
        for _ in range(LARGE // len(chunk) + 2):
            second.say(b"B", chunk)
        assert await second.end() == [(b"a", b"")]
        await first.begin()
        for _ in range(LARGE // len(chunk) + 2):
            first.say(b"B", chunk)
        ending = asyncio.create_task(first.end())
        assert await ending == [(b"a", b"")]
        assert [len(one.data) > LARGE for one in judged.mails] == [True, True]


def test_an_address_that_is_none_is_refused_with_words() -> None:
    for address in ("milter.sock", "inet:8891", "unix:relative", ""):
        with pytest.raises(MailServerError, match=r"unix:/PATH or inet:HOST:PORT"):
            MilterService(address, Judged(), largest=1)
