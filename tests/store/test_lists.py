"""Allow and block lists: the narrowest scope decides, a block beats an allow."""

from gateway.store.engine import Row, Store
from gateway.store.ids import new_ulid
from gateway.store.lists import verdict


def _entry(store: Store, inbox: Row, kind: str, entry: str, *, scope: str = "inbox") -> None:
    store.write_now(
        lambda tx: tx.insert(
            "list_entry",
            {
                "id": new_ulid(),
                "organization_id": inbox["organization_id"],
                "pod_id": inbox["pod_id"] if scope != "organization" else None,
                "inbox_id": inbox["id"] if scope == "inbox" else None,
                "direction": "receive",
                "list_type": kind,
                "entry": entry,
                "entry_type": "email" if "@" in entry else "domain",
                "created_at": 1,
            },
        )
    )


def _verdict(store: Store, inbox: Row, email: str) -> str:
    return store.read_now(lambda tx: verdict(tx, inbox, ("receive",), email))


def test_without_entries_nothing_is_said(store: Store, inbox: Row) -> None:
    assert _verdict(store, inbox, "a@y.test") == "none"


def test_a_block_beats_an_allow_in_one_scope(store: Store, inbox: Row) -> None:
    _entry(store, inbox, "allow", "y.test")
    _entry(store, inbox, "block", "bad@y.test")
    assert _verdict(store, inbox, "A@Y.test") == "allow"
    assert _verdict(store, inbox, "bad@y.test") == "block"
    assert _verdict(store, inbox, "a@z.test") == "block"  # an allow list names all there are


def test_the_inbox_overrules_the_organization(store: Store, inbox: Row) -> None:
    _entry(store, inbox, "block", "y.test", scope="organization")
    _entry(store, inbox, "allow", "a@y.test")
    assert _verdict(store, inbox, "a@y.test") == "allow"


def test_subdomains_are_not_the_domain(store: Store, inbox: Row) -> None:
    _entry(store, inbox, "block", "y.test")
    assert _verdict(store, inbox, "a@sub.y.test") == "none"
