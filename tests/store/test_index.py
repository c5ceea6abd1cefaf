"""Indexing: identity from the message, copies and moves, deletion, counts (DESIGN §1.2)."""

from pathlib import Path

import msgspec

from gateway.mime.parse import parse
from gateway.records.folders import FolderRole, FoundCopy
from gateway.records.ids import MessageId, derived_ulid, message_id_header, new_ulid, now_us
from gateway.records.inboxes import Inbox
from gateway.records.mail import Indexed
from gateway.store import index, threads
from gateway.store.arrival_time import listing_time
from gateway.store.engine import Store
from gateway.store.queries.folders import save_folder
from gateway.store.queries.inboxes import add_inbox
from gateway.store.queries.locations import put_removed_location
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.support.databases import database_url

_RECEIVED = b"Received: from a by b; Fri, 20 Nov 2026 10:00:0%d +0000\r\n"


def _mail(n: int = 1, *, body: bytes = b"hello", received: bytes = _RECEIVED % 1) -> bytes:
    return (
        received + b"From: Ann <ann@y.test>\r\nTo: agent@x.test\r\nSubject: Hi %d\r\n"
        b"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <m%d@y.test>\r\n\r\n" % (n, n) + body + b"\r\n"
    )


def _folder(store: Store, inbox: Inbox, name: str = "INBOX", role: FolderRole = "inbox") -> int:
    return store.write_now(
        lambda tx: save_folder(tx, inbox.id, name, role, uidvalidity=1, uidnext=1, highestmodseq=1)
    )


def _found(
    store: Store,
    inbox: Inbox,
    raw: bytes,
    uid: int,
    folder: int,
    role: FolderRole = "inbox",
    flags: tuple[str, ...] = (),
) -> Indexed:
    copy = FoundCopy(folder, role, role.upper(), uid, flags, now_us())
    done = store.write_now(lambda tx: index.index_found(tx, inbox, copy, parse(raw)))
    assert done is not None
    return done


def _labels(store: Store, message: str) -> set[str]:
    return {
        row["label"]
        for row in store.read_now(
            lambda tx: sql(tx).rows("SELECT label FROM label WHERE message_id = ?", message)
        )
    }


def test_finding_the_same_place_again_changes_nothing(store: Store, inbox: Inbox) -> None:
    folder = _folder(store, inbox)
    first = _found(store, inbox, _mail(), 1, folder)
    again = _found(store, inbox, _mail(), 1, folder)
    assert first.new
    assert not again.new
    assert again.message_id == first.message_id
    assert store.read_now(lambda tx: sql(tx).value("SELECT count(*) FROM message")) == 1
    assert store.read_now(lambda tx: sql(tx).value("SELECT count(*) FROM location")) == 1


def test_a_mail_delivered_twice_is_one_message_in_two_places(store: Store, inbox: Inbox) -> None:
    folder = _folder(store, inbox)
    first = _found(store, inbox, _mail(), 1, folder)
    second = _found(store, inbox, _mail(), 2, folder)
    assert second.message_id == first.message_id
    assert store.read_now(lambda tx: sql(tx).value("SELECT count(*) FROM location")) == 2


def test_the_same_message_id_with_another_body_is_another_message(store: Store, inbox: Inbox) -> None:
    folder = _folder(store, inbox)
    first = _found(store, inbox, _mail(), 1, folder)
    second = _found(store, inbox, _mail(body=b"other"), 2, folder)
    assert second.new
    assert second.message_id != first.message_id
    assert second.thread_id == first.thread_id


def test_a_copy_with_another_reply_to_is_another_message(store: Store, inbox: Inbox) -> None:
    folder = _folder(store, inbox)
    first = _found(store, inbox, _mail(), 1, folder)
    forged = _mail().replace(b"Date:", b"Reply-To: eve@z.test\r\nDate:")
    second = _found(store, inbox, forged, 2, folder)
    assert second.new
    assert second.message_id != first.message_id
    assert not _found(store, inbox, forged, 3, folder).new


def test_mail_from_before_fingerprints_keeps_its_id(store: Store, inbox: Inbox) -> None:
    folder = _folder(store, inbox)
    old = msgspec.structs.replace(inbox, fingerprints_since=now_us() * 2)
    kept = _found(store, old, _mail(), 1, folder).message_id
    assert kept == derived_ulid(
        parse(_mail()).received or 0, inbox.id, "inbound", "<m1@y.test>", parse(_mail()).identity
    )
    moved = _mail().replace(b"Date:", b"X-Other: field\r\nDate:")
    assert _found(store, old, moved, 2, folder).message_id == kept
    assert _found(store, inbox, _mail(), 3, folder).message_id != kept


def test_what_came_later_is_listed_later_and_no_two_at_one_time(store: Store, inbox: Inbox) -> None:
    folder = _folder(store, inbox)
    base = parse(_mail()).received or 0
    assert base % 1_000_000 == 0

    def times() -> list[int]:
        rows = store.read_now(lambda tx: sql(tx).rows("SELECT timestamp FROM message ORDER BY seq"))
        return [row["timestamp"] - base for row in rows]

    def find(n: int, received: int, delivered: int) -> None:
        copy = FoundCopy(folder, "inbox", "INBOX", n, (), base + delivered * 1_000_000)
        raw = _mail(n, received=_RECEIVED % (1 + received))
        store.write_now(lambda tx: index.index_found(tx, inbox, copy, parse(raw)))

    find(1, 0, 0)
    find(2, 0, 0)
    find(3, 1, 1)
    find(4, 0, 1)  # it waited in the queue: who has seen the third must not miss it
    find(5, 1, 1)
    find(6, 0, 7 * 3600)  # filed by somebody long after
    assert times() == [0, 1_000, 1_000_000, 1_001_000, 1_002_000, 2_000]


def test_a_second_with_more_mail_than_milliseconds_goes_on_in_the_next(store: Store, inbox: Inbox) -> None:
    with_many = [at * 1_000 for at in range(1000)]

    def fill(tx: Tx) -> list[int]:
        found = []
        for _ in range(1003):
            at = listing_time(tx, inbox.organization_id, 5_000_000, 5_000_000)
            n = len(found)
            sql(tx).run(
                "INSERT INTO message (id, number, organization_id, inbox_id, thread_id, direction, subject, preview, "
                "size, timestamp, status, created_at, updated_at) "
                "VALUES (?, 1, ?, ?, 't', 'inbound', '', '', 1, ?, 'received', 1, 1)",
                f"m{n}",
                inbox.organization_id,
                inbox.id,
                at,
            )
            found.append(at - 5_000_000)
        return found

    assert store.write_now(fill) == [*with_many, 1_000_000, 1_001_000, 1_002_000]


def test_our_own_message_id_names_the_sent_copy_but_no_stranger(store: Store, inbox: Inbox) -> None:
    ulid = new_ulid()
    own = message_id_header(MessageId(ulid), "x.test").encode()
    raw = b"From: agent@x.test\r\nTo: b@y.test\r\nSubject: s\r\nMessage-ID: " + own + b"\r\n\r\nhi\r\n"
    sent = _found(store, inbox, raw, 1, _folder(store, inbox, "Sent", "sent"), "sent", ("\\Seen",))
    assert sent.message_id == ulid
    assert sent.direction == "outbound"
    forged = _found(store, inbox, _RECEIVED % 2 + raw, 2, _folder(store, inbox), "inbox")
    assert forged.direction == "inbound"
    assert forged.message_id != ulid


def test_a_move_keeps_the_message_and_changes_its_labels(store: Store, inbox: Inbox) -> None:
    here, there = _folder(store, inbox), _folder(store, inbox, "Junk", "junk")
    one = _found(store, inbox, _mail(), 1, here)
    assert _labels(store, one.message_id) == {"received", "unread"}
    _found(store, inbox, _mail(), 1, there, "junk", ("\\Seen",))
    assert store.write_now(lambda tx: index.drop_location(tx, here, 1)) is None
    assert _labels(store, one.message_id) == {"received", "spam"}
    assert store.read_now(lambda tx: sql(tx).value("SELECT hidden FROM message")) == 1
    assert store.write_now(lambda tx: index.drop_location(tx, there, 1)) == one.message_id


def test_deleting_leaves_nothing_and_the_thread_follows(store: Store, inbox: Inbox) -> None:
    folder = _folder(store, inbox)
    one = _found(store, inbox, _mail(1), 1, folder)
    reply = _mail(2).replace(b"Subject: Hi 2", b"In-Reply-To: <m1@y.test>\r\nSubject: Re: Hi")
    two = _found(store, inbox, reply, 2, folder)
    assert two.thread_id == one.thread_id

    def delete(tx: Tx, message: str) -> None:
        thread = index.delete_message(tx, MessageId(message))
        assert thread is not None
        threads.refresh(tx, thread, now_us())

    store.write_now(lambda tx: delete(tx, two.message_id))
    thread = store.read_now(lambda tx: sql(tx).row("SELECT * FROM thread"))
    assert thread is not None
    assert (thread["message_count"], thread["last_message_id"]) == (1, one.message_id)
    store.write_now(lambda tx: delete(tx, one.message_id))
    # what the mail server then reports as vanished
    assert [store.write_now(lambda tx, uid=uid: index.drop_location(tx, folder, uid)) for uid in (1, 2)] == [
        None,
        None,
    ]
    for table in ("message", "message_body", "message_search", "label", "location", "thread", "thread_ref"):
        assert store.read_now(lambda tx, t=table: sql(tx).value(f"SELECT count(*) FROM {t}")) == 0, table


def test_a_pass_that_read_a_message_before_its_deletion_does_not_bring_it_back(
    store: Store, inbox: Inbox
) -> None:
    folder = _folder(store, inbox)
    copy = FoundCopy(folder, "inbox", "INBOX", 1, (), now_us())
    one = _found(store, inbox, _mail(), 1, folder)
    store.write_now(lambda tx: index.delete_message(tx, one.message_id))
    assert store.write_now(lambda tx: index.index_found(tx, inbox, copy, parse(_mail()))) is None
    assert store.read_now(lambda tx: sql(tx).value("SELECT count(*) FROM message")) == 0
    # the same mail under another UID is there again: somebody put it back
    assert _found(store, inbox, _mail(), 2, folder).new


def test_what_was_expunged_before_it_was_indexed_does_not_come_back(store: Store, inbox: Inbox) -> None:
    folder = _folder(store, inbox)
    copy = FoundCopy(folder, "inbox", "INBOX", 4, (), now_us())
    store.write_now(lambda tx: sql(tx).run("UPDATE folder SET uidnext = 4"))
    for uid, validity in ((3, 1), (4, 2), (4, 1)):
        store.write_now(lambda tx, v=validity, u=uid: put_removed_location(tx, inbox.id, "INBOX", v, u))
    # below the cursor nothing is read again, and another UIDVALIDITY means other messages
    assert store.read_now(lambda tx: sql(tx).rows("SELECT uid, message_id FROM location")) == [
        {"uid": 4, "message_id": ""}
    ]
    assert store.write_now(lambda tx: index.index_found(tx, inbox, copy, parse(_mail()))) is None


def test_the_id_is_the_same_in_a_new_database(store: Store, inbox: Inbox, tmp_path: Path) -> None:
    from gateway.store.migrate import migrate

    first = _found(store, inbox, _mail(), 7, _folder(store, inbox))
    other = Store(database_url(tmp_path / "other.db"))
    migrate(other)
    other.start()
    try:
        other.write_now(lambda tx: add_inbox(tx, inbox))
        again = _found(other, inbox, _mail(), 99, _folder(other, inbox))
        assert (again.message_id, again.thread_id) == (first.message_id, first.thread_id)
    finally:
        other.close()


def test_what_a_mail_carries_to_be_used_once_is_kept_with_its_texts(store: Store, inbox: Inbox) -> None:
    body = b"Your verification code is 482 913.\r\n\r\nOn 1/5/26 10:00, Bob wrote:\r\n> old\r\n"
    found = _found(store, inbox, _mail(body=body), 1, _folder(store, inbox))
    row = store.read_now(
        lambda tx: sql(tx).row("SELECT * FROM message_body WHERE message_id = ?", found.message_id)
    )
    assert row is not None
    assert row["extracted_text"] == "Your verification code is 482 913."
    assert (row["one_time_code"], row["one_time_link"]) == ("482913", None)
