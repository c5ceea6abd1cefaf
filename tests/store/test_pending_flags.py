"""What is owed to the mail server: wishes one after the other, and what a copy will bear when all is paid."""

from __future__ import annotations

from gateway.records.ids import MessageId
from gateway.records.inboxes import Inbox
from gateway.store.engine import Store
from gateway.store.pending_flags import add_pending, drop_pending, with_pending
from gateway.store.sql import sql
from gateway.store.transaction import Tx

M = MessageId("m")


def test_the_later_wish_wins(store: Store, inbox: Inbox) -> None:
    def work(tx: Tx) -> None:
        add_pending(tx, inbox.id, M, add=["\\Seen", "blue"])
        add_pending(tx, inbox.id, M, add=["red"], remove=["blue", "green"])
        assert with_pending(tx, M, ["Blue", "GREEN", "\\Answered"]) == ["\\Answered", "\\Seen", "red"]
        add_pending(tx, inbox.id, M, remove=["\\Seen"])
        assert with_pending(tx, M, ["\\seen"]) == ["red"]
        assert with_pending(tx, MessageId("other"), ["\\Seen", "x"]) == ["\\Seen", "x"]

    store.write_now(work)


def test_what_was_done_another_way_is_forgiven(store: Store, inbox: Inbox) -> None:
    def work(tx: Tx) -> None:
        add_pending(tx, inbox.id, M, add=["\\Seen"], remove=["red"])
        drop_pending(tx, M, ["\\Seen"])
        assert with_pending(tx, M, ["red"]) == []
        drop_pending(tx, M, ["red", "blue"])
        assert with_pending(tx, M, ["red"]) == ["red"]
        assert sql(tx).value("SELECT count(*) FROM flags_owed") == 0
        drop_pending(tx, M, ["red"])

    store.write_now(work)


def test_every_wish_has_a_later_time(store: Store, inbox: Inbox) -> None:
    def work(tx: Tx) -> None:
        times = []
        for _ in range(50):
            add_pending(tx, inbox.id, M, add=["a"])
            times.append(sql(tx).value("SELECT noted_at FROM flags_owed"))
        assert times == sorted(set(times))

    store.write_now(work)
