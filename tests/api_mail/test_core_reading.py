"""Lists, look-ups, totals and search on an index that no mail server stands behind."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from gateway.core import errors
from gateway.core.mail.messages import get_message, get_messages, list_messages
from gateway.core.mail.search import search_messages, search_threads
from gateway.core.mail.threads import get_thread, list_threads
from gateway.records.ids import MessageId, now_us
from gateway.records.mail import ListedMessage, ListedThread
from gateway.store import index, threads
from gateway.store.listing import Filter, Listing, Window
from gateway.store.scope import Scope
from gateway.store.search import Order
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.support.filled_store import BASE, FilledStore, mail

pytestmark = pytest.mark.anyio
ALL = Filter()


def subjects(listing: Listing[ListedMessage] | Listing[ListedThread]) -> list[str]:
    return [
        one.thread.subject if isinstance(one, ListedThread) else one.message.subject for one in listing.rows
    ]


async def test_newest_first_with_total_and_labels_in_one_go(filled: FilledStore) -> None:
    inbox = filled.inbox("bot@postern.test")
    for n in range(25):
        filled.put(inbox, mail(n), at=BASE + n, flags=("urgent",) if n == 24 else ("\\Seen",))
    got = await list_messages(filled.core(), filled.scope, "bot@postern.test", ALL, Window())
    assert subjects(got) == [f"mail {n}" for n in range(24, 4, -1)]
    assert got.total == 25
    assert got.rows[0].labels == ["received", "unread", "urgent"]
    assert got.rows[1].labels == ["received"]
    last = await list_messages(filled.core(), filled.scope, inbox.id, ALL, Window(offset=20))
    assert subjects(last) == [f"mail {n}" for n in range(4, -1, -1)]
    assert last.next is None
    past = await list_messages(filled.core(), filled.scope, inbox.id, ALL, Window(offset=1000))
    assert (past.rows, past.total) == ([], 25)


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("seed", range(5))
async def test_keyset_paging_under_inserts_and_deletes_repeats_and_hides_nothing(
    filled: FilledStore, ascending: bool, seed: int
) -> None:
    dice = random.Random(seed)
    inbox = filled.inbox("bot@postern.test")
    for n in range(60):
        filled.put(inbox, mail(n), at=BASE + dice.randrange(12) * 1000)  # many share one time
    before = {
        one.message.id
        for one in (await list_messages(filled.core(), filled.scope, inbox.id, ALL, Window(limit=100))).rows
    }
    shown: list[str] = []
    dropped: set[str] = set()
    window = Window(limit=7, ascending=ascending)
    fresh = 1000
    while True:
        page = await list_messages(filled.core(), filled.scope, inbox.id, ALL, window)
        shown += [one.message.id for one in page.rows]
        if page.next is None:
            break
        for _ in range(dice.randrange(4)):
            fresh += 1
            filled.put(inbox, mail(fresh), at=BASE + dice.randrange(12) * 1000)
        victim = dice.choice(sorted(before - dropped))
        dropped.add(victim)

        def forget(tx: Tx, victim: str = victim) -> None:
            thread = index.delete_message(tx, MessageId(victim))
            assert thread is not None
            threads.refresh(tx, thread, now_us())

        filled.store.write_now(forget)
        window = replace(window, position=page.next)
    assert len(shown) == len(set(shown)), "a row was shown twice"
    assert before - dropped <= set(shown), "a row that was there all the time was never shown"


async def test_ids_in_every_form_and_the_newest_of_one_message_id(filled: FilledStore) -> None:
    inbox = filled.inbox("bot@postern.test")
    odd = "<abc/def+gh=%41@far.example>"
    old = filled.put(inbox, mail(1, message_id=odd, text="old"), at=BASE)
    new = filled.put(inbox, mail(1, message_id=odd, text="new"), at=BASE + 5_000_000)
    assert old.message_id != new.message_id
    number = filled.store.read_now(
        lambda tx: sql(tx).value("SELECT number FROM message WHERE id = ?", new.message_id)
    )
    forms = [
        new.message_id,
        f"msg_{new.message_id}",
        f"MSG_{new.message_id.upper()}",
        str(number),
        odd,
        odd[1:-1],
        "%3Cabc%2Fdef%2Bgh=%2541@far.example%3E",
    ]
    for form in forms:
        found = await get_message(filled.core(), filled.scope, "bot@postern.test", form)
        assert found.message.id == new.message_id, form
        assert (found.texts.text or "").strip() == "new"
    for nonsense in ("", "msg_", "9" * 400, "<>", "\x00", "msg_" + "z" * 26, "x" * 5000, "-1", "²"):
        with pytest.raises(errors.NotFound):
            await get_message(filled.core(), filled.scope, inbox.id, nonsense)


async def test_scopes(filled: FilledStore) -> None:
    mine, other = filled.inbox("a@postern.test"), filled.inbox("b@postern.test", pod="01" + "0" * 24)
    foreign = filled.inbox("c@postern.test", organization="02" + "0" * 24)
    got = [filled.put(one, mail(1)) for one in (mine, other, foreign)]
    core = filled.core()
    with pytest.raises(errors.NotFound):
        await list_messages(core, filled.scope, foreign.id, ALL, Window())
    with pytest.raises(errors.NotFound):
        await get_thread(core, filled.scope, None, got[2].thread_id)
    with pytest.raises(errors.NotFound):  # right inbox, message of another
        await get_message(core, filled.scope, mine.id, got[1].message_id)
    narrow = Scope(filled.organization, inbox=mine.id)
    with pytest.raises(errors.Forbidden):
        await list_messages(core, narrow, other.id, ALL, Window())
    with pytest.raises(errors.Forbidden):
        await get_thread(core, narrow, None, got[1].thread_id)
    assert (await list_threads(core, filled.scope, None, ALL, Window())).total == 2
    assert (await list_threads(core, narrow, None, ALL, Window())).total == 1
    podded = Scope(filled.organization, pod=mine.pod_id)
    listed = await list_threads(core, podded, None, ALL, Window())
    assert [one.thread.inbox_id for one in listed.rows] == [mine.id]
    blind = Scope(filled.organization, permissions=frozenset({"inbox_read"}))
    with pytest.raises(errors.Forbidden):
        await list_messages(core, blind, mine.id, ALL, Window())


async def test_labels_are_joined_with_and_and_match_the_direction(filled: FilledStore) -> None:
    inbox = filled.inbox("bot@postern.test")
    for n, flags in enumerate([("a",), ("b",), ("a", "b"), ("a", "b", "\\Seen")]):
        filled.put(inbox, mail(n), at=BASE + n, flags=flags)
    filled.put(inbox, mail(9, sender="bot@postern.test"), at=BASE + 9, folder="Sent", flags=("\\Seen", "a"))

    async def found(*labels: str) -> list[str]:
        got = await list_messages(filled.core(), filled.scope, inbox.id, Filter(labels=labels), Window())
        assert got.total == len(got.rows)
        listed = await list_threads(filled.core(), filled.scope, inbox.id, Filter(labels=labels), Window())
        assert subjects(listed) == subjects(got)
        assert listed.total == got.total
        return subjects(got)

    assert await found("a", "b") == ["mail 3", "mail 2"]
    assert await found("a", "b", "unread") == ["mail 2"]
    assert await found("sent") == ["mail 9"]
    assert await found("received", "a") == ["mail 3", "mail 2", "mail 0"]
    assert await found("none of these") == []


async def test_hidden_mail_shows_only_when_included(filled: FilledStore) -> None:
    inbox = filled.inbox("bot@postern.test")
    filled.put(inbox, mail(1), at=BASE)
    filled.put(inbox, mail(2), at=BASE + 1, folder="Junk")
    filled.put(inbox, mail(3), at=BASE + 2, extra=["blocked"])
    filled.put(inbox, mail(4), at=BASE + 3, folder="Junk", extra=["unauthenticated"])

    async def found(*include: str, labels: tuple[str, ...] = ()) -> list[str]:
        wanted = Filter(include=frozenset(include), labels=labels)
        got = await list_messages(filled.core(), filled.scope, inbox.id, wanted, Window())
        listed = await list_threads(filled.core(), filled.scope, inbox.id, wanted, Window())
        assert subjects(listed) == subjects(got)
        assert got.total == listed.total == len(got.rows)
        return subjects(got)

    assert await found() == ["mail 1"]
    assert await found("spam") == ["mail 2", "mail 1"]
    assert await found("spam", "unauthenticated") == ["mail 4", "mail 2", "mail 1"]
    assert len(await found("spam", "unauthenticated", "blocked", "trash")) == 4
    assert await found(labels=("blocked",)) == ["mail 3"]


async def test_substring_filters_take_hostile_text(filled: FilledStore) -> None:
    inbox = filled.inbox("bot@postern.test")
    filled.put(
        inbox, mail(1, sender='"O\'Neil \\"X\\" 100%" <o_n@far.example>', subject="50% off_now"), at=BASE
    )
    filled.put(inbox, mail(2, sender="Bea <bea@far.example>", subject="500 offXnow"), at=BASE + 1)

    async def found(**wanted: Any) -> list[str | None]:
        got = await list_messages(filled.core(), filled.scope, inbox.id, Filter(**wanted), Window())
        return [one.message.from_email for one in got.rows]

    assert await found(subject=("50% OFF_",)) == ["o_n@far.example"]
    assert await found(senders=("o_N@",)) == ["o_n@far.example"]
    assert await found(senders=("Bea <bea@far.example>",)) == ["bea@far.example"]
    assert await found(senders=("far.example", "bea")) == ["bea@far.example"]
    assert await found(recipients=("BOT@postern",)) == ["bea@far.example", "o_n@far.example"]
    assert await found(subject=("' OR 1=1 --",)) == []
    both = await list_messages(
        filled.core(), filled.scope, inbox.id, Filter(after=BASE, before=BASE + 2), Window()
    )
    assert subjects(both) == ["500 offXnow"]


async def test_totals_follow_hiding_deleting_and_whole_inboxes(filled: FilledStore) -> None:
    inbox = filled.inbox("bot@postern.test")
    done = [filled.put(inbox, mail(n)) for n in range(5)]

    def change(tx: Tx) -> None:
        index.set_labels(tx, inbox, done[0].message_id, {"spam"})
        threads.refresh(tx, done[0].thread_id, now_us())
        thread = index.delete_message(tx, done[1].message_id)
        assert thread is not None
        threads.refresh(tx, thread, now_us())

    filled.store.write_now(change)
    core = filled.core()
    assert (await list_messages(core, filled.scope, inbox.id, ALL, Window())).total == 3
    assert (await list_threads(core, filled.scope, inbox.id, ALL, Window())).total == 3
    filled.store.write_now(lambda tx: [sql(tx).run(f"DELETE FROM {one}") for one in ("message", "thread")])
    assert (await list_messages(core, filled.scope, inbox.id, ALL, Window())).total == 0


async def test_threads_come_whole_oldest_first_and_page_to_older(filled: FilledStore) -> None:
    inbox = filled.inbox("bot@postern.test")
    first = filled.put(inbox, mail(0), at=BASE)
    for n in range(1, 6):
        filled.put(inbox, mail(n, more=f"In-Reply-To: <m{n - 1}@far.example>\r\n"), at=BASE + n)
    thread, listing = await get_thread(filled.core(), filled.scope, None, f"thr_{first.thread_id}")
    assert [one.message.subject for one in listing.rows] == [f"mail {n}" for n in range(6)]
    assert thread.thread.message_count == listing.total == 6
    assert thread.labels == ["received", "unread"]
    _, page = await get_thread(filled.core(), filled.scope, inbox.id, first.thread_id, Window(limit=4))
    assert [one.message.subject for one in page.rows] == [f"mail {n}" for n in range(2, 6)]
    _, page = await get_thread(
        filled.core(), filled.scope, inbox.id, first.thread_id, Window(limit=4, position=page.next)
    )
    assert [one.message.subject for one in page.rows] == ["mail 0", "mail 1"]
    assert page.next is None


async def test_batch_get_keeps_the_order_and_leaves_out_strangers(filled: FilledStore) -> None:
    inbox = filled.inbox("bot@postern.test")
    a, b = filled.put(inbox, mail(1)), filled.put(inbox, mail(2))
    got = await get_messages(
        filled.core(), filled.scope, inbox.id, [b.message_id, "nothing", "<m1@far.example>", b.message_id]
    )
    assert [one.message.id for one in got] == [b.message_id, a.message_id]
    with pytest.raises(errors.Invalid):
        await get_messages(filled.core(), filled.scope, inbox.id, ["x"] * 101)


async def test_search(filled: FilledStore) -> None:
    inbox, second = filled.inbox("bot@postern.test"), filled.inbox("two@postern.test")
    filled.put(inbox, mail(1, subject="Invoice 2024-17", text="please pay the réunion fee"), at=BASE)
    filled.put(inbox, mail(2, subject="Lunch", text="the invoice AND the bill"), at=BASE + 1)
    filled.put(inbox, mail(3, subject="会議のお知らせ", text="明日の会議は三時からです"), at=BASE + 2)
    filled.put(second, mail(4, subject="invoice elsewhere"), at=BASE + 3)
    filled.put(inbox, mail(5, subject="invoice junk"), at=BASE + 4, folder="Junk")

    async def found(query: str, ref: str | None = "bot@postern.test", order: Order = "newest") -> list[str]:
        got = await search_messages(filled.core(), filled.scope, ref, query, ALL, Window(), order)
        assert got.total == len(got.rows)
        listed = await search_threads(filled.core(), filled.scope, ref, query, ALL, Window(), order)
        assert subjects(listed) == subjects(got)
        return subjects(got)

    assert await found("invoice") == ["Lunch", "Invoice 2024-17"]
    assert (await found("invoice", order="rank"))[0] == "Invoice 2024-17"  # a subject weighs more
    assert await found("invoice", None) == ["invoice elsewhere", "Lunch", "Invoice 2024-17"]
    assert await found("reunion") == ["Invoice 2024-17"]
    assert await found("Ann invoice bill") == ["Lunch"]
    assert await found('"the bill"') == ["Lunch"]
    assert await found('"bill the"') == []
    assert await found("会議") == ["会議のお知らせ"]
    assert await found("三時") == ["会議のお知らせ"]
    for hostile in (
        "a AND",
        '"',
        "NEAR(",
        "subject:x",
        "*",
        "^a",
        "a OR",
        "'); DROP TABLE message; --",
        "(((",
    ):
        await found(hostile)
    with pytest.raises(errors.Invalid):
        await found("   ")
    page = await search_messages(filled.core(), filled.scope, None, "invoice", ALL, Window(limit=2), "newest")
    rest = await search_messages(
        filled.core(), filled.scope, None, "invoice", ALL, Window(limit=2, position=page.next), "newest"
    )
    assert subjects(page) + subjects(rest) == ["invoice elsewhere", "Lunch", "Invoice 2024-17"]
    assert rest.next is None
