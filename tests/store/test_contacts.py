"""With whom an organization exchanged mail before a message came, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.mime.lookalike import one_edit
from gateway.mime.parse import parse
from gateway.mime.types import Address, AuthVerdict, FirstContact, ParsedMessage
from gateway.records.folders import FoundCopy
from gateway.records.ids import MessageId, OrganizationId, ThreadId, now_us
from gateway.records.inboxes import Inbox
from gateway.records.mail import Indexed
from gateway.store import migrate as migrating
from gateway.store.contact_keys import Key, address_key, domain_key, fold_address, keys_of, near_keys
from gateway.store.contacts import note_recipients, note_sender, with_contacts
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.queries.arrivals import Arrivals
from gateway.store.queries.contacts import (
    contacts_by_keys,
    known_before,
    put_contacts,
    unscoped_remove_contacts,
)
from gateway.store.queries.inbox_removal import remove_what_acts
from gateway.store.sql import Row, Sql, sql
from gateway.store.transaction import Tx
from tests.store.conftest import make_inbox
from tests.store.earlier_migrations import migrations_before
from tests.support.postgres_server import PostgresCluster

LEVEL = "0016_contacts"
NEW = FirstContact(address=True, domain=True)
NEW_ADDRESS = FirstContact(address=True, domain=False)
KNOWN = FirstContact(address=False, domain=False)
SECOND = 1_000_000
PASSED = AuthVerdict(dmarc="pass", author="far.test")


def _from(sender: str = "Ann Far <ann@far.test>", auth: AuthVerdict = PASSED) -> ParsedMessage:
    return replace(parse(f"From: {sender}\r\nSubject: x\r\n\r\nx\r\n".encode()), auth=auth)


def _indexed(at: int, *, imitates: bool = False) -> Indexed:
    return Indexed(
        MessageId("m"), ThreadId("t"), "inbound", new=True, labels=frozenset(), at=at, imitates=imitates
    )


def _first(store: Store, inbox: Inbox, sender: str, at: int) -> FirstContact | None:
    return store.read_now(
        lambda tx: with_contacts(tx, inbox.organization_id, inbox.id, _from(sender), at)
    ).first_contact


def test_whom_an_inbox_wrote_to_is_known_from_then_on(store: Store, inbox: Inbox) -> None:
    at = now_us()
    people = [Address("Ann", "Ann@FAR.test"), Address("", "odd"), Address("", "bo@bücher.test")]
    store.write_now(lambda tx: note_recipients(tx, inbox, people, at, again=False))
    assert _first(store, inbox, "ann@far.test", at + 1) == KNOWN
    assert _first(store, inbox, "ann@far.test", at) == NEW
    assert _first(store, inbox, "eve@far.test", at + 1) == NEW_ADDRESS
    assert _first(store, inbox, "Bo@xn--bcher-kva.test", at + 1) == KNOWN
    assert _first(store, inbox, inbox.address, at + 1) == KNOWN
    assert _first(store, inbox, "eve@else.test", at + 1) == NEW
    assert _first(store, inbox, "nobody", at + 1) is None


def test_who_wrote_is_known_once_their_domain_was_proven(store: Store, inbox: Inbox) -> None:
    at = now_us()
    failed = _from(auth=AuthVerdict(dmarc="fail"))
    store.write_now(lambda tx: note_sender(tx, inbox, failed, _indexed(at)))
    assert _first(store, inbox, "ann@far.test", at + 1) == NEW
    store.write_now(lambda tx: note_sender(tx, inbox, _from(), _indexed(at)))
    assert _first(store, inbox, "ann@far.test", at + 1) == KNOWN


def test_the_first_time_counts_and_history_changes_no_answer(store: Store, inbox: Inbox) -> None:
    at = now_us()
    day = 86_400 * SECOND
    store.write_now(
        lambda tx: note_sender(tx, inbox, _from(), _indexed(at - 400 * day))
    )  # filed by an import
    assert _first(store, inbox, "ann@far.test", at) == NEW
    assert _first(store, inbox, "ann@far.test", now_us() + 1) == KNOWN
    before = _first(store, inbox, "ann@far.test", at)
    store.write_now(lambda tx: note_sender(tx, inbox, _from(), _indexed(at - SECOND)))
    assert _first(store, inbox, "ann@far.test", at) == before


def test_contacts_are_an_organizations_own_and_go_with_their_inbox(store: Store, inbox: Inbox) -> None:
    other, mate = make_inbox(store, "other@x.test"), make_inbox(store, "mate@x.test")
    mate = replace(mate, organization_id=inbox.organization_id)
    at = now_us()
    for one in (inbox, mate):
        store.write_now(lambda tx, one=one: note_sender(tx, one, _from(), _indexed(at)))
    assert _first(store, other, "ann@far.test", at + 1) == NEW
    store.write_now(lambda tx: remove_what_acts(tx, inbox.id))
    assert _first(store, inbox, "ann@far.test", at + 1) == KNOWN
    assert (
        store.write_now(lambda tx: unscoped_remove_contacts(tx, [OrganizationId("o")], "ann@far.test")) == 0
    )
    organizations = [inbox.organization_id]
    assert store.write_now(lambda tx: unscoped_remove_contacts(tx, organizations, "ann@far.test")) == 2
    assert _first(store, inbox, "ann@far.test", at + 1) == NEW_ADDRESS


def test_a_crowd_is_noted_up_to_a_limit(store: Store, inbox: Inbox) -> None:
    crowd = [Address("", f"a{n}@far.test") for n in range(600)]
    at = now_us()
    store.write_now(lambda tx: note_recipients(tx, inbox, crowd, at, again=False))
    assert _first(store, inbox, "a400@far.test", at + 1) == KNOWN
    assert _first(store, inbox, "a599@far.test", at + 1) == NEW_ADDRESS


def _imitated(store: Store, inbox: Inbox, sender: str) -> tuple[str | None, str | None]:
    parsed = _from(sender)
    found = store.read_now(
        lambda tx: with_contacts(tx, inbox.organization_id, inbox.id, parsed, now_us() + SECOND)
    )
    return found.lookalike_of, found.named_like


@pytest.fixture
def acquainted(store: Store, inbox: Inbox) -> Inbox:
    """An inbox that has written to people."""
    people = [
        Address("Ann Marie Far", "ann@paypal.test"),
        Address("Support", "help@mail.example.org"),
        Address("", "x@ab.test"),
    ]
    store.write_now(lambda tx: note_recipients(tx, inbox, people, now_us(), again=False))
    return inbox


IMITATIONS = [
    ("eve@paypa1.test", "paypal.test", None),
    ("eve@pаypal.test", "paypal.test", None),
    ("eve@xn--pypal-4ve.test", "paypal.test", None),  # the same on the wire
    ("eve@secure.paypai.test", "paypal.test", None),
    ("eve@payypal.test", "paypal.test", None),
    ("eve@aypal.test", "paypal.test", None),
    ("eve@paypla.test", "paypal.test", None),
    ("eve@paypal.tes", "paypal.test", None),
    ("eve@paypal.test", None, None),
    ("eve@mail.paypal.test", None, None),
    ("eve@far.test", None, None),
    ("eve@ac.test", None, None),  # too short to mean anything
    ("eve@mai1.example.org", None, None),  # below the same name
    ("Ann Marie Far <eve@far.test>", None, "ann@paypal.test"),
    ('"Far, Ann-Marie" <eve@far.test>', None, "ann@paypal.test"),
    ("Ann Marie Far <ann@paypal.test>", None, None),
    ("Support <eve@far.test>", None, None),  # everybody's
    ("Bo Marie Far <eve@far.test>", None, None),
]


def test_who_looks_like_a_contact(store: Store, acquainted: Inbox) -> None:
    for sender, lookalike_of, named_like in IMITATIONS:
        assert _imitated(store, acquainted, sender) == (lookalike_of, named_like), sender


def test_whose_contact_it_is_stays_with_the_inbox_that_has_it(store: Store, acquainted: Inbox) -> None:
    mate = replace(make_inbox(store, "mate@x.test"), organization_id=acquainted.organization_id)
    assert _imitated(store, mate, "Ann Marie Far <eve@paypa1.test>") == ("", "")
    stranger = make_inbox(store, "other@x.test")
    assert _imitated(store, stranger, "Ann Marie Far <eve@paypa1.test>") == (None, None)


def test_who_imitates_a_contact_does_not_become_one(store: Store, acquainted: Inbox) -> None:
    at, raw = now_us(), _from("eve@paypa1.test", AuthVerdict(dmarc="pass", author="paypa1.test"))
    store.write_now(lambda tx: note_sender(tx, acquainted, raw, _indexed(at, imitates=True)))
    assert _imitated(store, acquainted, "eve@paypa1.test") == ("paypal.test", None)
    bo = Address("", "bo@paypa1.test")
    store.write_now(
        lambda tx: note_recipients(tx, acquainted, [bo], at, again=False)
    )  # who is written to does
    assert _imitated(store, acquainted, "eve@paypa1.test") == (None, None)


@given(st.text("abc", min_size=6, max_size=9), st.data())
def test_every_edit_is_found_by_its_keys(known: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(known) - 2))
    edits = {
        "more": f"{known[:at]}x{known[at:]}",
        "less": known[:at] + known[at + 1 :],
        "other": f"{known[:at]}x{known[at + 1 :]}",
        "swapped": known[:at] + known[at + 1] + known[at] + known[at + 2 :],
    }
    domain = f"{known}.test"
    stored = {key.value for key in keys_of(f"a@{domain}", "")}
    for edit in edits.values():
        assert edit == known or one_edit(f"{edit}.test", domain)
        assert not stored.isdisjoint(near_keys(f"{edit}.test"))


def test_what_is_no_address_is_no_contact() -> None:
    for odd in ("", "a", "@", "a@", "@b.test", "a@b c", "a@-", f"{'a' * 400}@b.test"):
        assert fold_address(odd) is None
        assert keys_of(odd, "Ann Far") == []


def _explained(store: Store, ask: Callable[[Tx], object]) -> list[str]:
    plan: list[str] = []

    class Explained(Sql):
        def row(self, query: object, *args: object) -> None:
            how = "EXPLAIN" if self.postgres else "EXPLAIN QUERY PLAN"
            plan.extend(str(next(reversed(row.values()))) for row in super().rows(f"{how} {query}", *args))

        def rows(self, query: object, *args: object) -> list[Row]:
            self.row(query, *args)
            return []

    store.read_now(lambda tx: ask(Tx(Explained(store.db, None))))
    return plan


def test_a_look_up_reads_an_index(store: Store, inbox: Inbox) -> None:
    rows = [Key(address_key(f"a{n}@far.test"), f"a{n}@far.test") for n in range(2000)]
    store.write_now(lambda tx: put_contacts(tx, inbox, rows, 1))
    store.write_now(lambda tx: sql(tx).run("ANALYZE contact"))
    keys = address_key("a1@far.test"), domain_key("far.test")
    plan = _explained(store, lambda tx: known_before(tx, inbox.organization_id, keys, 9))
    assert sum("contact_organization_id_value_since" in line for line in plan) == 2, plan
    near = near_keys("mail.far.test")
    more = _explained(store, lambda tx: contacts_by_keys(tx, inbox.organization_id, inbox.id, near, 9))
    assert sum("contact_organization_id_value_since" in line for line in more) == len(near), more
    assert not any("SCAN contact" in line or "Seq Scan" in line for line in [*plan, *more])


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A database as the version before contacts left it."""
    url = f"sqlite:{tmp_path / 'one.db'}"
    if request.param == "postgresql":
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        url = cluster.new_database()
    with monkeypatch.context() as patched, closing(Store(url)) as store:
        patched.setattr(migrating, "_DIRECTORY", migrations_before(LEVEL, tmp_path))
        migrate(store)
        store.start()
        store.write_now(_fill)
    with closing(Store(url)) as store:
        assert LEVEL in migrate(store)
        store.start()
        yield store


def _fill(tx: Tx) -> None:
    passed, failed = '{"spf":"none","dkim":"pass","dmarc":"pass"}', '{"dmarc":"fail"}'
    mail = [
        ("inbound", "ann@far.test", "[]", passed, 0, 0, 5),
        ("inbound", "ann@far.test", "[]", passed, 0, 0, 9),
        ("inbound", "eve@far.test", "[]", failed, 1, 0, 5),
        ("inbound", "spam@far.test", "[]", passed, 1, 0, 5),
        ("outbound", "agent@x.test", '[["Bo","Bo@else.test"]]', None, 0, 0, 7),
        ("outbound", "agent@x.test", '[["","sandbox@else.test"]]', None, 0, 1, 7),
    ]
    for number, (direction, sender, to, auth, hidden, test, at) in enumerate(mail):
        row = {
            "id": f"m{number}",
            "number": number,
            "organization_id": "o",
            "inbox_id": "i",
            "thread_id": "t",
        }
        row |= {
            "direction": direction,
            "subject": "x",
            "preview": "",
            "size": 1,
            "timestamp": at,
            "test": test,
        }
        row |= {"status": "received", "created_at": 1, "updated_at": 1, "hidden": hidden, "auth_json": auth}
        sql(tx).insert("message", {**row, "from_json": f'["","{sender}"]', "to_json": to})


def test_an_upgrade_finds_the_contacts_in_the_mail_that_is_there(old: Store) -> None:
    rows = old.read_now(lambda tx: sql(tx).rows("SELECT * FROM contact WHERE value LIKE 'a:%'"))
    assert sorted((row["about"], row["since"]) for row in rows) == [
        ("agent@x.test", 7),
        ("ann@far.test", 5),
        ("bo@else.test", 7),
    ]
    found = {row["inbox_id"] + row["organization_id"] for row in rows}
    assert found == {"io"}


@pytest.mark.parametrize(("sender", "rescued"), [("ann@far.test", True), ("eve@evil.test", False)])
def test_a_trusted_sealer_speaks_for_the_shown_author_alone(
    store: Store, inbox: Inbox, sender: str, *, rescued: bool
) -> None:
    parsed = _from(sender, AuthVerdict(dmarc="fail", author="far.test", rescued_by="list.test"))
    copy = FoundCopy(1, "inbox", "INBOX", 1, (), now_us())
    arrival = store.read_now(lambda tx: Arrivals(tx, inbox).read(copy, parsed, _indexed(now_us())))
    assert (arrival.dmarc, arrival.rescued) == ("fail", rescued)
