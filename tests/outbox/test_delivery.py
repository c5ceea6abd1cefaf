"""From the queue to the recipients: outcomes, events, retries, fairness."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.sending.send import SendRequest, send
from gateway.outbox.retention import DAY_US, sweep
from gateway.records.ids import now_us
from gateway.settings import Outbox as OutboxSettings
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.outbox.running_outbox import SCOPE, running_outbox
from tests.outbox.sink import SinkMail
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def test_delivered_once_with_a_sent_copy(tmp_path: Path) -> None:
    async with running_outbox(tmp_path) as r:
        inbox = await r.inbox()
        request = SendRequest(to=["friend@x.test"], cc=["bob@world.test"], subject="s", text="t")
        sent = await send(r.core, SCOPE, inbox, request)
        states = await r.settled(sent.message_id)
        assert states == {"friend@x.test": "delivered", "bob@world.test": "delivered", "sent": "delivered"}
        assert len(r.sink.copies("friend@x.test")) == 1
        assert len(r.sink.copies("bob@world.test")) == 1
        assert len(r.sink.copies("agent+sent-secret@x.test")) == 1
        assert await r.status(sent.message_id) == "delivered"
        assert await r.value("SELECT mime FROM outbox WHERE id = ?", sent.message_id) is None
        events = await r.events(sent.message_id)
        assert [kind for kind, _ in events].count("message.sent") == 1
        told = [facts["recipients"] for kind, facts in events if kind == "message.delivered"]
        assert sorted(told) == [["bob@world.test"], ["friend@x.test"]]
        first = events[0][1]
        assert events[0][0] == "message.sent"
        assert first["recipients"] == ["friend@x.test", "bob@world.test"]
        assert first["message_ref"]["message_id"] == sent.message_id
        token = await r.value("SELECT token FROM outbox WHERE id = ?", sent.message_id)
        rows = await r.rows("SELECT address, role, token FROM outbox_recipient")
        own = {row["address"]: row["token"] or token for row in rows}
        assert len(set(own.values())) == 3
        assert {one.recipients[0]: one.mail_from for one in r.sink.taken} == {
            address: f"agent+b-{token}@x.test" for address, token in own.items()
        }


async def test_smarthost_means_sent_not_delivered(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, mail=lambda sink: SinkMail(sink, smarthost=True)) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["bob@world.test"], text="t"))
        await r.settled(sent.message_id)
        assert await r.status(sent.message_id) == "sent"
        assert [kind for kind, _ in await r.events(sent.message_id)] == ["message.sent"]


async def test_smarthost_refusing_all_is_rejected(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, mail=lambda sink: SinkMail(sink, smarthost=True)) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["refuse@world.test"], text="t"))
        await r.settled(sent.message_id)
        events = await r.events(sent.message_id)
        assert [kind for kind, _ in events] == ["message.rejected"]
        assert "no such person" in events[0][1]["reason"]
        assert await r.status(sent.message_id) == "rejected"


async def test_one_of_three_refused(tmp_path: Path) -> None:
    async with running_outbox(tmp_path) as r:
        inbox = await r.inbox()
        people = ["bob@world.test", "refuse@world.test", "carol@world.test"]
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=people, text="t"))
        states = await r.settled(sent.message_id)
        assert states == {
            "bob@world.test": "delivered",
            "refuse@world.test": "bounced",
            "carol@world.test": "delivered",
            "sent": "delivered",
        }
        assert await r.status(sent.message_id) == "bounced"
        bounced = [facts for kind, facts in await r.events(sent.message_id) if kind == "message.bounced"]
        assert len(bounced) == 1
        assert bounced[0]["type"] == "Permanent"
        assert bounced[0]["sub_type"] == "NoEmail"
        assert bounced[0]["recipients"] == [{"address": "refuse@world.test", "status": "5.1.1"}]
        assert r.sink.tries["refuse@world.test"] == 1


async def test_temporary_failure_then_success(tmp_path: Path) -> None:
    async with running_outbox(tmp_path) as r:
        inbox = await r.inbox()
        sent = await send(
            r.core, SCOPE, inbox, SendRequest(to=["later@world.test", "bob@world.test"], text="t")
        )
        states = await r.settled(sent.message_id)
        assert states["later@world.test"] == "delivered"
        assert r.sink.tries["later@world.test"] == 3
        assert r.sink.tries["bob@world.test"] == 1  # who has it is not asked again
        assert len(r.sink.copies("agent+sent-secret@x.test")) == 1
        events = await r.events(sent.message_id)
        assert [kind for kind, _ in events].count("message.sent") == 1
        (delayed,) = (facts for kind, facts in events if kind == "message.delayed")
        assert [one["address"] for one in delayed["recipients"]] == ["later@world.test"]
        assert delayed["recipients"][0]["status"].startswith("4.")


async def test_patience_ends(tmp_path: Path) -> None:
    async with running_outbox(tmp_path) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["full@world.test"], text="t"))
        await r.expires_after(2, "full@world.test")
        assert (await r.settled(sent.message_id))["full@world.test"] == "bounced"
        assert r.sink.tries["full@world.test"] >= 2
        kind, facts = (await r.events(sent.message_id))[-1]
        assert kind == "message.bounced"
        assert facts["type"] == "Transient"
        assert facts["sub_type"] == "MailboxFull"


async def test_a_slow_domain_does_not_hold_up_others(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, outbox=OutboxSettings(concurrency=4)) as r:
        inbox = await r.inbox()
        for n in range(20):
            await send(r.core, SCOPE, inbox, SendRequest(to=[f"slow{n}@tar.test"], text="t"))
        ids = [
            (await send(r.core, SCOPE, inbox, SendRequest(to=[f"bob{n}@world{n}.test"], text="t"))).message_id
            for n in range(20)
        ]
        for one in ids:  # while not one slow transaction has ended
            await r.settled(one)
        assert not any(one.startswith("slow") for taken in r.sink.taken for one in taken.recipients)
        r.sink.patient.set()


async def test_restart_takes_up_what_waits(tmp_path: Path) -> None:
    async with running_outbox(tmp_path) as r:
        r.sink.down = True
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["bob@world.test"], text="t"))

        async def tried() -> bool:
            return r.sink.tries["bob@world.test"] > 0

        await until_async(tried)
        assert await r.status(sent.message_id) == "queued"
    async with running_outbox(tmp_path) as r:
        assert await r.settled(sent.message_id) == {"bob@world.test": "delivered", "sent": "delivered"}


async def test_submission_that_may_have_happened_is_looked_up(tmp_path: Path) -> None:
    """A row left ``attempting`` whose Sent copy is there: not filed a second time."""
    async with running_outbox(tmp_path) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["bob@world.test"], text="t"))
        await r.settled(sent.message_id)
        taken = list(r.sink.taken)
        mime = r.sink.copies("bob@world.test")[0]
        await r.outbox.stop()

        def crash(tx: Tx) -> None:  # as if the process had died before it wrote the outcome
            sql(tx).run("UPDATE outbox SET state = 'queued', mime = ?, next_at = 0, claimed_until = 1", mime)
            sql(tx).run("UPDATE outbox_recipient SET state = 'attempting'")

        await r.core.store.write(crash)
        await r.outbox.start()
        assert await r.settled(sent.message_id) == {"bob@world.test": "delivered", "sent": "delivered"}
        assert len(r.sink.copies("agent+sent-secret@x.test")) == 1
        # towards a foreign server nothing can be looked up: the same message again, never another
        assert len(r.sink.copies("bob@world.test")) == 2
        assert len(r.sink.taken) == len(taken) + 1
        assert f"<msg_{sent.message_id}@x.test>".encode() in r.sink.copies("bob@world.test")[1]


async def test_a_deleted_inbox_sends_nothing_more(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        await send(r.core, SCOPE, inbox, SendRequest(to=["bob@world.test"], text="t"))
        await r.core.store.write(lambda tx: sql(tx).run("UPDATE inbox SET status = 'deleting'"))
        await r.outbox.start()

        async def gone() -> bool:
            return not await r.value("SELECT count(*) FROM outbox") and not await r.value(
                "SELECT count(*) FROM outbox_recipient"
            )

        await until_async(gone)
        assert r.sink.taken == []
        assert await r.events() == []


async def test_settled_rows_are_swept(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, outbox=OutboxSettings(keep_days=1)) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["bob@world.test"], text="t"))
        await r.settled(sent.message_id)
        assert not await r.core.store.write(lambda tx: sweep(tx, 1, 1))
        assert await r.value("SELECT count(*) FROM outbox") == 1
        old = now_us() - 2 * DAY_US
        await r.core.store.write(lambda tx: sql(tx).run("UPDATE outbox SET updated_at = ?", old))
        await r.core.store.write(lambda tx: sweep(tx, 1, 1))
        assert await r.value("SELECT count(*) FROM outbox") == 0
        assert await r.value("SELECT count(*) FROM outbox_recipient") == 0
