"""What a parsed message is, in the words of RFC 5322 and RFC 2045. Plain values: no I/O, no laziness."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

_SPECIALS = re.compile(r'[()<>\[\]:;@\\,."]')


class Address(msgspec.Struct, frozen=True, array_like=True):
    """One mailbox: display name (decoded, may be empty) and addr-spec (RFC 5322 §3.4)."""

    name: str
    email: str

    def __str__(self) -> str:
        """``Name <a@b>`` as people read it (not encoded for the wire); the bare address without a name."""
        if not self.name:
            return self.email
        if _SPECIALS.search(self.name):
            quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{quoted}" <{self.email}>'
        return f"{self.name} <{self.email}>"


class Attachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One leaf part that is not a body. ``part`` is the IMAP section (RFC 9051 §6.4.5.1), e.g. ``2.1``.

    ``parameters``: of ``content_type``, such as the ``method`` of an invitation, as ``media_type`` keeps them.
    """

    id: str  # att_ + derived from the message digest and the part path
    part: str
    filename: str | None
    content_type: str
    content_disposition: Literal["inline", "attachment"]
    content_id: str | None
    size: int  # decoded octets
    encoding: str  # content-transfer-encoding, lower case; "" where IMAP numbers the parts otherwise: no section has it
    parameters: dict[str, str] = {}


class ReportedRecipient(msgspec.Struct, frozen=True, kw_only=True):
    """One per-recipient block of a DSN (RFC 3464 §2.3)."""

    address: str
    original: str | None
    action: Literal["failed", "delayed", "delivered", "relayed", "expanded"]
    status: str  # RFC 3463
    diagnostic: str | None
    remote_mta: str | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report inside a message: a DSN (RFC 3464/6533), a feedback report (RFC 5965), or a bounce in words."""

    kind: Literal["dsn", "feedback"]
    envelope_id: str | None  # Original-Envelope-Id, xtext decoded
    original_message_id: str | None  # Message-ID of the returned message, with < >
    recipients: list[ReportedRecipient]
    feedback_type: str | None = None
    complainants: list[str] = []  # Original-Rcpt-To of a feedback report
    original_senders: list[str] = []  # return paths of the message a feedback report is about
    words: bool = False  # read from a bounce's prose: means something only at a return path of ours


Alignment = Literal["strict", "relaxed", "no"]
"""How a checked domain stands to the author's (RFC 9989): the same, of the same organization, or another's."""


class Signature(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A DKIM signature (RFC 6376) that our mail server checked."""

    result: str
    domain: str | None = None
    selector: str | None = None
    aligned: Alignment | None = None


class AuthVerdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What our own mail server found (RFC 8601); ``none`` when it said nothing.

    What is None was not noted, as by older versions. ``author``: the domain that DMARC was checked for. ``policy``:
    what that domain asks for, published at ``policy_domain``. ``arc_chain``: the domains that sealed the mail, the
    first one first (RFC 8617); ``rescued_by``: the one that the operator trusts to have checked it before it changed.
    """

    spf: str = "none"
    dkim: str = "none"
    dmarc: str = "none"
    spf_domain: str | None = None
    spf_aligned: Alignment | None = None
    signatures: list[Signature] = []
    author: str | None = None
    policy: str | None = None
    policy_domain: str | None = None
    arc: str | None = None
    arc_chain: list[str] = []
    rescued_by: str | None = None
    forged_fields: int = 0  # fields in our mail server's name that the sender wrote, and that were removed


class Attendee(msgspec.Struct, frozen=True, kw_only=True):
    """Who is invited to an event, and what they said (RFC 5545 §3.2). ``role`` and ``status`` in lower case."""

    name: str
    email: str
    role: str
    status: str  # needs-action, accepted, declined, tentative, delegated
    rsvp: bool


class CalendarEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event of a calendar part (RFC 5545 §3.6.1).

    Times are ``2026-02-03T10:00:00Z``, without the Z where their zone is not known, or ``2026-02-03`` for whole days,
    whose ``end`` is the day after the last.
    """

    part: str  # section of the calendar
    method: str | None  # request, reply, cancel … (RFC 5546 §1.4), in lower case
    uid: str | None
    sequence: int = 0
    occurrence: str | None = None  # RECURRENCE-ID: of a series, the one occurrence that this is about
    start: str | None
    end: str | None
    timezone: str | None = None  # the name that the calendar gives it
    recurrence: str | None = None  # RRULE
    summary: str = ""
    location: str = ""
    description: str = ""
    status: str | None = None  # confirmed, tentative, cancelled
    organizer: Address | None = None
    attendees: list[Attendee] = []


Category = Literal["personal", "automated", "list", "marketing", "bounce"]
"""What kind of mail a message is (``mime.category``)."""


class HiddenText(msgspec.Struct, frozen=True, kw_only=True):
    """Text that people do not see: it is in the raw message and in ``html``, and in no text.

    ``characters``: how many were left out. ``forms``: by what they were hidden (``gateway.mime.html_style``).
    """

    characters: int
    forms: list[str]


class FirstContact(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the organization had never exchanged mail with the address of From, and with its domain, before."""

    address: bool
    domain: bool


RiskLevel = Literal["none", "low", "medium", "high"]


class RiskReason(msgspec.Struct, frozen=True, kw_only=True):
    """A family of phrases that was found (``gateway.mime.risk``): its name, in which text, and a piece of that.

    ``where``: ``subject``, ``text``, ``text_part``, ``calendar``, or by what it is hidden, such as ``display_none``.
    """

    name: str
    where: str
    excerpt: str


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a message reads like an instruction to a machine, and why. A filter's opinion, no proof."""

    level: RiskLevel = "none"
    reasons: list[RiskReason] = []


class Traits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message is, beside who wrote what to whom. It is stored as one JSON value: a new field needs no column."""

    list_id: str | None = None  # List-Id (RFC 2919) without < >
    bulk: bool = (
        False  # sent to many: it says so (Precedence), or has a field of mailing lists (RFC 2369, RFC 2919)
    )
    unlisted_attachments: int = 0  # attachments beyond the limit: they are only in the raw message
    calendar: list[CalendarEvent] = []
    category: Category = "personal"
    spam_score: float | None = None  # the worst that a filter wrote
    spam: bool = False  # a filter says so
    malware: bool = False
    hidden: HiddenText | None = None  # None: nothing was left out
    first_contact: FirstContact | None = None  # this and the next two of received mail (``store.contacts``)
    # empty: of a contact of another inbox
    lookalike_of: str | None = None  # the domain of a contact that the domain of From may be taken for
    named_like: str | None = None  # the address of a contact with the same display name
    risk: Risk = Risk()


class ParsedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """All that could be read of a message. Every string is free of NUL and lone surrogates.

    Times are microseconds since the epoch (UTC). From ``fingerprint`` the ids of received messages are derived, from
    ``identity`` those of what people sent and of attachments (DESIGN §1.2): see ``gateway.mime.identity``.
    """

    message_id: str | None  # with < >
    in_reply_to: list[str]
    references: list[str]
    sender: Address | None  # the (first) From
    reply_to: list[Address]
    to: list[Address]
    cc: list[Address]
    bcc: list[Address]
    subject: str
    date: int | None
    received: int | None  # topmost Received
    delivered_to: str | None  # topmost Delivered-To
    return_path: str | None
    headers: dict[str, str]  # decoded; repeated fields joined by newline; capped
    text: str | None
    html: str | None
    extracted_text: str | None
    extracted_html: str | None
    preview: str
    one_time_code: str | None = None  # as a form takes it (gateway.mime.one_time.one_time)
    one_time_link: str | None = None
    attachments: list[Attachment]
    size: int
    identity: str
    fingerprint: str
    auto_submitted: bool  # a program sent it (RFC 3834), or it is marked as sent to many
    traits: Traits = Traits()
    has_received: bool
    report: Report | None = None
    auth: AuthVerdict = AuthVerdict()
    hidden_text: bool = False
    truncated: bool = False  # text or html was cut to the limit for the index
    defects: list[str] = []  # what could not be read, in words; empty = fully parsed
    unread: bool = False  # no process lived to read it, or had time to: only the header block was read


class OutgoingAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is sent. ``content_type``: with its parameters; ``filename``: empty where it has no name."""

    filename: str
    content_type: str
    content: bytes
    content_id: str | None = None
    inline: bool = False
    alternative: bool = False  # the text in another form, for programs: an invitation or the answer to one


class OutgoingMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What is composed into MIME. ``bcc`` never reaches the bytes."""

    message_id: str  # with < >
    sender: Address
    to: list[Address]
    cc: list[Address]
    reply_to: list[Address]
    subject: str
    text: str | None
    html: str | None
    attachments: list[OutgoingAttachment]
    headers: dict[str, str]  # the caller's own, already validated
    in_reply_to: str | None
    references: list[str]
    date: int  # µs
