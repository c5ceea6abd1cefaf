"""While a pause holds nothing leaves; what waited goes afterwards, once, and others are not held up by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import Conflict, Forbidden
from gateway.core.sending import pauses, queue
from gateway.core.sending.send import SendRequest, send
from gateway.outbox.destination_limits import DestinationLimits
from gateway.outbox.retention import DAY_US
from gateway.records.ids import OUTBOX_ID, KeyId, OrganizationId, new_ulid, now_us
from gateway.records.inboxes import Inbox
from gateway.records.outbox import OutboxEntry
from gateway.settings import Outbox as OutboxSettings
from gateway.store.queries.outbox import FAR, PARKED, NewRecipient, add_entry
from gateway.store.queries.outbox_claims import unscoped_claim
from gateway.store.queries.pauses import paused_time
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.outbox.running_outbox import ORG, SCOPE, RunningOutbox, running_outbox
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio
REQUEST = SendRequest(to=["bob@world.test"], subject="s", text="t")
OPERATOR = replace(SCOPE, operator=True)
KEY = replace(SCOPE, key_id=KeyId("0key" + "0" * 22))


async def parked(r: RunningOutbox, count: int = 1) -> None:
    async def are() -> bool:
        found = await r.value("SELECT count(*) FROM outbox WHERE next_at >= ? AND next_at < ?", PARKED, FAR)
        return bool(found == count)

    await until_async(are)


@pytest.mark.parametrize("level", ["inbox", "pod", "organization", "server"])
async def test_what_is_paused_waits_and_others_send(tmp_path: Path, level: str) -> None:
    async with running_outbox(tmp_path) as r:
        await r.core.store.write(lambda tx: sql(tx).insert("organization", organization()))
        inbox, other = await r.inbox(), await r.inbox("other@x.test", organization=new_ulid())
        pod = {"id": inbox.pod_id, "organization_id": ORG, "is_default": 0, "created_at": 0, "updated_at": 0}
        await r.core.store.write(lambda tx: sql(tx).insert("pod", pod))
        find = {
            "inbox": pauses.of_inbox(inbox.address),
            "pod": pauses.of_pod(inbox.pod_id),
            "organization": pauses.of_organization(ORG),
            "server": pauses.of_server(),
        }[level]
        (held,) = await pauses.pause(r.core, OPERATOR, find, "it answers itself")
        assert (held.pause.level, held.pause.reason, held.pause.paused_by) == (
            level,
            "it answers itself",
            "operator",
        )
        sent = await send(r.core, SCOPE, inbox, REQUEST)
        await parked(r)
        assert await r.status(sent.message_id) == "queued"
        if level != "server":
            theirs = await send(r.core, Scope(other.organization_id), other, REQUEST)
            assert set((await r.settled(theirs.message_id)).values()) == {"delivered"}
        assert set((await r.states(sent.message_id)).values()) == {"queued"}
        await r.outbox.stop()
        await r.outbox.start()  # a restart changes nothing
        await parked(r)
        before = len(r.sink.copies("bob@world.test"))
        assert await pauses.resume(r.core, OPERATOR, find) == []
        assert set((await r.settled(sent.message_id)).values()) == {"delivered"}
        assert len(r.sink.copies("bob@world.test")) == before + 1
        assert await r.value("SELECT attempts FROM outbox WHERE id = ?", sent.message_id) == 1


def organization() -> dict[str, Any]:
    return {"id": ORG, "name": "Ours", "created_at": 0, "updated_at": 0}


async def test_what_was_claimed_before_the_pause_and_waits_for_its_turn_does_not_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claimed messages wait for a place at their destination, some of them for minutes."""
    place = DestinationLimits.place
    waits: list[Any] = []

    def paused_first(self: DestinationLimits, hop: Any) -> Any:
        class Place:
            async def __aenter__(self) -> None:
                if not waits:
                    waits.append(await pauses.pause(r.core, SCOPE, pauses.of_inbox(inbox.address), None))
                await held.__aenter__()

            async def __aexit__(self, *rest: Any) -> None:
                await held.__aexit__(*rest)

        held = place(self, hop)
        return Place()

    monkeypatch.setattr(DestinationLimits, "place", paused_first)
    async with running_outbox(tmp_path) as r:
        inbox = await r.inbox()
        sent = await send(r.core, SCOPE, inbox, REQUEST)
        await parked(r)
        assert not r.sink.taken
        row = (await r.rows("SELECT attempts, claimed_until FROM outbox"))[0]
        assert row == {"attempts": 0, "claimed_until": None}
        await pauses.resume(r.core, SCOPE, pauses.of_inbox(inbox.address))
        assert set((await r.settled(sent.message_id)).values()) == {"delivered"}
        assert len(r.sink.copies("bob@world.test")) == 1


async def test_the_time_of_a_pause_does_not_count_towards_giving_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_outbox(tmp_path, outbox=OutboxSettings(retry_scale=1.0, retry_days=5)) as r:
        r.sink.down = True
        inbox = await r.inbox()
        find = pauses.of_inbox(inbox.address)
        await pauses.pause(r.core, SCOPE, find, None)
        sent = await send(r.core, SCOPE, inbox, REQUEST)
        await parked(r)

        def long_ago(tx: Tx) -> None:
            sql(tx).run("UPDATE outbox SET created_at = created_at - ?", 7 * DAY_US)
            sql(tx).run("UPDATE pause SET since = since - ?", 6 * DAY_US)

        await r.core.store.write(long_ago)
        await pauses.resume(r.core, SCOPE, find)

        async def tried() -> bool:
            return bool(await r.value("SELECT 1 FROM outbox WHERE attempts = 1 AND claimed_until IS NULL"))

        await until_async(tried)
        assert set((await r.states(sent.message_id)).values()) == {"queued"}  # a day old, not a week
        await r.core.store.write(lambda tx: sql(tx).run("UPDATE outbox SET next_at = 0"))
        await r.core.store.write(
            lambda tx: sql(tx).run("UPDATE outbox SET created_at = created_at - ?", 5 * DAY_US)
        )
        r.core.outbox_wake.set()
        assert set((await r.settled(sent.message_id)).values()) == {"bounced"}


async def test_a_pause_that_ends_leaves_wider_ones(tmp_path: Path) -> None:
    async with running_outbox(tmp_path) as r:
        await r.core.store.write(lambda tx: sql(tx).insert("organization", organization()))
        inbox = await r.inbox()
        for find in (pauses.of_inbox(inbox.address), pauses.of_organization()):
            await pauses.pause(r.core, SCOPE, find, None)
        sent = await send(r.core, SCOPE, inbox, REQUEST)
        await parked(r)
        (left,) = await pauses.resume(r.core, SCOPE, pauses.of_inbox(inbox.address))
        assert left.pause.level == "organization"
        await parked(r)
        assert not r.sink.taken
        with pytest.raises(Conflict, match="is paused"):
            await queue.retry(r.core, OPERATOR, f"msg_{sent.message_id}")
        assert await queue.retry_all(r.core, OPERATOR, None) == 0
        await pauses.resume(r.core, SCOPE, pauses.of_organization())
        await r.settled(sent.message_id)


async def test_who_may_pause_and_resume(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        find = pauses.of_inbox(inbox.address)
        own, pod = replace(KEY, inbox=inbox.id), replace(KEY, pod=inbox.pod_id)
        (held,) = await pauses.pause(r.core, own, find, "too fast")
        assert held.pause.paused_by == f"key_{KEY.key_id}"
        with pytest.raises(Forbidden, match="one inbox"):
            await pauses.resume(r.core, own, find)
        (again,) = await pauses.pause(r.core, KEY, find, None)
        assert (again.pause.id, again.pause.reason) == (held.pause.id, "too fast")
        with pytest.raises(Forbidden, match="a key of the organization"):
            await pauses.resume(r.core, pod, find)  # the organization's word by now
        (still,) = await pauses.pause(r.core, pod, find, "another reason")
        assert still.pause.reason == "too fast"
        assert await pauses.resume(r.core, KEY, find) == []
        assert await pauses.resume(r.core, KEY, find) == []  # nothing to end
        await pauses.pause(r.core, OPERATOR, find, None)
        with pytest.raises(Forbidden, match="operator"):
            await pauses.resume(r.core, KEY, find)
        assert [one.name for one in await pauses.list_all(r.core, own)] == [inbox.address]
        assert await pauses.list_all(r.core, Scope(OrganizationId(new_ulid()))) == []


async def test_thousands_of_paused_messages_hold_up_nobody(tmp_path: Path) -> None:
    many = 6_000
    async with running_outbox(tmp_path, start=False) as r:
        paused, free = await r.inbox(), await r.inbox("free@x.test")
        await pauses.pause(r.core, SCOPE, pauses.of_inbox(paused.address), None)
        await r.core.store.write(lambda tx: _fill(tx, paused, many))
        await r.core.store.write(lambda tx: _fill(tx, free, 1))
        assert await r.core.store.write(lambda tx: unscoped_claim(tx, 128)) == []  # parks thousands
        (job,) = await r.core.store.write(lambda tx: unscoped_claim(tx, 128))
        assert job.inbox_id == free.id
        await pauses.resume(r.core, SCOPE, pauses.of_inbox(paused.address))
        first = await r.core.store.write(lambda tx: unscoped_claim(tx, 128))
        assert len(first) == 100  # the others come one after the other
        assert {job.inbox_id for job in first} == {paused.id}
        await r.core.store.write(lambda tx: _fill(tx, free, 1))
        for _ in range(many // 1000):
            jobs = await r.core.store.write(lambda tx: unscoped_claim(tx, 1000))
            if free.id in {job.inbox_id for job in jobs}:
                break
        else:
            raise AssertionError("what another inbox sends waits behind what was paused")
        for _ in range(many // 1000):
            await r.core.store.write(lambda tx: unscoped_claim(tx, 1))
        assert await r.value("SELECT count(*) FROM outbox WHERE next_at >= ?", PARKED) == 0
        assert await r.value("SELECT count(*) FROM pause WHERE unparked_to IS NOT NULL") == 0


def _fill(tx: Tx, inbox: Inbox, count: int) -> None:
    first = OUTBOX_ID.new()
    row = OutboxEntry(
        id=first,
        organization_id=inbox.organization_id,
        inbox_id=inbox.id,
        mail_from=inbox.address,
        message_id=f"<{first}@x.test>",
        token=first,
        size=1,
        state="queued",
        next_at=now_us() - 1000,
        attempts=0,
        claimed_until=None,
        claimed_by=None,
        created_at=now_us(),
        updated_at=now_us(),
    )
    add_entry(tx, row, b"x" * 2000, [NewRecipient("bob@world.test", "to")])
    if count == 1:
        return
    numbers = "generate_series(1, ?)" if tx.postgres else "n"
    head = (
        "" if tx.postgres else "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
    )
    named = "AS n(i)" if tx.postgres else ""
    sql(tx).run(
        "INSERT INTO outbox (id, organization_id, inbox_id, mail_from, message_id, token, mime, size, state, "
        f"next_at, attempts, created_at, updated_at) {head}SELECT id || n.i, organization_id, inbox_id, mail_from, "
        "message_id, token || n.i, mime, size, state, next_at - 1000, attempts, created_at, updated_at "
        f"FROM outbox, {numbers} {named} WHERE id = ?",
        count - 1,
        first,
    )


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda one: (min(one), max(one)))),
    st.integers(0, 50),
)
def test_paused_time_counts_each_moment_once(spans: list[tuple[int, int]], since: int) -> None:
    moments = {at for begun, ended in spans for at in range(begun, ended) if at >= since}
    assert paused_time(spans, since) == len(moments)
