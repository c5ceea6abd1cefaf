from __future__ import annotations

import asyncio
import os
from typing import Any, cast

import dkim
import pytest

from gateway.mime.addresses import InvalidAddress
from gateway.mime.compose import compose
from gateway.mime.dkim_sign import Signing, SigningError, generate_key, txt_record
from gateway.mime.header_rules import InvalidHeader
from gateway.mime.parse import parse
from gateway.mime.types import Address, OutgoingAttachment, OutgoingMessage
from gateway.mime.workers.jobs import ComposeFailed, ComposeJob, Order
from gateway.mime.workers.parser_pool import ParserPool
from tests.mime.test_worker import GOOD, children

PRIVATE, _ = generate_key(1024)


def message(**given: object) -> OutgoingMessage:
    values: dict[str, Any] = {
        "message_id": "<msg_1@x.test>",
        "sender": Address("Agent", "agent@x.test"),
        "to": [Address("Bob", "bob@world.test")],
        "cc": [],
        "reply_to": [],
        "subject": "Grüße",
        "text": "hello\n",
        "html": None,
        "attachments": [],
        "headers": {"X-Mine": "1"},
        "in_reply_to": None,
        "references": [],
        "date": 1_700_000_000_000_000,
    }
    return OutgoingMessage(**{**values, **given})


# Megabytes of markup without a text: making its text alternative outlasts the short deadlines below.
SLOW = message(text=None, html="<b><a href=x>y</a></b>" * 400_000)


@pytest.mark.anyio
async def test_the_same_octets_as_in_this_process_read_back() -> None:
    file = OutgoingAttachment(filename="a.bin", content_type="application/pdf", content=os.urandom(300_000))
    async with ParserPool(2) as pool:
        for one in (message(), message(attachments=[file])):
            raw, parsed = await pool.compose(one)
            whole = compose(one)
            if not one.attachments:  # (a boundary is drawn anew each time)
                assert raw == whole
            assert len(raw) == len(whole)
            assert parsed == parse(raw)
    assert parsed.attachments[0].size == 300_000


@pytest.mark.anyio
async def test_signed() -> None:
    record = txt_record(PRIVATE).encode()
    async with ParserPool(1) as pool:
        for _ in range(2):  # the second with the key held ready
            raw, parsed = await pool.compose(message(), Signing("x.test", "p1", PRIVATE))
            assert raw.startswith(b"DKIM-Signature:")
            assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: record)
            assert parsed.message_id == "<msg_1@x.test>"


@pytest.mark.anyio
async def test_errors_come_back_as_they_were_raised() -> None:
    async with ParserPool(1) as pool:
        with pytest.raises(InvalidHeader) as header:
            await pool.compose(message(headers={"X-Evil": "1\r\nBcc: a@b.test"}))
        assert header.value.field == "X-Evil"
        assert str(header.value).startswith("X-Evil: holds U+000D")
        with pytest.raises(InvalidAddress, match="no @"):
            await pool.compose(message(to=[Address("", "bob")]))
        with pytest.raises(SigningError, match=r"cannot sign for x\.test"):
            await pool.compose(message(), Signing("x.test", "p1", "no key"))
        with pytest.raises(InvalidHeader):
            await pool.compose(message(subject="half \ud800"))
        _, parsed = await pool.compose(message(text="half \ud800 of it"))
        assert parsed.text == "half \ufffd of it\n"
        assert (await pool.parse(GOOD % (1, 1))).subject == "good 1"


@pytest.mark.anyio
async def test_a_slow_one_fails_and_its_neighbours_do_not() -> None:
    async with ParserPool(1, deadline=0.3, patience=0.05) as pool:
        slow = asyncio.create_task(pool.compose(SLOW))
        others = await asyncio.gather(
            pool.compose(message()), pool.parse(GOOD % (1, 1)), *(pool.compose(message()) for _ in range(10))
        )
        assert cast(Any, others[1]).subject == "good 1"
        with pytest.raises(ComposeFailed, match="too long"):
            await slow
        raw, _ = await pool.compose(message())
    assert raw == compose(message())


@pytest.mark.anyio
async def test_what_was_composed_is_kept_when_it_cannot_be_read_back() -> None:
    raw = compose(message(text="text"))
    job = ComposeJob(Order(message(), None), asyncio.get_running_loop().create_future())
    assert not job.take(b"+" + raw)
    await job.give_up(TimeoutError())
    kept, parsed = job.result.result()
    assert kept == raw
    assert (parsed.subject, parsed.message_id) == ("Grüße", "<msg_1@x.test>")
    assert parsed.defects == ["took too long to parse"]
    assert parsed.identity == parse(raw).identity


@pytest.mark.anyio
async def test_a_killed_process_fails_no_message() -> None:
    others_of_the_run = children()  # a running gateway among them
    async with ParserPool(1, deadline=60, patience=60) as pool:
        await pool.compose(message())
        slow = asyncio.create_task(pool.compose(SLOW))
        others = [asyncio.create_task(pool.compose(message())) for _ in range(5)]
        await asyncio.sleep(0.02)
        for pid in children() - others_of_the_run:
            os.kill(pid, 9)
        raw, parsed = await slow
        assert (parsed.subject, parsed.defects, parsed.size) == (SLOW.subject, [], len(raw))
        expected = compose(message())
        assert [(await one)[0] for one in others] == [expected] * 5


@pytest.mark.anyio
async def test_sends_go_before_a_backlog_and_do_not_starve_it() -> None:
    async with ParserPool(1) as pool:
        await pool.compose(message())
        backlog = asyncio.create_task(pool.parse_many([GOOD % (i, i) for i in range(2000)]))
        await asyncio.sleep(0)
        await pool.compose(message())
        assert not backlog.done()
        stop = False

        async def sender() -> None:
            while not stop:
                await pool.compose(message())

        senders = [asyncio.create_task(sender()) for _ in range(8)]
        got = await asyncio.wait_for(backlog, 30)
        stop = True
        await asyncio.gather(*senders)
    assert len(got) == 2000


@pytest.mark.anyio
async def test_a_closed_pool_refuses_and_a_caller_who_leaves_is_forgotten() -> None:
    pool = ParserPool(1)
    with pytest.raises(RuntimeError):
        await pool.compose(message())
    async with pool:
        task = asyncio.create_task(pool.compose(SLOW))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await pool.compose(message()))[1].subject == "Grüße"
