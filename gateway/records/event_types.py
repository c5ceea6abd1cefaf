"""The registry of event types: what an event of a type says, who may get it, and which dialects send it.

An event type is a struct of facts, a row of ``EVENT_TYPES``, and a renderer in each dialect that sends it (the table
``RENDERERS`` of its ``events_view``); ``tests/architecture/test_event_registry.py`` compares them. ``facts_of`` reads
the facts of a stored event, also of one that an older version wrote: what it did not have yet has a default here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import msgspec

from gateway.mime.types import Address, AuthVerdict, Traits
from gateway.records.events import Event
from gateway.records.ids import InboxId, MessageId, OrganizationId, PodId, ReviewId, ThreadId, WebhookId
from gateway.records.mail import Direction, ReadAttachment

Dialect = Literal["agentmail", "openmail", "mailboxkit"]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What an event says, dialect-free: ids are bare ULIDs, times are µs, flags are 0 or 1, people [name, address]."""


# --- mail that came ---


class MessageFacts(Facts, frozen=True, kw_only=True):
    """A message at the moment of the event."""

    id: MessageId
    seq: int = 0
    number: int = 0
    organization_id: OrganizationId = OrganizationId("")
    inbox_id: InboxId
    thread_id: ThreadId
    direction: Direction = "inbound"
    rfc_message_id: str | None = None
    from_: Address | None = msgspec.field(name="from", default=None)
    from_email: str | None = None
    reply_to: list[Address] = []
    to: list[Address] = []
    cc: list[Address] = []
    bcc: list[Address] = []
    subject: str = ""
    preview: str = ""
    in_reply_to: str | None = None
    references: list[str] = []
    attachments: list[ReadAttachment] = []
    size: int = 0
    timestamp: int
    status: str = "received"
    seen: int = 0
    hidden: int = 0
    auto_submitted: int = 0
    hidden_text: int = 0
    traits: Traits = Traits()
    test: int = 0
    created_at: int = 0
    updated_at: int = 0
    rfc_ref: str | None = None
    headers: dict[str, str] = {}
    auth: AuthVerdict | None = None
    defects: list[str] = []
    attachment_bytes: int = 0
    truncated: int = 0
    text: str | None = None  # None, as html, also when they are too long
    html: str | None = None
    extracted_text: str | None = None
    extracted_html: str | None = None
    one_time_code: str | None = None
    one_time_link: str | None = None
    labels: list[str] = []


class ThreadFacts(Facts, frozen=True, kw_only=True):
    """A thread at the moment of the event."""

    id: ThreadId
    number: int = 0
    organization_id: OrganizationId = OrganizationId("")
    inbox_id: InboxId
    root: str = ""
    subject: str = ""
    preview: str = ""
    last_message_id: MessageId
    message_count: int
    size: int = 0
    timestamp: int
    last_seq: int = 0
    received_at: int | None = None
    sent_at: int | None = None
    senders: list[str] = []
    recipients: list[str] = []
    unread: int = 0
    hidden: int = 0
    hidden_count: int = 0
    created_at: int
    updated_at: int
    labels: list[str] = []


class ReceivingInbox(Facts, frozen=True, kw_only=True):
    """The inbox that a message came to."""

    id: InboxId
    pod_id: PodId | None = None
    address: str
    external_id: str | None = None


class ReceivedFacts(Facts, frozen=True, kw_only=True):
    """``message.received`` and its kinds."""

    message: MessageFacts
    thread: ThreadFacts | None = None
    inbox: ReceivingInbox | None = None


class ThreadMergedFacts(Facts, frozen=True, kw_only=True):
    """``thread.merged``: a message joined two threads; the id of the one leads to the other from now on."""

    inbox_id: InboxId
    inbox_address: str
    message_id: MessageId  # of the message that names both
    thread_id: ThreadId  # of the thread that goes on
    merged_thread_id: ThreadId
    timestamp: int


class GuardTrippedFacts(Facts, frozen=True, kw_only=True):
    """``guard.tripped``: a message is held back, after ``rounds`` automatic rounds with its ``recipients``."""

    inbox_id: InboxId
    inbox_address: str
    message_id: MessageId
    thread_id: ThreadId
    recipients: list[str]
    rounds: int
    held_until: int
    timestamp: int


# --- mail that was sent ---


class MessageRef(Facts, frozen=True, kw_only=True):
    """A message that was sent, without its texts."""

    message_id: MessageId
    inbox_id: InboxId
    inbox_address: str | None = None
    thread_id: ThreadId
    rfc_message_id: str | None = None
    direction: Direction = "outbound"
    from_: Address | None = msgspec.field(name="from", default=None)
    to: list[Address] = []
    cc: list[Address] = []
    bcc: list[Address] = []
    subject: str = ""
    attachments: list[ReadAttachment] = []
    status: str = "sent"
    test: int = 0
    timestamp: int = 0


class OutboundFacts(Facts, frozen=True, kw_only=True):
    """What every event about a sent message says; alone ``message.opened``. ``timestamp``: when it happened."""

    message_ref: MessageRef
    timestamp: int


class TextFacts(Facts, frozen=True, kw_only=True):
    """The texts of a sent message; the first two None when they are too long."""

    text: str | None = None
    html: str | None = None
    extracted_text: str | None = None


class SentFacts(OutboundFacts, frozen=True, kw_only=True):
    """``message.sent``: a mail server took it for all of its ``recipients``."""

    recipients: list[str]
    texts: TextFacts = TextFacts()


class DeliveredFacts(OutboundFacts, frozen=True, kw_only=True):
    """``message.delivered``: the servers of ``recipients`` have it."""

    recipients: list[str]


class FailedRecipient(Facts, frozen=True, kw_only=True):
    """A recipient that it did not reach, or not yet, and its status code (RFC 3463)."""

    address: str
    status: str


class DelayedFacts(OutboundFacts, frozen=True, kw_only=True):
    """``message.delayed``: ``recipients`` were tried and are tried again (RFC 3464 §2.3.3); once for each."""

    sub_type: str
    recipients: list[FailedRecipient]


class BouncedFacts(OutboundFacts, frozen=True, kw_only=True):
    """``message.bounced``: it will not reach ``recipients``."""

    type: str  # Permanent Transient
    sub_type: str
    recipients: list[FailedRecipient]


class ComplainedFacts(OutboundFacts, frozen=True, kw_only=True):
    """``message.complained``: ``recipients`` called it unwanted. ``type``: of the report (RFC 5965)."""

    type: str
    sub_type: str
    recipients: list[str]


class RejectedFacts(OutboundFacts, frozen=True, kw_only=True):
    """``message.rejected``: it never left."""

    reason: str


class ReviewFacts(OutboundFacts, frozen=True, kw_only=True):
    """``message.held``: it leaves when a person approves it. ``message.approved``, ``review.rejected`` and
    ``review.expired``: what became of that."""

    review_id: ReviewId
    reasons: list[str] = []  # why it is held
    decided_by: str | None = None
    reason: str | None = None  # of who rejected it
    expires_at: int = 0  # µs
    edited: int = 0  # it was changed while it was held


class RiskyFacts(OutboundFacts, frozen=True, kw_only=True):
    """``message.risky``: it was accepted, and the policy takes note of what is risky about it."""

    reasons: list[str]


# --- the rest ---


class DnsRecordFacts(Facts, frozen=True, kw_only=True):
    """A DNS record of a domain."""

    type: str
    name: str
    value: str
    priority: int | None = None
    status: str | None = None


class DomainSnapshot(Facts, frozen=True, kw_only=True):
    """A domain at the moment of the event, without its private key."""

    name: str
    number: int = 0
    organization_id: OrganizationId | None = None
    pod_id: PodId | None = None
    client_id: str | None = None
    status: str
    feedback_enabled: int
    subdomains_enabled: int
    verified_at: int | None = None
    ready_at: int | None = None
    created_at: int
    updated_at: int
    records: list[DnsRecordFacts] = []


class DomainFacts(Facts, frozen=True, kw_only=True):
    """``domain.verified``."""

    domain: DomainSnapshot


class InboxSnapshot(Facts, frozen=True, kw_only=True):
    """An inbox at the moment of the event."""

    id: InboxId
    number: int
    organization_id: OrganizationId
    pod_id: PodId
    address: str
    username: str
    display_name: str | None
    created_at: int


class InboxFacts(Facts, frozen=True, kw_only=True):
    """``inbox.created`` and ``inbox.deleted``."""

    inbox: InboxSnapshot


class InboxName(Facts, frozen=True, kw_only=True):
    """Which inbox it is."""

    id: InboxId
    address: str


class SuspensionFacts(Facts, frozen=True, kw_only=True):
    """An inbox, or with ``inbox`` None a whole pod, may not send any more, or again. ``reason`` None: again."""

    inbox: InboxName | None
    pod_id: PodId
    reason: str | None


class WebhookName(Facts, frozen=True, kw_only=True):
    """Which webhook it is."""

    id: WebhookId
    number: int


class WebhookTestFacts(Facts, frozen=True, kw_only=True):
    """``webhook.test``: nothing happened."""

    webhook: WebhookName


# --- the registry ---


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event.

    ``permissions``: what a key needs to get it. ``dialects``: those that have it. ``opt_in``: who does not name it
    is not sent it. ``named``: whether a webhook or a list can name it.
    """

    name: str
    facts: type[Facts]
    permissions: tuple[str, ...]
    dialects: frozenset[Dialect]
    opt_in: bool = False
    named: bool = True


_MAIL = ("message_read",)
_SUSPENSIONS = ("inbox.suspended", "inbox.reactivated", "pod.suspended", "pod.reactivated")
_ALL: frozenset[Dialect] = frozenset({"agentmail", "openmail", "mailboxkit"})
_AGENTMAIL: frozenset[Dialect] = frozenset({"agentmail"})
_OPENMAIL: frozenset[Dialect] = frozenset({"openmail"})
_MAILBOXKIT: frozenset[Dialect] = frozenset({"mailboxkit"})
_BOTH = _AGENTMAIL | _MAILBOXKIT

EVENT_TYPES: Mapping[str, EventType] = {
    one.name: one
    for one in (
        EventType("message.received", ReceivedFacts, _MAIL, _ALL),
        *(
            EventType(
                f"message.received.{label}",
                ReceivedFacts,
                (*_MAIL, f"label_{label}_read"),
                _AGENTMAIL,
                opt_in=True,
            )
            for label in ("blocked", "spam", "unauthenticated")
        ),
        EventType("message.sent", SentFacts, _MAIL, _BOTH),
        EventType("message.delivered", DeliveredFacts, _MAIL, _BOTH),
        EventType("message.delayed", DelayedFacts, _MAIL, _BOTH, opt_in=True),
        EventType("message.bounced", BouncedFacts, _MAIL, _BOTH),
        EventType("message.opened", OutboundFacts, _MAIL, _BOTH),
        EventType("message.complained", ComplainedFacts, _MAIL, _BOTH),
        EventType("message.rejected", RejectedFacts, _MAIL, _BOTH),
        *(
            EventType(name, ReviewFacts, _MAIL, _ALL, opt_in=True)
            for name in ("message.held", "message.approved", "review.rejected", "review.expired")
        ),
        EventType("message.risky", RiskyFacts, _MAIL, _ALL, opt_in=True),
        EventType("thread.merged", ThreadMergedFacts, _MAIL, _ALL, opt_in=True),
        EventType("guard.tripped", GuardTrippedFacts, _MAIL, _ALL, opt_in=True),
        EventType("domain.verified", DomainFacts, ("domain_read",), _AGENTMAIL),
        EventType("inbox.created", InboxFacts, ("inbox_read",), _MAILBOXKIT),
        EventType("inbox.deleted", InboxFacts, ("inbox_read",), _MAILBOXKIT),
        *(
            EventType(name, SuspensionFacts, (f"{name.partition('.')[0]}_read",), _OPENMAIL)
            for name in _SUSPENSIONS
        ),
        EventType("webhook.test", WebhookTestFacts, ("webhook_read",), _MAILBOXKIT, named=False),
    )
}
"""Every type there is, by name, in the order in which they are shown."""

OPT_IN = frozenset(name for name, one in EVENT_TYPES.items() if one.opt_in)
"""Types that are sent only to who names them."""

RECEIVED_TYPES = tuple(name for name, one in EVENT_TYPES.items() if one.facts is ReceivedFacts)
"""``message.received`` and its kinds."""


def types_of(dialect: Dialect) -> tuple[str, ...]:
    """The types that a webhook of a dialect can name."""
    return tuple(name for name, one in EVENT_TYPES.items() if dialect in one.dialects and one.named)


def facts_of(event: Event) -> Any:
    """The facts of an event, of the class that its type has. Raises KeyError for an unknown type, and what msgspec
    raises for a payload that is not of its type."""
    return _decoder(EVENT_TYPES[event.type].facts).decode(event.payload_json)


@cache
def _decoder(kind: type[Facts]) -> msgspec.json.Decoder[Facts]:
    return msgspec.json.Decoder(kind)
