"""Threading: by ids alone, in any order, finite on hostile references, per inbox."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.records.ids import ThreadId, now_us
from gateway.records.inboxes import Inbox
from gateway.store import threads
from gateway.store.engine import Store
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.store.conftest import make_inbox
from tests.support.databases import database_url


def _thread(store: Store, inbox: Inbox, own: str, reply: str = "", refs: tuple[str, ...] = ()) -> str:
    def work(tx: Tx) -> str:
        return threads.place(
            tx,
            inbox,
            own=own,
            in_reply_to=[reply] if reply else [],
            references=refs,
            subject="s",
            at=now_us(),
        ).thread_id

    return store.write_now(work)


def test_a_reply_joins_by_in_reply_to_alone_and_by_references_alone(store: Store, inbox: Inbox) -> None:
    first = _thread(store, inbox, "<a@x>")
    assert _thread(store, inbox, "<b@x>", reply="<a@x>") == first
    assert _thread(store, inbox, "<c@x>", refs=("<a@x>", "<unknown@x>")) == first
    assert _thread(store, inbox, "<d@x>") != first


def test_an_answer_that_comes_first_and_its_original_meet(store: Store, inbox: Inbox) -> None:
    answer = _thread(store, inbox, "<b@x>", reply="<a@x>", refs=("<a@x>",))
    assert _thread(store, inbox, "<a@x>") == answer
    assert _thread(store, inbox, "<c@x>", reply="<b@x>") == answer


def test_the_same_ids_in_another_inbox_are_another_thread(store: Store, inbox: Inbox) -> None:
    other = make_inbox(store, "other@x.test")
    assert _thread(store, inbox, "<a@x>") != _thread(store, other, "<b@x>", reply="<a@x>")


def test_hostile_references_end(store: Store, inbox: Inbox) -> None:
    assert _thread(store, inbox, "<self@x>", reply="<self@x>", refs=("<self@x>",) * 5)
    many = tuple(f"<r{n}@x>" for n in range(5000))
    thread = _thread(store, inbox, "<m@x>", refs=many)
    assert store.read_now(lambda tx: sql(tx).value("SELECT count(*) FROM thread_ref")) < 150
    # the root and the nearest ids are kept
    assert _thread(store, inbox, "<n@x>", reply="<r4999@x>") == thread
    assert _thread(store, inbox, "<o@x>", refs=("<r0@x>",)) == thread


def test_mail_for_a_deleted_thread_makes_a_new_one(store: Store, inbox: Inbox) -> None:
    first = _thread(store, inbox, "<a@x>")

    def bury(tx: Tx) -> None:
        threads.bury(tx, ThreadId(first))
        sql(tx).run("DELETE FROM thread WHERE id = ?", first)

    store.write_now(bury)
    second = _thread(store, inbox, "<b@x>", reply="<a@x>", refs=("<a@x>",))
    assert second != first
    assert _thread(store, inbox, "<c@x>", reply="<b@x>", refs=("<a@x>", "<b@x>")) == second


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(6)))
def test_a_chain_with_full_references_is_one_thread_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    from gateway.store.migrate import migrate

    store = Store(database_url(tmp_path_factory.mktemp("chain") / "a.db"))
    migrate(store)
    store.start()
    try:
        inbox = make_inbox(store, "agent@x.test")
        ids = [f"<{n}@x>" for n in range(6)]
        seen = {
            _thread(store, inbox, ids[n], reply=ids[n - 1] if n else "", refs=tuple(ids[:n])) for n in order
        }
        assert len(seen) == 1
    finally:
        store.close()
