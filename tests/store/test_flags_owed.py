"""What is owed to the mail server: wishes one after the other, and what a copy will bear when all is paid."""

from __future__ import annotations

from gateway.records.inboxes import Inbox
from gateway.store.engine import Store
from gateway.store.pending_flags import forgive, owe, with_owed
from gateway.store.sql import sql
from gateway.store.transaction import Tx


def test_the_later_wish_wins(store: Store, inbox: Inbox) -> None:
    def work(tx: Tx) -> None:
        owe(tx, inbox.id, "m", add=["\\Seen", "blue"])
        owe(tx, inbox.id, "m", add=["red"], remove=["blue", "green"])
        assert with_owed(tx, "m", ["Blue", "GREEN", "\\Answered"]) == ["\\Answered", "\\Seen", "red"]
        owe(tx, inbox.id, "m", remove=["\\Seen"])
        assert with_owed(tx, "m", ["\\seen"]) == ["red"]
        assert with_owed(tx, "other", ["\\Seen", "x"]) == ["\\Seen", "x"]

    store.write_now(work)


def test_what_was_done_another_way_is_forgiven(store: Store, inbox: Inbox) -> None:
    def work(tx: Tx) -> None:
        owe(tx, inbox.id, "m", add=["\\Seen"], remove=["red"])
        forgive(tx, "m", ["\\Seen"])
        assert with_owed(tx, "m", ["red"]) == []
        forgive(tx, "m", ["red", "blue"])
        assert with_owed(tx, "m", ["red"]) == ["red"]
        assert sql(tx).value("SELECT count(*) FROM flags_owed") == 0
        forgive(tx, "m", ["red"])

    store.write_now(work)


def test_every_wish_has_a_later_time(store: Store, inbox: Inbox) -> None:
    def work(tx: Tx) -> None:
        times = []
        for _ in range(50):
            owe(tx, inbox.id, "m", add=["a"])
            times.append(sql(tx).value("SELECT noted_at FROM flags_owed"))
        assert times == sorted(set(times))

    store.write_now(work)
