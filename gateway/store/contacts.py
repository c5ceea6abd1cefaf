"""With whom an organization has exchanged mail, and what that says about a message that comes in.

A contact is whom an inbox wrote to, and whose mail came in authenticated and shown (neither spam nor blocked), unless
it imitated another contact: nobody becomes known by pretending twice. Its keys are kept as records with the time since
when it is one, so that a message's answer is the same after a rebuild: it asks for contacts that are older than the
message. The first time counts and is never changed. History that is filed later makes contacts of that moment, and so
changes no answer that was given. Sandbox sends make none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from gateway.mime.lookalike import is_lookalike
from gateway.mime.types import Address, FirstContact, ParsedMessage, Traits
from gateway.records.ids import OrganizationId, now_us
from gateway.records.inboxes import Inbox
from gateway.records.mail import Indexed
from gateway.records.trust import proof_of
from gateway.store.contact_keys import (
    Key,
    address_key,
    domain_key,
    fold_address,
    keys_of,
    name_key,
    near_keys,
    with_parents,
)
from gateway.store.queries.contacts import contacts_by_keys, known_before, put_contacts
from gateway.store.transaction import Tx

_LIVE_US = 86_400 * 1_000_000
_MOST = 500  # people of one message


def with_contacts(tx: Tx, organization_id: OrganizationId, parsed: ParsedMessage, at: int) -> Traits:
    """The traits of a received message that is listed at ``at`` (µs), with what contacts say about it."""
    folded = fold_address(parsed.sender.email) if parsed.sender else None
    if folded is None:
        return parsed.traits
    keys = address_key(folded.address), domain_key(folded.domain)
    address, domain = known_before(tx, organization_id, keys, at)
    name = None if address else name_key(parsed.sender.name if parsed.sender else "")
    asked = [*([name] if name else []), *([] if domain else near_keys(folded.domain))]
    found = contacts_by_keys(tx, organization_id, asked, at) if asked else []
    return replace(
        parsed.traits,
        first_contact=FirstContact(address=not address, domain=not domain),
        named_like=next((one.about for one in found if one.value == name), None),
        lookalike_of=None if domain else _lookalike(folded.domain, found),
    )


def _lookalike(domain: str, found: Sequence[Key]) -> str | None:
    """The contact's domain that a domain may be taken for; none for what is below a contact's domain."""
    names = with_parents(domain)
    domains = [one.about for one in found if not one.value.startswith("n:")]
    if not set(names).isdisjoint(domains):
        return None
    return next((known for known in domains for name in names if is_lookalike(name, known)), None)


def note_recipients(tx: Tx, inbox: Inbox, people: Iterable[Address], at: int, *, again: bool) -> None:
    """An inbox wrote to ``people``: they are contacts, and so is the inbox, to the others of its organization.

    ``at``: when, by the message (µs); ``again``: it is read anew.
    """
    own = Address(inbox.display_name or "", inbox.address)
    _note(tx, inbox, [own, *people], at, again=again)


def note_sender(tx: Tx, inbox: Inbox, parsed: ParsedMessage, indexed: Indexed) -> None:
    """A message is new and shown: who sent it is a contact, if their domain is proven and they imitate no other."""
    sender = parsed.sender
    if indexed.direction != "inbound" or sender is None or indexed.imitates:
        return
    if proof_of(parsed.auth, sender.email).verdict == "authenticated":
        _note(tx, inbox, [sender], indexed.at, again=False)


def _note(tx: Tx, inbox: Inbox, people: Iterable[Address], at: int, *, again: bool) -> None:
    keys: dict[Key, None] = {}
    for number, one in enumerate(people):
        if number >= _MOST:
            break
        keys |= dict.fromkeys(keys_of(one.email, one.name))
    now = now_us()
    put_contacts(tx, inbox, sorted(keys), at if again or now - at < _LIVE_US else now)
