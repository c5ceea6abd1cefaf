"""Allow and block lists: the narrowest scope decides, a block beats an allow."""

from gateway.records.inboxes import Inbox
from gateway.records.lists import Action, Mode
from gateway.store.allow_block_lists import verdict
from gateway.store.engine import Store
from gateway.store.queries.list_entries import ListOwner, put_entry, set_mode


def _owner(inbox: Inbox, scope: str) -> ListOwner:
    return ListOwner(
        inbox.organization_id,
        inbox.pod_id if scope != "organization" else None,
        inbox.id if scope == "inbox" else None,
        "receive",
    )


def _entry(store: Store, inbox: Inbox, action: Action, entry: str, *, scope: str = "inbox") -> None:
    owner = _owner(inbox, scope)
    store.write_now(
        lambda tx: put_entry(tx, owner, action, entry, "email" if "@" in entry else "domain", None)
    )


def _verdict(store: Store, inbox: Inbox, email: str) -> str:
    return store.read_now(lambda tx: verdict(tx, inbox, ("receive",), email))


def test_without_entries_nothing_is_said(store: Store, inbox: Inbox) -> None:
    assert _verdict(store, inbox, "a@y.test") == "none"


def test_a_block_beats_an_allow_in_one_scope(store: Store, inbox: Inbox) -> None:
    _entry(store, inbox, "allow", "y.test")
    _entry(store, inbox, "block", "bad@y.test")
    assert _verdict(store, inbox, "A@Y.test") == "allow"
    assert _verdict(store, inbox, "bad@y.test") == "block"
    assert _verdict(store, inbox, "a@z.test") == "block"  # an allow list names all there are


def test_the_inbox_overrules_the_organization(store: Store, inbox: Inbox) -> None:
    _entry(store, inbox, "block", "y.test", scope="organization")
    _entry(store, inbox, "allow", "a@y.test")
    assert _verdict(store, inbox, "a@y.test") == "allow"


def test_subdomains_are_not_the_domain(store: Store, inbox: Inbox) -> None:
    _entry(store, inbox, "block", "y.test")
    assert _verdict(store, inbox, "a@sub.y.test") == "none"


def test_a_star_names_a_domain_and_all_below_it(store: Store, inbox: Inbox) -> None:
    _entry(store, inbox, "block", "*.y.test")
    for email in ("a@y.test", "a@sub.y.test", "a@very.deep.sub.y.test"):
        assert _verdict(store, inbox, email) == "block"
    for email in ("a@ay.test", "a@y.test.z.test", "*.y.test@z.test", "a@test", ""):
        assert _verdict(store, inbox, email) == "none"
    assert _verdict(store, inbox, "a@" + "sub." * 100_000 + "y.test") == "block"


def _mode(store: Store, inbox: Inbox, mode: Mode, *, scope: str = "inbox") -> None:
    owner = _owner(inbox, scope)
    store.write_now(lambda tx: set_mode(tx, owner, mode))


def test_with_mode_none_an_allow_rule_only_names_a_friend(store: Store, inbox: Inbox) -> None:
    _mode(store, inbox, "none")
    _entry(store, inbox, "allow", "y.test")
    assert _verdict(store, inbox, "a@y.test") == "allow"
    assert _verdict(store, inbox, "a@z.test") == "none"


def test_an_allowlist_without_entries_lets_nobody_in(store: Store, inbox: Inbox) -> None:
    _mode(store, inbox, "allowlist", scope="organization")
    assert _verdict(store, inbox, "a@y.test") == "block"


def test_with_modes_a_block_wins_in_every_scope(store: Store, inbox: Inbox) -> None:
    _mode(store, inbox, "none")
    _mode(store, inbox, "allowlist", scope="organization")
    _entry(store, inbox, "block", "bad@y.test", scope="organization")
    _entry(store, inbox, "allow", "y.test")
    assert _verdict(store, inbox, "a@y.test") == "allow"
    assert _verdict(store, inbox, "bad@y.test") == "block"
    assert _verdict(store, inbox, "a@z.test") == "block"


def test_a_domain_is_compared_in_its_ascii_form(store: Store, inbox: Inbox) -> None:
    _entry(store, inbox, "block", "xn--bcher-kva.test")
    assert _verdict(store, inbox, "a@B\u00fccher.test") == "block"
