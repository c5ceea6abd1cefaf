"""The delivery engine on a real endpoint: at least once, in order per inbox, whatever the endpoint does."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from gateway.events import delivery_queue
from gateway.events.log import EventLog
from gateway.records.ids import InboxId, WebhookId, now_us
from gateway.store.engine import Store
from gateway.store.sql import Row, sql
from gateway.store.transaction import Tx
from tests.events.endpoint import Post, endpoint, engine, happen, hook, open_store, settings_of
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "events.db")
    yield store
    store.close()


async def _webhook(db: Store, ulid: str) -> Row:
    row = await db.read(lambda tx: sql(tx).row("SELECT * FROM webhook WHERE id = ?", ulid))
    assert row is not None
    return row


async def _states(db: Store) -> Counter[str]:
    rows = await db.read(lambda tx: sql(tx).rows("SELECT state FROM delivery"))
    return Counter(row["state"] for row in rows)


async def _settled(db: Store, count: int) -> None:
    """The last outcome is written after its post was answered."""
    async with asyncio.timeout(10):
        while await _states(db) != {"done": count}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_events_arrive_signed_and_in_order_per_inbox(db: Store) -> None:
    log = EventLog()
    async with endpoint() as end, engine(db, log):
        ulid = await hook(db, end.url + "/hook")
        for n in range(60):
            await happen(db, log, n, inbox="ab"[n % 2])
        await until_async(lambda: len(end.posts) == 60)
        for inbox in "ab":
            mine = [one.number for one in end.posts if f'"inbox":"{inbox}"'.encode() in one.body]
            assert mine == sorted(mine)
        secret = (await _webhook(db, ulid))["secret"]
        for one in end.posts:
            assert Webhook(secret).verify(one.body, one.headers)["n"] == one.number
        assert "grüße \u2028 日本".encode() in end.posts[0].body
        await _settled(db, 60)


async def test_a_failing_endpoint_gets_everything_in_order_when_it_is_back(db: Store) -> None:
    log, down = EventLog(), True

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=503 if down else 200)

    async with endpoint() as end, engine(db, log):
        end.answers["/hook"] = answer
        await hook(db, end.url + "/hook")
        for n in range(10):
            await happen(db, log, n)
        await until_async(lambda: len(end.posts) >= 2)
        assert {one.number for one in end.posts} == {0}  # the lane waits with its head
        assert len({(one.id, one.body) for one in end.posts}) == 1
        down = False
        refused = len(end.posts)
        await until_async(lambda: len(end.posts) >= refused + 10, 20)
        assert [one.number for one in end.posts[-10:]] == list(range(10))


async def test_a_hanging_endpoint_delays_no_other(db: Store) -> None:
    log = EventLog()

    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with endpoint() as end, engine(db, log):
        end.answers["/hang"] = hang
        await hook(db, end.url + "/hang")
        await hook(db, end.url + "/well")
        for n in range(40):
            await happen(db, log, n, inbox=f"i{n}")
        await until_async(lambda: len(end.at("/well")) == 40, 2.0)
        assert len(end.at("/hang")) <= 8


async def test_gone_switches_the_webhook_off_and_redirects_are_not_followed(db: Store) -> None:
    log = EventLog()

    async def gone(request: web.Request) -> web.Response:
        return web.Response(status=410)

    async def moved(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/secret"})

    async with endpoint() as end, engine(db, log):
        end.answers.update({"/gone": gone, "/moved": moved})
        first, second = await hook(db, end.url + "/gone"), await hook(db, end.url + "/moved")
        await happen(db, log, 1)
        await happen(db, log, 2)
        await until_async(lambda: len(end.at("/moved")) >= 2)
        row = await _webhook(db, first)
        assert (row["enabled"], len(end.at("/gone"))) == (0, 1)
        assert "410" in row["disabled_reason"]
        assert end.at("/secret") == []
        assert (await _webhook(db, second))["enabled"] == 1
        attempts = await db.read(
            lambda tx: sql(tx).rows("SELECT * FROM attempt WHERE webhook_id = ?", second)
        )
        assert {row["status"] for row in attempts} == {302}


async def test_retry_after_is_waited_for(db: Store) -> None:
    log = EventLog()

    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "120"})

    settings = settings_of(**{"webhooks.retry_scale": 1.0})
    async with endpoint() as end, engine(db, log, settings):
        end.answers["/hook"] = busy
        await hook(db, end.url + "/hook")
        await happen(db, log, 1)
        await until_async(lambda: end.posts)
        await asyncio.sleep(0.2)
        due = await db.read(lambda tx: sql(tx).value("SELECT next_at FROM delivery"))
        assert 100e6 < due - now_us() <= 150e6


async def test_a_switched_off_webhook_hears_nothing_more(db: Store) -> None:
    log, down = EventLog(), True

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=503 if down else 200)

    async with endpoint() as end, engine(db, log):
        end.answers["/hook"] = answer
        ulid = await hook(db, end.url + "/hook")
        await happen(db, log, 1)
        await until_async(lambda: end.posts)
        await db.write(lambda tx: sql(tx).run("UPDATE webhook SET enabled = 0 WHERE id = ?", ulid))
        down = False
        await asyncio.sleep(0.1)
        heard = len(end.posts)
        await happen(db, log, 2)
        await asyncio.sleep(1.0)
        assert len(end.posts) <= heard


async def test_during_rotation_both_secrets_verify(db: Store) -> None:
    from gateway.events.webhook_signing import new_secret

    log, old = EventLog(), new_secret()
    async with endpoint() as end, engine(db, log):
        ulid = await hook(db, end.url + "/hook", old_secret=old, old_secret_until=now_us() + 60_000_000)
        await happen(db, log, 1)
        await until_async(lambda: end.posts)
        post = end.posts[0]
        for secret in (old, (await _webhook(db, ulid))["secret"]):
            Webhook(secret).verify(post.body, post.headers)


_CHILD = """
import asyncio, sys
from pathlib import Path
from gateway.events.log import EventLog
from gateway.store.sql import sql
from tests.events.endpoint import append, engine, open_store

async def main():
    store, log = open_store(Path(sys.argv[1])), EventLog()
    async with engine(store, log):
        start = await store.read(lambda tx: sql(tx).value("SELECT count(*) FROM event"))
        for n in range(start, 500):
            await store.write(lambda tx, n=n: append(tx, log, n, "abcde"[n % 5]))
        print("written", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_kill_9_in_the_middle_loses_nothing_and_keeps_ids(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    store = open_store(path)
    async with endpoint() as end:
        await hook(store, end.url + "/hook")
        store.close()
        for stop_at in (60, 170, 330, None):
            child = await asyncio.to_thread(
                subprocess.Popen, [sys.executable, "-c", _CHILD, str(path)], stdout=subprocess.DEVNULL
            )
            try:
                if stop_at is None:
                    await until_async(lambda: len({one.id for one in end.posts}) == 500, 60)
                else:
                    await until_async(lambda stop_at=stop_at: len(end.posts) >= stop_at, 60)
            finally:
                child.send_signal(signal.SIGKILL)
                await asyncio.to_thread(child.wait)
        by_id: dict[str, set[bytes]] = {}
        for one in end.posts:
            by_id.setdefault(one.id, set()).add(one.body)
        assert all(len(bodies) == 1 for bodies in by_id.values())
        assert len(end.posts) - 500 <= 3 * 8 * 5  # at most what was in flight is repeated
        for inbox in "abcde":
            first: dict[int, Post] = {}
            for one in end.posts:
                if f'"inbox":"{inbox}"'.encode() in one.body:
                    first.setdefault(one.number, one)
            assert list(first) == sorted(first)
            assert len(first) == 100


async def test_finding_what_is_due_stays_flat_with_a_long_queue(db: Store) -> None:
    log = EventLog()
    async with endpoint() as end:
        slow, quick = await hook(db, "http://127.0.0.1:9099/down"), await hook(db, end.url + "/quick")

        def pile(tx: Tx) -> None:
            sql(tx).run("UPDATE webhook SET enabled = 0 WHERE id = ?", quick)
            for n in range(20_000):
                sql(tx).insert(
                    "delivery",
                    {
                        "event_seq": n,
                        "webhook_id": slow,
                        "inbox_id": "a",
                        "lane": f"{slow}/a",
                        "state": "pending",
                        "next_at": now_us() + 3_600_000_000,
                        "created_at": now_us(),
                    },
                )
            sql(tx).run("UPDATE webhook SET enabled = 1 WHERE id = ?", quick)

        await db.write(pile)
        async with engine(db, log):
            started = time.monotonic()
            for n in range(50):
                await happen(db, log, n, inbox="b")
            await until_async(lambda: len(end.at("/quick")) == 50)
            print(f"50 events behind 20,000 waiting: {time.monotonic() - started:.2f} s")


async def test_what_is_queued_beside_a_failing_head_never_overtakes(db: Store) -> None:
    """Every event is refused twice, at any moment of the others' being queued: the order of acceptance stays."""
    log = EventLog()
    refused: Counter[bytes] = Counter()
    accepted: list[bytes] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        if refused[body] < 2:
            refused[body] += 1
            return web.Response(status=503)
        accepted.append(body)
        return web.Response()

    settings = settings_of(**{"webhooks.retry_scale": 0.0002})  # 1 ms, 6 ms
    async with endpoint() as end, engine(db, log, settings):
        end.answers["/hook"] = answer
        await hook(db, end.url + "/hook")
        for n in range(240):
            await happen(db, log, n, inbox="abc"[n % 3])
            await asyncio.sleep(0.002 if n % 7 else 0.02)
        await until_async(lambda: len(accepted) >= 240, 60)
        for inbox in "abc":
            numbers = [one["n"] for one in map(msgspec.json.decode, accepted) if one["inbox"] == inbox]
            assert numbers == sorted(numbers)
            assert len(numbers) == 80
        await _settled(db, 240)


async def test_an_event_its_endpoint_never_takes_does_not_hold_up_the_others(db: Store) -> None:
    log = EventLog()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=500 if b'"n":3,' in await request.read() else 200)

    async with endpoint() as end, engine(db, log, settings_of(**{"webhooks.retry_scale": 0.0001})):
        end.answers["/hook"] = answer
        ulid = await hook(db, end.url + "/hook")
        for n in range(10):
            await happen(db, log, n)
        await until_async(lambda: {one.number for one in end.posts} == set(range(10)), 30)
        taken = list(dict.fromkeys(one.number for one in end.posts))
        assert taken == list(range(10))
        assert sum(one.number == 3 for one in end.posts) >= 5
        # and an event that comes while it is still tried is not held up either
        await happen(db, log, 10)
        await until_async(lambda: end.posts[-1].number == 10 or any(one.number == 10 for one in end.posts))
        pending = "SELECT lane FROM delivery WHERE webhook_id = ? AND state = 'pending'"
        async with asyncio.timeout(10):
            while any(  # noqa: ASYNC110
                "#" not in row["lane"] for row in await db.read(lambda tx: sql(tx).rows(pending, ulid))
            ):  # the last answer is written down
                await asyncio.sleep(0.01)


async def test_a_replayed_event_goes_behind_what_waits(db: Store) -> None:
    log, down = EventLog(), True

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=503 if down else 200)

    async with endpoint() as end, engine(db, log):
        end.answers["/hook"] = answer
        ulid = await hook(db, end.url + "/hook")
        for n in range(4):
            await happen(db, log, n)
        await until_async(lambda: end.posts)

        def again(tx: Tx) -> None:
            seq = sql(tx).value("SELECT seq FROM event ORDER BY seq LIMIT 1")
            delivery_queue.withdraw(
                tx, seq, WebhookId(ulid)
            )  # the head itself, perhaps while it is being posted
            delivery_queue.enqueue(tx, seq, WebhookId(ulid), "agentmail", InboxId("a"))

        await db.write(again)
        down = False
        log.wake()
        await until_async(lambda: [one.number for one in end.posts[-4:]] == [1, 2, 3, 0], 20)
