from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from blockbuster import BlockBuster

from gateway.mime.parse import parse
from gateway.mime.workers.parser_pool import ParserPool

GOOD = b"From: a@b.c\r\nSubject: good %d\r\nMessage-ID: <%d@x>\r\n\r\nhello"
# Slow for real: a megabyte of text in many small lines costs more than the short deadlines below.
SLOW = b"From: slow@b.c\r\nSubject: slow\r\nContent-Type: text/html\r\n\r\n" + b"<b><a href=x></a>" * 30_000


def children() -> set[int]:
    """Our child processes. Not by thread: the children of one that ends while we look move to another."""
    found = set()
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{entry}/stat") as file:
            if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(entry))
    return found


@pytest.mark.anyio
async def test_results_equal_direct_parsing_in_order() -> None:
    raws = [GOOD % (i, i) for i in range(100)]
    async with ParserPool(2) as pool:
        got = await pool.parse_many(raws)
    assert got == [parse(raw) for raw in raws]


@pytest.mark.anyio
async def test_no_process_is_left_and_a_closed_pool_refuses() -> None:
    before = children()
    pool = ParserPool(2)
    await pool.start()
    assert len(children() - before) == 2
    await pool.close()
    assert children() - before == set()
    with pytest.raises(RuntimeError):
        await pool.parse(b"x")


@pytest.mark.anyio
async def test_a_message_that_takes_long_does_not_delay_others() -> None:
    before = children()
    async with ParserPool(1, deadline=30, patience=0.05) as pool:
        (pid,) = children() - before
        os.kill(pid, signal.SIGSTOP)
        try:
            tasks = [asyncio.create_task(pool.parse(GOOD % (i, i))) for i in range(20)]
            others = await asyncio.gather(*tasks[1:])
            assert [m.subject for m in others] == [f"good {i}" for i in range(1, 20)]
            assert not tasks[0].done()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (await tasks[0]).subject == "good 0"


@pytest.mark.anyio
async def test_a_message_that_takes_too_long_comes_back_minimal() -> None:
    async with ParserPool(1, deadline=0.1, patience=0.05) as pool:
        slow = await pool.parse(SLOW)
        assert (await pool.parse(GOOD % (7, 7))).subject == "good 7"
    if slow.defects:  # a fast machine may parse it in time
        assert slow.defects == ["took too long to parse"]
    assert slow.subject == "slow"
    assert slow.sender is not None
    assert slow.identity == parse(SLOW).identity


@pytest.mark.anyio
async def test_a_message_is_not_slow_because_the_machine_is_busy() -> None:
    """Stopped for longer than it may compute, the process has used nothing of its time."""
    before = children()
    async with ParserPool(1, deadline=0.5, patience=0.5) as pool:
        assert (await pool.parse(GOOD % (1, 1))).subject == "good 1"
        (pid,) = children() - before
        os.kill(pid, signal.SIGSTOP)
        try:
            asked = asyncio.create_task(pool.parse(GOOD % (2, 2)))
            await asyncio.sleep(1.0)
            assert not asked.done()
        finally:
            os.kill(pid, signal.SIGCONT)
        parsed = await asked
        assert (parsed.subject, parsed.defects) == ("good 2", [])
        assert children() - before == {pid}


@pytest.mark.anyio
async def test_a_process_that_only_waits_is_given_up_too() -> None:
    before = children()
    async with ParserPool(1, deadline=0.1, patience=0.05) as pool:
        (pid,) = children() - before
        os.kill(pid, signal.SIGSTOP)
        parsed = await pool.parse(GOOD % (1, 1))
        assert parsed.defects == ["took too long to parse"]
        assert (await pool.parse(GOOD % (2, 2))).subject == "good 2"


@pytest.mark.anyio
async def test_a_killed_process_is_replaced_and_another_reads_its_message() -> None:
    others_of_the_run = children()  # a running gateway among them
    async with ParserPool(1, deadline=60, patience=60) as pool:
        await pool.parse(b"From: a@b.c\r\n\r\nx")
        task = asyncio.create_task(pool.parse_many([SLOW, *[GOOD % (i, i) for i in range(5)]]))
        await asyncio.sleep(0.02)
        for pid in children() - others_of_the_run:
            os.kill(pid, 9)
        got = await task
    assert got[0] == parse(SLOW)
    assert [m.subject for m in got[1:]] == [f"good {i}" for i in range(5)]
    assert all(not m.defects for m in got[1:])


@pytest.mark.anyio
async def test_a_process_that_died_while_nothing_was_asked_costs_no_message_its_text() -> None:
    others_of_the_run = children()
    async with ParserPool(2) as pool:
        for _ in range(3):
            await pool.parse_many([GOOD % (i, i) for i in range(8)])
            for pid in children() - others_of_the_run:
                os.kill(pid, signal.SIGKILL)
            got = await pool.parse_many([GOOD % (i, i) for i in range(8)])
            assert [(one.text, one.defects) for one in got] == [("hello", [])] * 8


@pytest.mark.anyio
async def test_a_message_that_kills_every_process_is_given_up_alone() -> None:
    """Whichever process has it is killed, as by a parser that crashes; its neighbours are read meanwhile."""
    others_of_the_run = children()
    auth = b"Authentication-Results: mx.x.test; dmarc=pass\r\n"
    async with ParserPool(1, deadline=60, patience=60, authserv_id="mx.x.test") as pool:
        await pool.parse(GOOD % (1, 1))
        poison = asyncio.create_task(pool.parse(auth + SLOW))
        behind = asyncio.create_task(pool.parse_many([GOOD % (i, i) for i in range(5)]))

        async def kill_who_has_it() -> None:
            while not poison.done():
                for job, pid in [(one.job, one.child.pid) for one in pool._processes]:
                    if job is not None and job.payload.startswith(auth):
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGSEGV)
                await asyncio.sleep(0.001)

        killer = asyncio.create_task(kill_who_has_it())
        got = await behind
        assert not poison.done(), "it is tried once more after them"
        given_up = await poison
        await killer
        assert [(one.text, one.defects) for one in got] == [("hello", [])] * 5
        assert given_up.defects == ["parser process died"]
        assert given_up.unread
        assert (given_up.subject, given_up.auth.dmarc) == ("slow", "pass")
        assert not (await pool.parse(SLOW)).unread
    assert children() - others_of_the_run == set()


@pytest.mark.anyio
async def test_processes_that_cannot_start_for_a_moment_cost_no_message_its_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others_of_the_run = children()
    async with ParserPool(1) as pool:
        for pid in children() - others_of_the_run:
            os.kill(pid, signal.SIGKILL)
        with monkeypatch.context() as none:
            none.setattr(sys, "executable", "/nonexistent/python")
            asked = asyncio.create_task(pool.parse(GOOD % (1, 1)))
            await asyncio.sleep(0.3)
            assert not asked.done()
        assert (await asked).text == "hello"


@pytest.mark.anyio
async def test_memory_is_limited() -> None:
    big = b"From: a@b.c\r\nSubject: big\r\n\r\n" + b"x" * 60_000_000
    async with ParserPool(1, memory=160 * 1024 * 1024) as pool:
        got = await pool.parse_many([big, GOOD % (1, 1)])
    assert got[0].subject == "big"
    assert got[0].defects
    assert got[1].subject == "good 1"


@pytest.mark.anyio
async def test_the_event_loop_is_not_blocked() -> None:
    blocker = BlockBuster()
    others_of_the_run = children()
    async with ParserPool(2) as pool:
        pids = children() - others_of_the_run
        blocker.activate()
        try:
            await pool.parse_many([GOOD % (i, i) for i in range(50)])
            for pid in pids:
                os.kill(pid, 9)
            await pool.parse_many([GOOD % (i, i) for i in range(50)])
        finally:
            blocker.deactivate()


@pytest.mark.anyio
async def test_one_process_serves_message_after_message() -> None:
    async with ParserPool(1) as pool:
        before = {process.child.pid for process in pool._processes}
        for i in range(200):
            assert (await pool.parse(GOOD % (i, i))).subject == f"good {i}"
        assert {process.child.pid for process in pool._processes} == before


def test_workers_end_when_the_parent_is_killed() -> None:
    program = textwrap.dedent("""
        import asyncio
        from gateway.mime.workers.parser_pool import ParserPool
        async def main():
            pool = ParserPool(2)
            await pool.start()
            print(*(process.child.pid for process in pool._processes), flush=True)
            await asyncio.sleep(60)
        asyncio.run(main())
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 2
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(alive(pid) for pid in pids):
        time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
