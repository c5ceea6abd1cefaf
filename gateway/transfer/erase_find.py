"""Where a person is, in the database: the mail they wrote or got, and every other row that names them.

A message is theirs when their address is in From, Reply-To, To, Cc, Bcc or the envelope. A message that only speaks
of them (in its text, quoted, in a header) is somebody else's: it is counted, and erased on demand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import idna

from gateway.records.ids import DraftId, EventId, InboxId, MessageId, OrganizationId
from gateway.store.queries import erasure
from gateway.store.queries.drafts import unscoped_drafts_like
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Person:
    """One address in every form it may be written in, folded."""

    address: str
    forms: tuple[str, ...]

    @property
    def like(self) -> tuple[str, ...]:
        """Patterns that find any form, and addresses it is a part of: ``named_in`` tells them apart."""
        return tuple(
            "%" + one.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%" for one in self.forms
        )

    @property
    def pattern(self) -> re.Pattern[str]:
        """The address in text, where it is not the end or the beginning of a longer one."""
        forms = "|".join(map(re.escape, self.forms))
        return re.compile(rf"(?<![a-z0-9._+-])(?:{forms})(?![a-z0-9-]|\.[a-z0-9])", re.IGNORECASE)

    def named_in(self, text: object) -> bool:
        """Whether a text names the person."""
        return text is not None and self.pattern.search(str(text)) is not None


@dataclass(slots=True)
class Found:
    """What is theirs: ids of messages by inbox, of mentions, of drafts by inbox, of events."""

    messages: dict[InboxId, list[MessageId]] = field(default_factory=dict)
    mentions: dict[InboxId, list[MessageId]] = field(default_factory=dict)
    drafts: dict[InboxId, list[DraftId]] = field(default_factory=dict)
    events: list[EventId] = field(default_factory=list)


def person_of(address: str) -> Person:
    """The person at an address. Raises ValueError for what is no address."""
    local, at, domain = address.strip().lower().rpartition("@")
    if not at or not local or not domain or any(one in address for one in "<>,; \t\r\n\x00"):
        raise ValueError(f"{address!r} is no mail address")
    forms = dict.fromkeys([f"{local}@{domain}"])
    try:
        forms[f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"] = None
        forms[f"{local}@{idna.decode(domain)}"] = None
    except idna.IDNAError:
        pass
    return Person(next(iter(forms)), tuple(forms))


def find(tx: Tx, person: Person, organizations: Sequence[OrganizationId]) -> Found:
    """Everything of a person in these organizations."""
    found = Found()
    theirs: set[MessageId] = set()
    for message in erasure.unscoped_correspondence_like(tx, organizations, person.like):
        if {one.email.lower() for one in message.people} & set(person.forms):
            theirs.add(message.id)
            found.messages.setdefault(message.inbox_id, []).append(message.id)
    for sent in erasure.unscoped_messages_sent_to(tx, organizations, person.forms):
        if sent.id not in theirs:
            theirs.add(sent.id)
            found.messages.setdefault(sent.inbox_id, []).append(sent.id)
    for mention in erasure.unscoped_mentions_like(tx, organizations, person.like):
        if mention.id in theirs:
            continue
        if person.named_in(mention.text) or person.named_in(mention.attached):
            found.mentions.setdefault(mention.inbox_id, []).append(mention.id)
    for draft in unscoped_drafts_like(tx, organizations, person.like):
        if person.named_in(draft.content_json):
            found.drafts.setdefault(draft.inbox_id, []).append(draft.id)
    named = erasure.unscoped_events_like(tx, organizations, person.like)
    events = {event for event, facts in named.items() if person.named_in(facts)}
    found.events = sorted(events | erasure.events_of_messages(tx, sorted(theirs)))
    return found
