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
from gateway.records.ids import InboxId, OrganizationId, now_us
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
    shape_key,
    with_parents,
)
from gateway.store.queries.contacts import contacts_by_keys, known_before, put_contacts
from gateway.store.transaction import Tx

_LIVE_US = 86_400 * 1_000_000
_MOST = 500  # people of one message


def with_contacts(
    tx: Tx, organization_id: OrganizationId, inbox_id: InboxId, parsed: ParsedMessage, at: int
) -> Traits:
    """The traits of a message that an inbox received, listed at ``at`` (µs), with what contacts say about it.

    Of a contact that only other inboxes have, it is said that there is one, and not who: the reader may reach this
    inbox alone.
    """
    sender = parsed.sender
    folded = fold_address(sender.email) if sender else None
    if sender is None or folded is None:
        return parsed.traits
    keys = address_key(folded.address), domain_key(folded.domain)
    address, domain = known_before(tx, organization_id, keys, at)
    name = None if address else name_key(sender.name)
    asked = [*([name] if name else []), *([] if domain else near_keys(folded.domain))]
    found = contacts_by_keys(tx, organization_id, inbox_id, asked, at) if asked else []
    namesakes = [(key.about, own) for key, own in found if key.value == name]
    near = [(key, own) for key, own in found if key.value != name]
    return replace(
        parsed.traits,
        first_contact=FirstContact(address=not address, domain=not domain),
        named_like=_shown(namesakes),
        lookalike_of=_shown(_lookalikes(folded.domain, near)),
    )


def _lookalikes(domain: str, found: Sequence[tuple[Key, bool]]) -> list[tuple[str, bool]]:
    """The contacts' domains that a domain may be taken for; none for what is below a contact's domain."""
    names = with_parents(domain)
    if not set(names).isdisjoint(key.about for key, _ in found):
        return []
    looks = {shape_key(name): name for name in names}
    return [
        (key.about, own)
        for key, own in found
        if any(
            is_lookalike(name, key.about, same_look=looks.get(key.value) == name) for name in looks.values()
        )
    ]


def _shown(found: Sequence[tuple[str, bool]]) -> str | None:
    """The first that was found, empty where it is another inbox's; None where nothing was."""
    return next((about if own else "" for about, own in found), None)


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
