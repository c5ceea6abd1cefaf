"""Files made to hurt: each ends with a reason, the process or its successor goes on, and neighbours are read."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from gateway.extract.pool import ExtractPool
from gateway.extract.types import Extracted
from gateway.mime.parse import parse
from tests.extract import files
from tests.extract.conftest import needs_tesseract
from tests.extract.files import File
from tests.extract.test_readers import BINARY, read

pytestmark = pytest.mark.anyio

TOO_LARGE = Extracted("skipped_too_large")
NEIGHBOUR: File = ("n.pdf", BINARY, files.pdf("neighbour"))
READ = Extracted("pdf", "neighbour")


def word_of(xml: bytes | str) -> bytes:
    return files.docx("", **{"word/document.xml": xml})


async def test_archives_that_grow_without_end() -> None:
    spaces = word_of(b"<a>" + b" " * 100_000_000 + b"</a>")
    elements = word_of(b"<a>" * 20_000_000)
    members = files.archive({"[Content_Types].xml": "", **{f"{n}": "" for n in range(10_001)}})
    assert max(map(len, (spaces, elements, members))) < 2_000_000
    async with ExtractPool(1) as pool:
        assert await read(
            pool,
            ("a.docx", BINARY, spaces),
            ("b.docx", BINARY, elements),
            ("c.docx", BINARY, members),
            NEIGHBOUR,
        ) == [TOO_LARGE, TOO_LARGE, TOO_LARGE, READ]


async def test_a_bomb_behind_enough_text_is_not_unpacked() -> None:
    long = word_of(f'<w:d xmlns:w="x">{files.paragraph("y" * 60_000)}'.encode() + b" " * 100_000_000)
    async with ExtractPool(1) as pool:
        assert await read(pool, ("a.docx", BINARY, long)) == [Extracted("office", "y" * 50_000)]


async def test_entities_are_refused() -> None:
    laughs = word_of(files.billion_laughs() + "<a>&l9;</a>")
    outside = word_of('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>')
    async with ExtractPool(1) as pool:
        found = await read(pool, ("a.docx", BINARY, laughs), ("b.docx", BINARY, outside), NEIGHBOUR)
    assert found == [Extracted("office_error"), Extracted("office_error"), READ]


async def test_pdf_bombs() -> None:
    stream = files.pdf("x", stream=files.deflated(300))
    nested = files.assemble([b"<</Type/Catalog/Pages 2 0 R>>", b"[" * 200_000])
    loop = files.assemble([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 1>>"])
    async with ExtractPool(1) as pool:
        found = await read(
            pool, ("a.pdf", BINARY, stream), ("b.pdf", BINARY, nested), ("c.pdf", BINARY, loop), NEIGHBOUR
        )
    assert found[0] == TOO_LARGE
    assert {one.method for one in found[1:3]} <= {"pdf_error", "skipped_too_large"}
    assert found[3] == READ


@needs_tesseract
async def test_pictures_that_are_huge() -> None:
    png = files.huge_png()
    assert len(png) < 1_000_000
    async with ExtractPool(1) as pool:
        assert await read(pool, ("a.png", "image/png", png), NEIGHBOUR) == [TOO_LARGE, READ]


async def test_a_file_over_ten_megabytes_is_not_read() -> None:
    async with ExtractPool(1) as pool:
        found = await read(pool, ("a.txt", "text/plain", b"x" * (10 * 1024 * 1024 + 1)))
        assert found == [TOO_LARGE]
        assert not pool._processes


async def test_processor_time_is_limited_and_the_rest_of_the_message_is_read() -> None:
    # only the kernel's limit ends it: the deadline is far off
    async with ExtractPool(1, cpu_seconds=1, deadline=120) as pool:
        found = await read(pool, NEIGHBOUR, ("slow.pdf", BINARY, files.endless_pdf()), NEIGHBOUR)
    assert found == [READ, TOO_LARGE, READ]


async def test_wall_clock_is_limited() -> None:
    async with ExtractPool(1, deadline=0.5, patience=0.1) as pool:
        assert await read(pool, ("slow.pdf", BINARY, files.endless_pdf())) == [TOO_LARGE]


async def test_a_slow_message_does_not_hold_up_others() -> None:
    async with ExtractPool(1, patience=0.1) as pool:
        done: list[str] = []

        async def one(name: str, *given: File) -> list[Extracted]:
            found = await read(pool, *given)
            done.append(name)
            return found

        slow = asyncio.create_task(one("slow", ("slow.pdf", BINARY, files.slow_pdf(300_000))))
        quick = [asyncio.create_task(one("quick", NEIGHBOUR)) for _ in range(3)]
        assert [await task for task in quick] == [[READ]] * 3
        assert await slow == [Extracted("pdf", "")]
    assert done == ["quick"] * 3 + ["slow"]


async def test_a_killed_process_loses_no_file() -> None:
    async with ExtractPool(1, patience=20) as pool:
        assert await read(pool, NEIGHBOUR) == [READ]
        (before,) = pool._processes
        running = asyncio.create_task(
            read(
                pool,
                NEIGHBOUR,
                ("slow.pdf", BINARY, files.slow_pdf(100_000)),
                NEIGHBOUR,
                ("a.txt", "text/plain", b"x"),
            )
        )
        await asyncio.sleep(0.5)  # it is at the slow one, or still before it
        os.kill(before.child.pid, signal.SIGSEGV)
        found = await running
        assert before not in pool._processes
    assert found[1] == Extracted("pdf", "")
    assert (found[0], found[2:]) == (READ, [READ, Extracted("text", "x")])


async def test_a_process_that_died_while_nothing_was_asked_costs_no_file_its_text() -> None:
    async with ExtractPool(1) as pool:
        for _ in range(3):
            assert await read(pool, NEIGHBOUR) == [READ]
            (process,) = pool._processes
            os.kill(process.child.pid, signal.SIGKILL)
            assert await read(pool, NEIGHBOUR, NEIGHBOUR) == [READ, READ]


@pytest.mark.parametrize("which", ["each", "none"])
async def test_a_file_that_kills_every_process_is_lost_alone(which: str) -> None:
    """Killed at the file, it is an error; killed before the first was begun, none is said to be too large."""
    raw = files.mail(("slow.pdf", BINARY, files.slow_pdf()), NEIGHBOUR)
    parsed = parse(raw)
    async with ExtractPool(1, patience=20, deadline=60) as pool:
        running = asyncio.create_task(pool.extract(raw, parsed.attachments))
        while not running.done():
            for process in list(pool._processes):
                job: Any = process.job
                at_it = job is not None and (
                    which == "none" or (job.count == 2 and not job.done and job.if_dead)
                )
                if at_it and process.child.poll() is None:
                    os.kill(process.child.pid, signal.SIGSEGV)
            await asyncio.sleep(0.001)
        found = await running
    if which == "none":
        assert "skipped_too_large" not in {one.method for one in found.values()}
    else:
        assert [found[one.id] for one in parsed.attachments] == [Extracted("pdf_error"), READ]


async def test_what_no_process_has_time_for_is_left_unread() -> None:
    async with ExtractPool(1, patience=20) as pool:
        slow = asyncio.create_task(read(pool, ("slow.pdf", BINARY, files.slow_pdf(200_000))))
        raw = files.mail(NEIGHBOUR)
        parsed = parse(raw)
        await asyncio.sleep(0)  # now it is in the queue
        pool._queue_seconds = 0.2
        assert await pool.extract(raw, parsed.attachments) == {}
        assert await slow == [Extracted("pdf", "")]
        pool._queue_seconds = 20
        found = await pool.extract(raw, parsed.attachments)
        assert list(found.values()) == [READ]


async def test_what_is_known_is_not_read_again() -> None:
    async with ExtractPool(1) as pool:
        raw = files.mail(NEIGHBOUR)
        parsed = parse(raw)
        known = {parsed.attachments[0].id: Extracted("pdf", "as it was")}
        assert await pool.extract(raw, parsed.attachments, known) == known
        assert not pool._processes
