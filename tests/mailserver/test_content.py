"""Messages in files: what is kept of them, how they are read from the wire and written to it."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from mailserver.content import IN_MEMORY, PIECE, Content, Spool, content_of
from mailserver.embedded import wire
from mailserver.embedded.data_reader import NO_ROOM, DataReader
from mailserver.inflight import InFlight
from mailserver.pace import Pace
from mailserver.smtp_connection import data_block

pytestmark = pytest.mark.anyio
BIG = b"a line of text\r\n" * (3 * PIECE // 16)


def spooled(data: bytes, folder: Path) -> Spool:
    spool = Spool(folder)
    for at in range(0, len(data), 10_000):
        spool.write(data[at : at + 10_000])
    return spool


async def block_of(data: bytes | Content) -> bytes:
    return b"".join([one async for one in data_block(content_of(data))])


async def received(wire_data: bytes, folder: Path, step: int, limit: int = 0) -> tuple[bytes, str, bytes]:
    """What a DataReader keeps of octets that come ``step`` at a time, its refusal, and what it left unread."""
    reader = asyncio.StreamReader(limit=1 << 16)
    with InFlight(1 << 30).upload("a") as upload, Spool(folder) as spool:
        data = DataReader(spool, upload, limit)

        async def feed() -> None:
            for at in range(0, len(wire_data), step):
                reader.feed_data(wire_data[at : at + step])
                await asyncio.sleep(0)
            reader.feed_eof()

        feeding = asyncio.create_task(feed())
        await data.read(reader, Pace())
        await feeding
        return Content(b"", spool).whole(), data.refusal, await reader.read()


async def test_a_large_message_lies_in_a_file_without_a_name(tmp_path: Path) -> None:
    with spooled(BIG, tmp_path) as spool:
        assert spool.on_disk
        assert os.listdir(tmp_path) == []
        content = Content(b"Head: 1\r\n", spool, 16)
        assert len(content) == len(BIG) - 16 + 9
        assert content.whole() == b"Head: 1\r\n" + BIG[16:]
        assert b"".join([one async for one in content.stream()]) == content.whole()
        assert max(map(len, content.pieces())) <= PIECE
        assert content.after(b"x").from_octet(10).whole() == BIG[16:]
        assert content.start(12) == b"Head: 1\r\na l"


async def test_a_small_message_stays_in_memory(tmp_path: Path) -> None:
    with spooled(b"x" * IN_MEMORY, tmp_path / "none") as spool:
        assert not spool.on_disk
        assert Content(b"", spool).whole() == b"x" * IN_MEMORY
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("message", "block"),
    [
        (b"", b"\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".a\n..\r\nb", b"..a\r\n...\r\nb\r\n.\r\n"),
        (b"a\r", b"a\r\n.\r\n"),
        (b"a\r\r\n.\r\n", b"a\r\n\r\n..\r\n.\r\n"),
        (b"\r\n", b"\r\n.\r\n"),
    ],
)
async def test_the_data_block_has_doubled_dots_and_one_end(message: bytes, block: bytes) -> None:
    assert await block_of(message) == block


async def test_a_block_is_the_same_however_the_message_is_cut(tmp_path: Path) -> None:
    random.seed(1)
    message = b"".join(random.choices([b".", b"\r", b"\n", b"\r\n", b"\r\n.", b"ab", b"\0"], k=200_000))
    whole = await block_of(message)
    assert whole.count(b"\r\n.\r\n") == 1
    with spooled(message, tmp_path) as spool:
        assert await block_of(Content(b"", spool)) == whole
        assert await block_of(Content(message[:7], spool, 7)) == whole


@pytest.mark.parametrize("step", [1, 3, 64, 70_000])
@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"", b""),
        (b"\r\n", b"\r\n"),
        (b"..\r\n", b".\r\n"),
        (b"a\r\n..b\r\n.c\r\n", b"a\r\n.b\r\nc\r\n"),
        (b"a\n.\nb\r.\rc\0\r\n", b"a\r\n.\r\nb\r\n.\r\nc\r\n"),
        (b"a\r\n.\rb\r\n", b"a\r\n\r\nb\r\n"),
    ],
)
async def test_only_the_true_end_ends_a_message(tmp_path: Path, sent: bytes, kept: bytes, step: int) -> None:
    assert await received(sent + b".\r\nQUIT\r\n", tmp_path, step) == (kept, "", b"QUIT\r\n")


async def test_a_large_message_comes_through_whole(tmp_path: Path) -> None:
    random.seed(2)
    lines = [b"." * random.randrange(3) + b"x" * random.randrange(2000) for _ in range(2000)]
    message = b"\r\n".join(lines) + b"\r\n"
    sent = await block_of(message)
    for step in (4096, 65_536, 1 << 20):
        assert await received(sent + b"NOOP\r\n", tmp_path, step) == (message, "", b"NOOP\r\n")


async def test_what_is_too_large_or_too_long_is_read_to_its_end_and_refused(tmp_path: Path) -> None:
    _, refusal, rest = await received(b"a" * 999 + b"\r\n.\r\nQUIT\r\n", tmp_path, 100, limit=1000)
    assert (refusal, rest) == ("552 5.3.4 the message is larger than 1000 octets", b"QUIT\r\n")
    assert (await received(b"a" * 998 + b"\r\n.\r\n", tmp_path, 100, limit=1000))[1] == ""
    _, refusal, rest = await received(b"a" * (1 << 20) + b"b\r\n.\r\nQUIT\r\n", tmp_path, 65_536)
    assert (refusal, rest) == ("500 5.6.0 a line is longer than 1 MiB", b"QUIT\r\n")


async def test_what_exceeds_what_may_be_in_flight_is_refused_for_now(tmp_path: Path) -> None:
    ledger = InFlight(2000)
    reader = asyncio.StreamReader()
    reader.feed_data(b"a" * 1500 + b"\r\n.\r\n")
    with ledger.upload("a") as upload, Spool(tmp_path) as spool:
        data = DataReader(spool, upload, 0)
        await data.read(reader, Pace())
        assert data.refusal == NO_ROOM  # one client has half
    assert ledger.octets == 0


async def test_what_comes_too_slowly_is_given_up(tmp_path: Path) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"a line\r\n")
    with InFlight(1000).upload("a") as upload, Spool(tmp_path) as spool, pytest.raises(TimeoutError):
        await DataReader(spool, upload, 0).read(reader, Pace(rate=1000, grace=0.05))


def test_a_head_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    line = b"X-Long: " + b"y" * 90 + b"\r\n"
    message = line * (2 * wire.MOST_HEAD // len(line)) + b"\r\nbody\r\n"
    with spooled(message, tmp_path) as spool:
        content = Content(b"", spool)
        head = wire.head_of(content)
        assert head.taken <= wire.MOST_HEAD
        made = wire.completed(content, head, hostname="mx.x.test", received="Received: x\r\n").whole()
    assert made.endswith(message)


def test_a_completed_message_has_what_was_missing() -> None:
    for message, kept in (
        (b"Subject: s\r\n\r\nbody\r\n", b"Subject: s\r\n\r\nbody\r\n"),
        (b"Subject: s\r\n", b"Subject: s\r\n\r\n"),
        (b"no head here\r\n", b"\r\nno head here\r\n"),
        (b"From x\r\nSubject: s\r\n\r\nb\r\n", b"Subject: s\r\n\r\nb\r\n"),
        (b"Authentication-Results: mx.x.test; spf=pass\r\nA: b\r\n\r\nb\r\n", b"A: b\r\n\r\nb\r\n"),
        (b"", b"\r\n"),
    ):
        content = Content(message)
        made = wire.completed(
            content,
            wire.head_of(content),
            hostname="mx.x.test",
            received="Received: x\r\n",
            checked=b"C: d\r\n",
        ).whole()
        assert made.startswith(b"C: d\r\nReceived: x\r\nMessage-ID: <")
        assert made.endswith(kept)
        assert b"\r\nDate: " in made
