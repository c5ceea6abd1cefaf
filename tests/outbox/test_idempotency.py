"""One key, one send: concurrent callers, restarts, other bodies."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gateway.core import idempotency
from gateway.core.errors import Conflict, Invalid
from gateway.core.idempotency import Claim, Completion, Replay
from gateway.core.sending.send import SendRequest, send
from gateway.core.sent import Sent
from gateway.records.ids import now_us
from gateway.records.inboxes import Inbox
from gateway.store import index
from gateway.store.engine import Store, StoreDown
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from gateway.sync.rebuild import rebuild
from tests.outbox.borrowed import borrowed, copies
from tests.outbox.running_outbox import ORG, SCOPE, RunningOutbox, running_outbox

pytestmark = pytest.mark.anyio


async def _call(
    r: RunningOutbox, inbox: Inbox, key: str, body: str = "same", to: str = "bob@world.test"
) -> str:
    """What a dialect does with a keyed request."""
    begun = await idempotency.begin(r.core, ORG, key, body)
    if isinstance(begun, Replay):
        return begun.body

    def render(sent: Sent) -> tuple[int, str]:
        return 200, json.dumps({"message_id": sent.message_id, "thread_id": sent.thread_id})

    try:
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=[to], text=body), Completion(begun, render))
    except BaseException:
        await idempotency.abandon(r.core, begun)
        raise
    return render(sent)[1]


async def test_fifty_at_once_are_one(tmp_path: Path) -> None:
    async with running_outbox(tmp_path) as r:
        inbox = await r.inbox()
        answers = await asyncio.gather(*(_call(r, inbox, "k-1") for _ in range(50)))
        assert len(set(answers)) == 1
        assert await r.value("SELECT count(*) FROM outbox") == 1
        await r.settled(json.loads(answers[0])["message_id"])
        assert len(r.sink.copies("bob@world.test")) == 1
        assert await _call(r, inbox, "k-1") == answers[0]
        assert await _call(r, inbox, "k-2") != answers[0]


async def test_other_body_conflicts(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        await _call(r, inbox, "k", "one")
        with pytest.raises(Conflict):
            await _call(r, inbox, "k", "two")
        assert await idempotency.begin(r.core, "another-realm", "k", "two")


@pytest.mark.parametrize("key", ["", "a b", "x" * 257, "ключ", "a\n", "a/b"])
async def test_key_syntax(tmp_path: Path, key: str) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        with pytest.raises(Invalid):
            await idempotency.begin(r.core, ORG, key, "f")


async def test_failure_frees_the_key(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        begun = await idempotency.begin(r.core, ORG, "k", "f")
        assert isinstance(begun, Claim)
        await idempotency.abandon(r.core, begun)
        assert isinstance(await idempotency.begin(r.core, ORG, "k", "f"), Claim)
        assert inbox


async def test_claim_of_a_dead_process_is_retaken(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        old = await idempotency.begin(r.core, ORG, "k", "same")
        assert isinstance(old, Claim)
        before = old.taken_at - 1
        await r.core.store.write(lambda tx: sql(tx).run("UPDATE idempotency SET created_at = ?", before))
        await asyncio.wait_for(_call(r, inbox, "k"), 5)
        # were the old one alive after all, its send must not happen as well
        with pytest.raises(Conflict):
            await send(
                r.core,
                SCOPE,
                inbox,
                SendRequest(to=["bob@world.test"]),
                Completion(Claim(old.id, before, old.work), lambda sent: (200, "x")),
            )
        assert await r.value("SELECT count(*) FROM outbox") == 1


async def test_a_key_is_forgotten_after_a_day(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        first = await _call(r, inbox, "k")
        old = now_us() - idempotency.EXPIRY_US - 1
        await r.core.store.write(lambda tx: sql(tx).run("UPDATE idempotency SET created_at = ?", old))
        assert await _call(r, inbox, "k", "something else") != first


async def test_a_key_that_a_restored_database_does_not_know_sends_nothing_again(tmp_path: Path) -> None:
    """The database is put back to before the send; its copy in Sent is there, and was read again."""
    async with borrowed(tmp_path, "friend") as (r, server):
        inbox = await r.inbox()
        await r.inbox("friend@x.test")
        to = "friend@x.test"
        sent = json.loads(await _call(r, inbox, "k", to=to))["message_id"]
        await r.settled(sent)

        def restore(tx: Tx) -> None:
            for table in ("outbox", "outbox_recipient", "idempotency", "event", "thread", "thread_ref"):
                sql(tx).run(f"DELETE FROM {table}")
            index.delete_message(tx, sent)
            sql(tx).run("DELETE FROM location")

        await r.core.store.write(restore)
        await rebuild(r.core.store, r.core.imap, r.core.parser)
        answer = json.loads(await _call(r, inbox, "k", to=to))
        assert answer["message_id"] == sent
        assert answer == json.loads(await _call(r, inbox, "k", to=to)), "and the answer is kept again"
        assert await r.value("SELECT count(*) FROM outbox") == 0
        assert await copies(server, to) == 1
        other = json.loads(await _call(r, inbox, "another", to=to))["message_id"]
        assert other != sent
        await r.settled(other)
        assert await copies(server, to) == 2


async def test_a_claim_that_nobody_works_on_is_retaken_at_once(tmp_path: Path) -> None:
    """Its process lives, but the answer to the claim, or to its end, was lost with the database."""
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        begun = await idempotency.begin(r.core, ORG, "k", "same")
        assert isinstance(begun, Claim)
        del begun
        await asyncio.wait_for(_call(r, inbox, "k"), 5)


async def test_a_claim_of_the_future_does_not_hold_for_as_long(tmp_path: Path) -> None:
    """The clock was set back a day, and the gateway started again."""
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        begun = await idempotency.begin(r.core, ORG, "k", "same")
        assert isinstance(begun, Claim)
        ahead = now_us() + idempotency.EXPIRY_US
        await r.core.store.write(lambda tx: sql(tx).run("UPDATE idempotency SET created_at = ?", ahead))
        await asyncio.wait_for(_call(r, inbox, "k"), 5)


async def test_a_failure_that_cannot_be_written_frees_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away while the request runs, so that the claim cannot be taken back, and comes again."""
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        begun = await idempotency.begin(r.core, ORG, "k", "same")
        assert isinstance(begun, Claim)

        async def away(store: Store, work: object) -> None:
            raise StoreDown("away")

        with monkeypatch.context() as outage:
            outage.setattr(Store, "write", away)
            with pytest.raises(StoreDown):
                await idempotency.abandon(r.core, begun)
        await asyncio.wait_for(_call(r, inbox, "k"), 5)
