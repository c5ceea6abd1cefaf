"""A mail that connects threads joins them: the same threads with the same ids in any order, few at once, per inbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mime.parse import parse
from gateway.records.ids import MESSAGE_ID, THREAD_ID, MessageId, ThreadId
from gateway.records.inboxes import Inbox
from gateway.records.mail import Placed
from gateway.store import index, threads
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.queries.inbox_removal import remove_what_acts
from gateway.store.queries.mailbox_index import forget_inbox
from gateway.store.queries.thread_roots import current_thread_id
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.store.conftest import make_inbox
from tests.support.databases import database_url
from tests.support.postgres_server import PostgresCluster

START = 1_700_000_000_000_000


@dataclass(frozen=True)
class Mail:
    """A mail with the id ``<n@x>``, which came at second ``at`` and names others."""

    n: int
    at: int
    reply: tuple[int, ...] = ()
    refs: tuple[int, ...] = ()

    @property
    def raw(self) -> bytes:
        head = [f"From: Ann <ann@far.test>\r\nSubject: {self.n}\r\nMessage-ID: {name(self.n)}"]
        head += [f"In-Reply-To: {' '.join(map(name, self.reply))}"] if self.reply else []
        head += [f"References: {' '.join(map(name, self.refs))}"] if self.refs else []
        return "\r\n".join((*head, "", "Text.")).encode()

    @property
    def root(self) -> str:
        return name((*self.refs, *self.reply, self.n)[0])

    def id(self, inbox: Inbox) -> MessageId:
        return MESSAGE_ID.derived(START + self.at * 1_000_000, inbox.id, str(self.n))


def name(n: int) -> str:
    return f"<{n}@x>"


def put(tx: Tx, inbox: Inbox, mail: Mail, *, again: bool = False) -> Placed:
    parsed, at = parse(mail.raw), START + mail.at * 1_000_000
    placed = index.insert_message(
        tx, inbox, mail.id(inbox), parsed, direction="inbound", status="received", at=at, again=again
    )
    threads.refresh(tx, placed.thread_id, at)
    return placed


def of_root(inbox: Inbox, root: str) -> ThreadId:
    return THREAD_ID.derived(inbox.created_at, "thread", inbox.id, threads.ref_of(root))


def shown(store: Store, inbox: Inbox) -> dict[str, str]:
    """The thread of each message of an inbox, by subject."""
    query = "SELECT subject, thread_id FROM message WHERE inbox_id = ?"
    return {
        row["subject"]: row["thread_id"] for row in store.read_now(lambda tx: sql(tx).rows(query, inbox.id))
    }


def led(store: Store, ids: Sequence[ThreadId]) -> dict[ThreadId, ThreadId]:
    """Where ids of threads lead."""
    return store.read_now(lambda tx: {one: current_thread_id(tx, one) for one in ids})


A, B, MIDDLE = Mail(1, at=1), Mail(2, at=2, reply=(3,)), Mail(3, at=5, reply=(1,))
"""Two halves of a conversation, and the mail that connects them."""


def test_a_mail_that_connects_two_threads_joins_them_to_the_older(store: Store, inbox: Inbox) -> None:
    first, second, both = (store.write_now(lambda tx, m=m: put(tx, inbox, m)) for m in (A, B, MIDDLE))
    assert first.thread_id != second.thread_id
    assert (both.thread_id, both.merged) == (first.thread_id, (second.thread_id,))
    assert set(shown(store, inbox).values()) == {first.thread_id}
    assert led(store, [second.thread_id]) == {second.thread_id: first.thread_id}
    rows = store.read_now(lambda tx: sql(tx).rows("SELECT id, message_count, subject FROM thread"))
    assert rows == [{"id": first.thread_id, "message_count": 3, "subject": "1"}]


def test_the_ids_of_threads_that_were_joined_twice_lead_to_the_last_one(store: Store, inbox: Inbox) -> None:
    mails = (
        Mail(1, at=1),
        Mail(2, at=2),
        Mail(3, at=3),
        Mail(4, at=4, refs=(2, 3)),
        Mail(5, at=5, refs=(1, 4)),
    )
    one, two, three, four, five = (store.write_now(lambda tx, m=m: put(tx, inbox, m)) for m in mails)
    assert (four.thread_id, four.merged) == (two.thread_id, (three.thread_id,))
    assert (five.thread_id, five.merged) == (one.thread_id, (two.thread_id,))
    ids = [two.thread_id, three.thread_id]
    assert led(store, ids) == dict.fromkeys(ids, one.thread_id)


def test_threads_stay_joined_after_the_mail_that_joined_them_is_gone(store: Store, inbox: Inbox) -> None:
    for mail in (A, B, MIDDLE):
        store.write_now(lambda tx, m=mail: put(tx, inbox, m))
    before = shown(store, inbox)
    for order in ((A, B), (B, A)):
        store.write_now(lambda tx: forget_inbox(tx, inbox.id))
        for mail in order:
            store.write_now(lambda tx, m=mail: put(tx, inbox, m, again=True))
        after = shown(store, inbox)
        assert after == {subject: before[subject] for subject in ("1", "2")}


def test_mail_for_a_deleted_thread_makes_a_new_one_whichever_half_it_names(
    store: Store, inbox: Inbox
) -> None:
    first, second, _ = (store.write_now(lambda tx, m=m: put(tx, inbox, m)) for m in (A, B, MIDDLE))

    def delete(tx: Tx) -> None:
        for mail in (A, B, MIDDLE):
            index.delete_message(tx, mail.id(inbox))
        threads.bury(tx, first.thread_id)
        threads.refresh(tx, first.thread_id, START)

    store.write_now(delete)
    assert led(store, [second.thread_id]) == {second.thread_id: second.thread_id}
    for n, named in ((10, 1), (11, 3)):
        placed = store.write_now(lambda tx, n=n, named=named: put(tx, inbox, Mail(n, at=n, reply=(named,))))
        assert placed.thread_id not in (first.thread_id, second.thread_id)
        assert not placed.merged


def test_a_summary_that_is_due_for_a_thread_that_was_joined_is_made_for_the_other(
    store: Store, inbox: Inbox
) -> None:
    _, second, both = (store.write_now(lambda tx, m=m: put(tx, inbox, m)) for m in (A, B, MIDDLE))
    store.write_now(lambda tx: sql(tx).run("UPDATE message SET seen = 1"))
    assert store.write_now(lambda tx: threads.refresh(tx, second.thread_id, START))
    query = "SELECT unread FROM thread WHERE id = ?"
    assert store.read_now(lambda tx: sql(tx).value(query, both.thread_id)) == 0


def test_an_answer_that_is_to_stay_in_a_thread_that_was_joined_stays_in_the_other(
    store: Store, inbox: Inbox
) -> None:
    _, second, both = (store.write_now(lambda tx, m=m: put(tx, inbox, m)) for m in (A, B, MIDDLE))

    def answer(tx: Tx) -> Placed:
        threads.keep_in(tx, inbox.id, name(9), second.thread_id)
        return put(tx, inbox, Mail(9, at=9))

    placed = store.write_now(answer)
    assert (placed.thread_id, placed.merged) == (both.thread_id, ())


def test_one_mail_joins_few_threads(store: Store, inbox: Inbox) -> None:
    """A stranger who has seen many ids could otherwise make one thread of all that an inbox holds."""
    many = 3 * threads.MAX_LINKS

    def fill(tx: Tx) -> Placed:
        for n in range(many):
            put(tx, inbox, Mail(n, at=n))
        return put(tx, inbox, Mail(many, at=many, refs=tuple(range(many))))

    placed = store.write_now(fill)
    assert (
        len(placed.merged) == threads.MAX_LINKS - 2
    )  # its own id counts, and the thread that goes on is none of them
    assert len(set(shown(store, inbox).values())) == many - len(placed.merged)


def test_threads_of_another_inbox_are_left_alone(store: Store, inbox: Inbox) -> None:
    other = make_inbox(store, "other@x.test")
    for where, mail in ((inbox, A), (other, B), (inbox, MIDDLE)):
        placed = store.write_now(lambda tx, w=where, m=mail: put(tx, w, m))
        assert not placed.merged
    assert not set(shown(store, inbox).values()) & set(shown(store, other).values())


def test_nothing_of_joined_threads_is_left_of_an_inbox_that_is_removed(store: Store, inbox: Inbox) -> None:
    for mail in (A, B, MIDDLE):
        store.write_now(lambda tx, m=mail: put(tx, inbox, m))
    assert store.read_now(lambda tx: sql(tx).value("SELECT count(*) FROM thread_root")) > 0
    store.write_now(lambda tx: remove_what_acts(tx, inbox.id))
    assert store.read_now(lambda tx: sql(tx).value("SELECT count(*) FROM thread_root")) == 0


@contextmanager
def _stores(path: Path) -> Iterator[Store]:
    store = Store(database_url(path / "a.db"))
    migrate(store)
    store.start()
    try:
        yield store
    finally:
        store.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with _stores(tmp_path_factory.mktemp("orders")) as store:
        yield store


def test_a_message_whose_fields_contradict_each_other_joins_nothing(store: Store, inbox: Inbox) -> None:
    """In-Reply-To decides, where it is known; References do where it is not."""
    threads_of = {}
    for mail in (
        Mail(1, at=1),
        Mail(2, at=2),
        Mail(3, at=3, reply=(2,), refs=(1,)),
        Mail(4, at=4, reply=(9,), refs=(1,)),
    ):
        placed = store.write_now(lambda tx, mail=mail: put(tx, inbox, mail))
        assert placed.merged == ()
        threads_of[mail.n] = placed.thread_id
    assert threads_of[3] == threads_of[2] != threads_of[1] == threads_of[4]
    assert shown(store, inbox) == {str(n): thread for n, thread in threads_of.items()}


_NAMES = st.integers(0, 7)  # some are never the id of a mail
_MAILS = st.lists(
    st.builds(
        # References end with what In-Reply-To names, as RFC 5322 §3.6.4 has it
        lambda reply, refs: (tuple(reply), (*refs, *reply[:1]) if refs else ()),
        st.lists(_NAMES, max_size=2),
        st.lists(_NAMES, max_size=3),
    ),
    min_size=1,
    max_size=6,
).map(lambda names: [Mail(n, at=n, reply=reply, refs=refs) for n, (reply, refs) in enumerate(names)])


def _components(mails: Sequence[Mail]) -> set[frozenset[str]]:
    """Which mails hang together, the plain way."""
    groups: list[tuple[set[str], set[int]]] = []
    for mail in mails:
        subjects, ids = {str(mail.n)}, {mail.n, *mail.reply, *mail.refs}
        rest = []
        for group in groups:
            if group[1] & ids:
                subjects, ids = subjects | group[0], ids | group[1]
            else:
                rest.append(group)
        groups = [*rest, (subjects, ids)]
    return {frozenset(subjects) for subjects, _ in groups}


@settings(max_examples=60, deadline=None)
@given(mails=_MAILS, data=st.data())
def test_any_order_of_arrival_gives_the_same_threads(
    shared: Store, mails: list[Mail], data: st.DataObject
) -> None:
    inbox = make_inbox(
        shared, f"agent{shared.read_now(lambda tx: sql(tx).value('SELECT count(*) FROM inbox'))}@x.test"
    )
    results = []
    for attempt in range(3):
        order = mails if attempt == 0 else data.draw(st.permutations(mails))

        def read(tx: Tx, order: Sequence[Mail] = order, kept: bool = attempt == 2) -> None:
            forget_inbox(tx, inbox.id)
            if not kept:  # as from a mailbox whose database is lost
                sql(tx).run("DELETE FROM thread_root WHERE inbox_id = ?", inbox.id)
            for mail in order:
                put(tx, inbox, mail, again=True)

        shared.write_now(read)
        results.append((shown(shared, inbox), led(shared, [of_root(inbox, mail.root) for mail in mails])))
    assert results[1] == results[0]
    assert results[2] == results[0]
    threads_now = results[0][0]
    groups = {frozenset(s for s, t in threads_now.items() if t == one) for one in threads_now.values()}
    assert groups == _components(mails)
    for group in groups:  # called after its oldest mail, and every root leads there
        oldest = min((mail for mail in mails if str(mail.n) in group), key=lambda mail: mail.at)
        assert threads_now[str(oldest.n)] == of_root(inbox, oldest.root)
    for mail in mails:
        assert results[0][1][of_root(inbox, mail.root)] == threads_now[str(mail.n)]


def test_mails_that_come_at_once_are_joined_too(postgres: PostgresCluster) -> None:
    """Processes that share a PostgreSQL: each mail names the one before it alone, and each is read by another one."""
    with closing(Store(postgres.new_database())) as store:
        migrate(store)
        store.start()
        inbox = make_inbox(store, "agent@x.test")
        mails = [Mail(n, at=n, reply=(n - 1,)) for n in range(1, 25)]
        odd_first = sorted(mails, key=lambda mail: (mail.n % 2 == 0, mail.n))
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda mail: store.write_now(partial(put, inbox=inbox, mail=mail)), odd_first))
        first = of_root(inbox, mails[0].root)
        assert set(shown(store, inbox).values()) == {first}
        assert set(led(store, [of_root(inbox, mail.root) for mail in mails]).values()) == {first}
        counts = store.read_now(lambda tx: sql(tx).rows("SELECT id, message_count FROM thread"))
        assert counts == [{"id": first, "message_count": len(mails)}]
