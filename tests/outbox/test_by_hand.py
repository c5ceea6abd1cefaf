"""What an operator does to the queue: try now, give up; and what is left alone."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from gateway.core.errors import Conflict, Forbidden, NotFound
from gateway.core.sending import queue, reputation, submissions
from gateway.core.sending.send import SendRequest, send
from gateway.core.sent import Sent
from gateway.records.ids import OrganizationId, now_us
from gateway.settings import Outbox as OutboxSettings
from gateway.settings import Reputation
from gateway.store.listing import Window
from gateway.store.queries import outbox_claims as claims
from gateway.store.queries.inboxes import unscoped_inboxes
from gateway.store.scope import Scope
from mailserver.base import Submission
from tests.outbox.running_outbox import ORG, SCOPE, RunningOutbox, running_outbox
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

OPERATOR = Scope(OrganizationId("another"), operator=True)
SLOWLY = OutboxSettings(retry_scale=1.0)
"""A second try after five minutes, not before this test ends."""


async def deferred(r: RunningOutbox, *people: str) -> Sent:
    """A message of a new inbox whose first attempt is over, for everybody."""
    inbox = await r.inbox(f"agent{len(await r.rows('SELECT 1 FROM inbox'))}@x.test")
    sent = await send(r.core, SCOPE, inbox, SendRequest(to=list(people), subject="Waits", text="t"))
    await tried(r, sent.message_id)
    return sent


async def tried(r: RunningOutbox, outbox_id: str, attempts: int = 1) -> None:
    async def over() -> bool:
        return bool(
            await r.value(
                "SELECT 1 FROM outbox WHERE id = ? AND attempts = ? AND claimed_until IS NULL",
                outbox_id,
                attempts,
            )
        )

    await until_async(over)


async def test_the_list_has_recipients_with_their_last_reply(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, outbox=SLOWLY) as r:
        sent = await deferred(r, "full@world.test", "bob@world.test")
        (row,) = (await queue.list_queue(r.core, OPERATOR, None, Window())).rows
        assert (row.entry.id, row.inbox, row.subject, row.own) == (
            sent.message_id,
            "agent0@x.test",
            "Waits",
            True,
        )
        found = {one.address: one for one in row.recipients}
        waiting = found["full@world.test"]
        assert (waiting.state, waiting.code, waiting.status) == ("queued", 452, "4.2.2")
        assert "come back later" in (waiting.diagnostic or "")
        assert found["bob@world.test"].state == "delivered"
        assert found["agent0@x.test"].role == "sent"  # and not the secret address of the copy
        assert not hasattr(row.entry, "mime")


async def test_keys_see_what_their_own_inboxes_sent(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, outbox=SLOWLY) as r:
        sent = await deferred(r, "full@world.test")
        other = await deferred(r, "full2@world.test")
        owner = await r.value("SELECT inbox_id FROM outbox WHERE id = ?", sent.message_id)

        async def seen(scope: Scope, inbox: str | None = None) -> list[str]:
            return [one.entry.id for one in (await queue.list_queue(r.core, scope, inbox, Window())).rows]

        assert set(await seen(SCOPE)) == set(await seen(OPERATOR)) == {sent.message_id, other.message_id}
        assert await seen(Scope(ORG, inbox=owner)) == [sent.message_id]
        assert await seen(OPERATOR, "agent1@x.test") == [other.message_id]
        assert await seen(Scope(OrganizationId("a stranger"))) == []
        with pytest.raises(NotFound):
            await queue.get(r.core, Scope(OrganizationId("a stranger")), sent.message_id)
        with pytest.raises(NotFound):
            await seen(OPERATOR, "nobody@x.test")
        for scope in (SCOPE, Scope(ORG, inbox=owner)):
            with pytest.raises(Forbidden):
                await queue.retry(r.core, scope, sent.message_id)
            with pytest.raises(Forbidden):
                await queue.drop(r.core, scope, sent.message_id)
            with pytest.raises(Forbidden):
                await queue.retry_all(r.core, scope, None)
        assert await r.value("SELECT min(next_at) FROM outbox") > now_us()


async def test_retry_tries_now(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, outbox=SLOWLY) as r:
        sent = await deferred(r, "later@world.test")
        again = await deferred(r, "later2@world.test")
        await queue.retry(r.core, OPERATOR, f"msg_{sent.message_id}")
        await tried(r, sent.message_id, 2)
        assert r.sink.tries["later2@world.test"] == 1
        assert await queue.retry_all(r.core, OPERATOR, None) == 2
        await r.settled(sent.message_id)
        await tried(r, again.message_id, 2)
        assert r.sink.tries["later@world.test"] == 3
        assert len(r.sink.copies("later@world.test")) == 1
        with pytest.raises(NotFound):
            await queue.retry(r.core, OPERATOR, sent.message_id)


async def test_drop_bounces_who_waits_and_nobody_else(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, outbox=SLOWLY) as r:
        sent = await deferred(r, "bob@world.test", "full@world.test", "refuse@world.test")
        _, dropped = await queue.drop(r.core, OPERATOR, sent.message_id)
        assert dropped == ["full@world.test"]
        assert await r.settled(sent.message_id) == {
            "bob@world.test": "delivered",
            "full@world.test": "bounced",
            "refuse@world.test": "bounced",
            "sent": "delivered",
        }
        assert await r.status(sent.message_id) == "bounced"
        kind, facts = (await r.events(sent.message_id))[-1]
        assert kind == "message.bounced"
        assert facts["type"] == "Transient"
        assert facts["recipients"] == [{"address": "full@world.test", "status": "4.2.2"}]
        said = await r.value("SELECT diagnostic FROM outbox_recipient WHERE address = 'full@world.test'")
        assert said.startswith("given up by the operator of this server; the last reply was: 452")
        assert await r.value("SELECT mime FROM outbox WHERE id = ?", sent.message_id) is None
        assert await r.value("SELECT address FROM suppression WHERE address = 'full@world.test'") is None
        with pytest.raises(NotFound):
            await queue.drop(r.core, OPERATOR, sent.message_id)
        assert r.sink.tries["full@world.test"] == 1


async def test_who_is_given_up_does_not_count_against_the_inbox(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, outbox=SLOWLY) as r:
        sent = await deferred(r, "full@world.test", "bob@world.test", "refuse@world.test")
        await queue.drop(r.core, OPERATOR, sent.message_id)
        (inbox,) = await r.core.store.read(unscoped_inboxes)
        rates = await r.core.store.read(lambda tx: reputation.rates_of(tx, inbox, Reputation()))
        assert (rates.sent, rates.bounced) == (2, 1)


async def test_what_is_being_sent_is_left_alone(tmp_path: Path) -> None:
    async with running_outbox(tmp_path) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["slow@tar.test"], text="t"))

        async def under_way() -> bool:
            return bool(await r.value("SELECT claimed_until FROM outbox WHERE id = ?", sent.message_id))

        await until_async(under_way)
        with pytest.raises(Conflict, match="being sent right now"):
            await queue.drop(r.core, OPERATOR, sent.message_id)
        row = await queue.retry(r.core, OPERATOR, sent.message_id)
        assert row.entry.claimed_until is not None
        assert await queue.retry_all(r.core, OPERATOR, None) == 0
        r.sink.patient.set()
        assert (await r.settled(sent.message_id))["slow@tar.test"] == "delivered"
        assert len(r.sink.copies("slow@tar.test")) == 1


async def test_what_is_in_doubt_is_never_dropped(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["bob@world.test"], text="t"))
        # a process claimed it and ended during the attempt; the next one voids the claim
        await r.core.store.write(partial(claims.unscoped_claim, limit=1))
        await r.core.store.write(claims.unscoped_recover)
        with pytest.raises(Conflict, match="is not known"):
            await queue.drop(r.core, OPERATOR, sent.message_id)
        assert (await r.states(sent.message_id))["bob@world.test"] == "attempting"
        await queue.retry(r.core, OPERATOR, sent.message_id)
        assert (await r.states(sent.message_id))["bob@world.test"] == "attempting"


async def test_the_copy_is_filed_though_the_recipients_are_given_up(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, outbox=SLOWLY) as r:
        r.sink.down = True
        sent = await deferred(r, "bob@world.test")
        assert (await r.states(sent.message_id))["sent"] == "queued"
        _, dropped = await queue.drop(r.core, OPERATOR, sent.message_id)
        assert dropped == ["bob@world.test"]
        await tried(r, sent.message_id, 2)
        with pytest.raises(Conflict, match="only the copy"):
            await queue.drop(r.core, OPERATOR, sent.message_id)
        r.sink.down = False
        await queue.retry(r.core, OPERATOR, sent.message_id)
        assert await r.settled(sent.message_id) == {"bob@world.test": "bounced", "sent": "delivered"}
        assert r.sink.copies("bob@world.test") == []


async def test_a_person_gets_a_notification(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, outbox=SLOWLY) as r:
        await r.inbox("ann@x.test")
        mail = b"From: ann@x.test\r\nTo: full@world.test\r\nSubject: By hand\r\n\r\nHi\r\n"
        outbox_id = await submissions.accept(
            r.core, Submission("ann@x.test", "ann@x.test", ("full@world.test",), mail)
        )
        await tried(r, outbox_id)
        row, dropped = await queue.drop(r.core, OPERATOR, f"out_{outbox_id}")
        assert (row.own, dropped) == (False, ["full@world.test"])

        async def told() -> list[bytes]:
            return r.sink.copies("ann@x.test")

        (notice,) = await until_async(told)
        assert b"given up by the operator of this server" in notice
        assert b"Action: failed" in notice
        assert b"Status: 4.2.2" in notice


async def test_sent_and_given_up_at_once_one_of_them_wins(tmp_path: Path) -> None:
    """On PostgreSQL the two are transactions of their own: nobody gets a message that is given up."""
    async with running_outbox(tmp_path, outbox=SLOWLY) as r:
        for n in range(15):
            r.sink.down = True
            sent = await deferred(r, f"bob{n}@world.test")
            r.sink.down = False
            retried, dropped = await asyncio.gather(
                queue.retry(r.core, OPERATOR, sent.message_id),
                queue.drop(r.core, OPERATOR, sent.message_id),
                return_exceptions=True,
            )
            for one in (retried, dropped):
                assert not isinstance(one, BaseException) or isinstance(one, Conflict | NotFound)
            given_up = not isinstance(dropped, BaseException)
            state = (await r.settled(sent.message_id))[f"bob{n}@world.test"]
            assert state == ("bounced" if given_up else "delivered")
            assert len(r.sink.copies(f"bob{n}@world.test")) == (0 if given_up else 1)
            kinds = [kind for kind, _ in await r.events(sent.message_id)]
            assert kinds.count("message.bounced") == int(given_up)
            assert kinds.count("message.delivered") == int(not given_up)
