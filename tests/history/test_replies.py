"""What is kept of the replies about recipients: each one, with the attempt, in the transaction of its outcome."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.history.entry import Entry
from gateway.core.history.history import History, message_history
from gateway.core.sending import queue
from gateway.core.sending.send import SendRequest, send
from gateway.outbox.retention import DAY_US, sweep
from gateway.records.ids import KeyId, MessageId, OrganizationId
from gateway.settings import Outbox as OutboxSettings
from gateway.store.listing import Window
from gateway.store.queries.outbox_replies import KEPT_ATTEMPTS, add_reply, note_next_attempt
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.outbox.running_outbox import ORG, SCOPE, RunningOutbox, running_outbox
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

KEY = KeyId("01kb9dn0q2e8v5x7c3r6t4w1yz")


async def told(r: RunningOutbox, message_id: str, window: Window | None = None) -> History:
    return await message_history(r.core, SCOPE, None, message_id, window or Window(limit=100, ascending=True))


def of(found: History, recipient: str) -> list[Entry]:
    return [one for one in found.listing.rows if one.recipient == recipient]


async def test_each_attempt_is_told_with_the_reply_of_the_server(tmp_path: Path) -> None:
    async with running_outbox(tmp_path) as r:
        inbox = await r.inbox()
        request = SendRequest(to=["later@world.test", "refuse@world.test"], subject="s", text="t")
        sent = await send(r.core, Scope(ORG, key_id=KEY), inbox, request)
        await r.settled(sent.message_id)
        found = await told(r, sent.message_id)

        first, second = found.listing.rows[:2]
        assert (first.kind, first.key_id, first.recipients) == ("accepted", KEY, 2)
        assert second.kind == "queued"
        assert [one.at for one in found.listing.rows] == sorted(one.at for one in found.listing.rows)
        refused = of(found, "refuse@world.test")
        assert [(one.kind, one.attempt, one.code, one.status) for one in refused] == [
            ("bounced", 1, 550, "5.1.1")
        ]
        assert "no such person" in refused[0].text
        later = of(found, "later@world.test")
        assert [(one.kind, one.attempt, one.code) for one in later] == [
            ("deferred", 1, 452),
            ("deferred", 2, 452),
            ("delivered", 3, 250),
        ]
        assert all(one.next_attempt_at and one.next_attempt_at > one.at for one in later[:2])
        assert later[0].remote
        assert found.complete

        page = await told(r, sent.message_id, Window(limit=3, ascending=True))
        assert page.listing.total == len(found.listing.rows) == 6
        assert page.listing.next is not None
        rest = await told(r, sent.message_id, Window(10, position=page.listing.next, ascending=True))
        assert [*page.listing.rows, *rest.listing.rows] == found.listing.rows


async def test_what_the_operator_gave_up_is_told(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, outbox=OutboxSettings(retry_scale=1.0)) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["full@world.test"], subject="s", text="t"))

        async def waits() -> bool:
            return bool(
                await r.value(
                    "SELECT 1 FROM outbox WHERE id = ? AND attempts = 1 AND claimed_until IS NULL",
                    sent.message_id,
                )
            )

        await until_async(waits)
        operator = Scope(OrganizationId("another"), operator=True)
        await queue.drop(r.core, operator, f"msg_{sent.message_id}")
        last = of(await told(r, sent.message_id), "full@world.test")[-1]
        assert (last.kind, last.source, last.code) == ("bounced", "operator", None)


async def test_replies_go_with_their_message_and_are_bounded(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["bob@world.test"], subject="s", text="t"))

        def attempts(tx: Tx) -> None:
            for number in range(1, KEPT_ATTEMPTS + 11):
                add_reply(tx, sent.message_id, "bob@world.test", "attempt", "queued", number, number=number)
                note_next_attempt(tx, sent.message_id, number, number + 1)

        await r.core.store.write(attempts)
        rows = await r.rows("SELECT number, next_at FROM outbox_reply ORDER BY id")
        assert [row["number"] for row in rows] == [1, *range(11, KEPT_ATTEMPTS + 11)]
        assert all(row["next_at"] == row["number"] + 1 for row in rows)

        def old(tx: Tx) -> None:
            sql(tx).run("UPDATE outbox SET state = 'done', updated_at = updated_at - ?", 91 * DAY_US)
            sql(tx).run("UPDATE message SET timestamp = timestamp - ?", 91 * DAY_US)

        await r.core.store.write(old)
        await r.core.store.write(lambda tx: sweep(tx, 90, 365))
        assert await r.rows("SELECT 1 FROM outbox_reply") == []
        found = await told(r, sent.message_id)
        assert [one.kind for one in found.listing.rows] == ["accepted"]
        assert not found.complete
        assert "90 days (outbox.keep_days)" in found.missing[1]


async def test_a_message_of_an_earlier_version_has_its_last_reply(tmp_path: Path) -> None:
    async with running_outbox(tmp_path) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, SendRequest(to=["bob@world.test"], subject="s", text="t"))
        await r.settled(sent.message_id)
        await r.core.store.write(lambda tx: sql(tx).run("DELETE FROM outbox_reply"))
        (last,) = of(await told(r, MessageId(sent.message_id)), "bob@world.test")
        assert (last.kind, last.code) == ("delivered", 250)
