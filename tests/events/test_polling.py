"""Fetching the events of a polling webhook: each once, in order, however the log changes in between."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.core.webhooks import polling
from gateway.core.webhooks.polling import Fetched, NewPolling
from gateway.events.log import EventLog
from gateway.records.events import LogPosition
from gateway.records.ids import KeyId
from gateway.records.inboxes import Inbox
from gateway.records.webhooks import Webhook
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.support.appended_events import add_key, append_small, received, small_event
from tests.support.filled_store import FilledStore, mail
from tests.support.postgres_server import PostgresCluster

pytestmark = pytest.mark.anyio


class Poller:
    """A polling webhook in a store, and how far it was read."""

    def __init__(self, filled: FilledStore) -> None:
        self.filled, self.core, self.log = filled, filled.core(), EventLog()
        self.box = filled.inbox("bot@postern.test")
        self.position: LogPosition | None = None
        self.hook: Webhook

    async def subscribe(self, scope: Scope | None = None, inbox_ids: Sequence[str] = ()) -> str:
        new = NewPolling("mine", [], inbox_ids)
        made = await polling.create(self.core, scope or self.filled.scope, new)
        self.hook = made.webhook
        return made.token

    def happen(self, *subjects: str, inbox: Inbox | None = None) -> None:
        for subject in subjects:
            small_event(self.filled, self.log, inbox or self.box, subject)

    async def fetch(self, limit: int = 100, reader: Scope | None = None) -> Fetched:
        fetched = await polling.fetch(self.core, self.hook, reader, self.position, limit)
        self.position = fetched.position
        return fetched

    async def subjects(self, limit: int = 100) -> list[str]:
        """What is new, as the one recipient that each event of ``happen`` has."""
        found = (await self.fetch(limit)).events
        return [event.payload_json.partition('"recipients":["')[2].partition('"')[0] for event in found]


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[FilledStore]:
    made = FilledStore(tmp_path)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for PostgreSQL's events to be settled but the one that is about it."""
    monkeypatch.setattr("gateway.store.queries.events._SETTLED_US", -60_000_000)


async def test_events_wait_in_order_and_come_once(filled: FilledStore) -> None:
    poller = Poller(filled)
    poller.happen("before")
    await poller.subscribe()
    poller.happen("1", "2", "3")
    first = await poller.fetch(2)
    assert (len(first.events), first.done) == (2, False)
    assert await poller.subjects() == ["3"]
    assert await poller.subjects() == []
    poller.happen("4")
    assert await poller.subjects() == ["4"]


async def test_an_answer_with_the_last_event_says_that_there_are_no_more(filled: FilledStore) -> None:
    poller = Poller(filled)
    await poller.subscribe()
    poller.happen("1", "2")
    assert (await poller.fetch(2)).done


async def test_places_that_deleted_rows_leave_are_read_again(filled: FilledStore) -> None:
    """SQLite numbers new rows from the highest that is left: 300 events vanish with their inbox, and 290 come."""
    poller, other = Poller(filled), filled.inbox("other@postern.test")
    await poller.subscribe()
    poller.happen("kept")
    poller.happen(*(f"gone {number}" for number in range(300)), inbox=other)
    assert len(await poller.subjects(1000)) == 301
    filled.store.write_now(lambda tx: sql(tx).run("DELETE FROM event WHERE inbox_id = ?", other.id))
    fresh = [f"new {number}" for number in range(290)]
    poller.happen(*fresh)
    found: list[str] = []
    while page := await poller.subjects(50):
        found += page
    assert found == fresh


async def test_a_log_that_was_emptied_starts_again(filled: FilledStore) -> None:
    poller = Poller(filled)
    await poller.subscribe()
    poller.happen("1", "2")
    assert await poller.subjects() == ["1", "2"]
    filled.store.write_now(lambda tx: sql(tx).run("DELETE FROM event"))
    assert await poller.subjects() == []
    poller.happen("3")
    assert await poller.subjects() == ["3"]


async def test_more_events_than_one_look_reads(filled: FilledStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "_HEADS", 3)
    monkeypatch.setattr(polling, "_MAX_HEADS", 6)
    poller, other = Poller(filled), filled.inbox("other@postern.test")
    await poller.subscribe(inbox_ids=[poller.box.address])
    poller.happen(*map(str, range(10)), inbox=other)
    poller.happen("mine")
    first = await poller.fetch()
    assert (first.events, first.done) == ([], False)
    assert await poller.subjects() == ["mine"]


async def test_an_answer_is_bounded_in_size(filled: FilledStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "MAX_FETCHED_SIZE", 1)
    poller = Poller(filled)
    await poller.subscribe()
    poller.happen("1", "2")
    assert await poller.subjects() == ["1"]
    assert await poller.subjects() == ["2"]


async def test_a_key_that_fetches_gets_what_it_may_read_itself(filled: FilledStore) -> None:
    poller, other = Poller(filled), filled.inbox("other@postern.test")
    await poller.subscribe()
    received(filled, poller.log, poller.box, mail(1))
    received(filled, poller.log, other, mail(2, to=other.address))
    assert len((await polling.fetch(poller.core, poller.hook, None, None, 100)).events) == 2
    one_inbox = Scope(filled.organization, inbox=other.id)
    (event,) = (await polling.fetch(poller.core, poller.hook, one_inbox, None, 100)).events
    assert event.inbox_id == other.id
    no_mail = Scope(filled.organization, permissions=frozenset({"webhook_read"}))
    assert (await polling.fetch(poller.core, poller.hook, no_mail, None, 100)).events == []


async def test_a_new_token_carries_what_the_key_that_asked_for_it_may_read(filled: FilledStore) -> None:
    poller = Poller(filled)
    old = await poller.subscribe()
    received(filled, poller.log, poller.box, mail(1))
    granted = frozenset({"webhook_create", "message_read"})
    columns = {"permissions_json": '["message_read","webhook_create"]'}
    key = KeyId(add_key(filled, "inai_narrow", **columns))
    token = await poller.subscribe(Scope(filled.organization, permissions=granted, key_id=key))
    ref = poller.hook.public_id
    assert await polling.with_token(poller.core, ref, old) is None
    assert (found := await polling.with_token(poller.core, ref, token)) is not None
    assert token not in found.secret.reveal()
    poller.position = None
    assert len((await poller.fetch()).events) == 1
    filled.store.write_now(
        lambda tx: sql(tx).run("UPDATE api_key SET permissions_json = '[]' WHERE id = ?", key)
    )
    poller.position = None
    assert (await poller.fetch()).events == []


async def test_one_client_id_is_one_webhook_of_its_owner(filled: FilledStore) -> None:
    poller = Poller(filled)
    new = NewPolling("mine", [])
    whole = await polling.create(poller.core, filled.scope, new)
    again = await polling.create(poller.core, filled.scope, new)
    assert (again.new, again.webhook.id) == (False, whole.webhook.id)
    for other in (
        Scope(filled.organization, inbox=poller.box.id),
        Scope(filled.organization, test=True),
    ):
        made = await polling.create(poller.core, other, new)
        assert made.new
        assert made.webhook.id != whole.webhook.id


@pytest.fixture
def filled_on_postgres(tmp_path: Path, postgres: PostgresCluster) -> Iterator[FilledStore]:
    made = FilledStore(tmp_path, postgres.new_database())
    yield made
    made.close()


async def test_an_event_that_is_committed_late_is_not_passed_over(
    filled_on_postgres: FilledStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only PostgreSQL commits events out of their order."""
    filled = filled_on_postgres
    monkeypatch.setattr("gateway.store.queries.events._SETTLED_US", 0)
    poller, other = Poller(filled), filled.inbox("other@postern.test")
    await poller.subscribe()
    drawn, commit = threading.Event(), threading.Event()

    def late(tx: Tx) -> None:
        append_small(tx, poller.log, other, "first")
        drawn.set()
        commit.wait(30)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(filled.store.write_now, late)
        await asyncio.to_thread(drawn.wait, 30)
        poller.happen("second")
        assert await poller.subjects() == []
        commit.set()
        writing.result()
    assert await poller.subjects() == ["first", "second"]
