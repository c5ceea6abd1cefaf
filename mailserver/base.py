"""The protocol that the gateway needs of a mail server, whichever daemons implement it.

Two implementations: :mod:`mailserver.embedded` (a private Dovecot child, an aiosmtpd receiver in front of
its LMTP) and :mod:`mailserver.postfix_dovecot` (Postfix and Dovecot, provisioned through lookup tables both
read without reload). The contract tests in ``tests/mailserver`` run on each.

Nothing here imports from ``gateway``: the gateway passes in callbacks for what it decides (who may submit, what follows
a hint).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, runtime_checkable

from mailserver.content import Octets

REFUSED = ""
"""As the target of an alias: mail to the address is refused."""

Tls = Literal["none", "starttls", "implicit"]


class MailServerError(Exception):
    """The mail server refused or failed; the text says what to do next."""


class MailServerDown(MailServerError):
    """The mail server cannot be reached now; the same call may succeed later."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A TCP service of the mail server."""

    host: str
    port: int
    tls: Tls = "none"


@dataclass(frozen=True, slots=True)
class ImapLogin:
    """The gateway's own login to a mailbox (a master login, never a person's password)."""

    endpoint: Endpoint
    user: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hint:
    """A notification: a mailbox changed. It may be lost, doubled or early; the periodic scan is the truth."""

    address: str
    folder: str | None = None  # None: scan every folder
    kind: Literal["new", "flags", "expunge", "folders", "unknown"] = "unknown"


OnHint = Callable[[Hint], None]
"""Called on the event loop; must only enqueue."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message on its way out, RFC 5321 terms.

    ``token`` names the message for DSN matching (ENVID, RFC 3461) and in the return path (``mail_from``).
    ``message_id`` is the RFC 5322 Message-ID (with < >), by which a doubtful submission is looked up.
    ``tokens`` names recipients that should have a return path of their own: where one transaction takes several
    of them, a mail server that can put a recipient's token into the return path does so (VERP).
    ``sent_fields`` are header fields, with their CRLF, that only the copy for Sent has, above the others: Bcc. They are
    not in ``data``, and nobody else may see them.
    """

    mail_from: str
    recipients: tuple[str, ...]
    data: Octets = field(repr=False)
    token: str = ""
    message_id: str = ""
    sender: str = ""  # the inbox address on whose behalf it is sent
    dsn: bool = True
    tokens: Mapping[str, str] = field(default_factory=dict)  # by recipient, see above
    sent_fields: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class RecipientReply:
    """The next hop's reply for one recipient (RFC 5321 reply code, RFC 3463 enhanced status).

    ``unknown``: the next hop got the whole message and then did not answer, or closed the connection, so it may have
    accepted the message (RFC 5321 §4.5.3.2.6).
    """

    code: int
    status: str
    text: str
    remote: str = ""  # the host that replied
    unknown: bool = False

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 300

    @property
    def permanent(self) -> bool:
        return self.code >= 500


HopKind = Literal["lmtp", "mx", "smarthost", "submission", "simulator"]


@dataclass(frozen=True, slots=True)
class Hop:
    """A group of recipients of one SMTP or LMTP transaction.

    kind: ``lmtp`` final local delivery (a 250 is *delivered*); ``mx`` the recipient's own server (a 250 is
    *delivered*); ``smarthost`` and ``submission`` a relay that takes over the queueing (a 250 is *sent*; a
    DSN may say more later); ``simulator`` the gateway itself, never a mail server's: a 250 is *delivered*.
    """

    kind: HopKind
    key: str  # next-hop name, for concurrency limits and logs
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """A message a person's mail client handed to our submission service (already authenticated)."""

    login: str  # the mailbox address that authenticated
    mail_from: str
    recipients: tuple[str, ...]
    data: bytes = field(repr=False)


CheckKey = Callable[[str, str, str], Awaitable[bool]]
"""Called with an address, a password and a service (``imap``, ``smtp``, ...): whether the password is an API key that
may open the mailbox by this service. Raises MailServerDown when that cannot be said now."""

OnSubmission = Callable[[Submission], Awaitable[str]]
"""Stores a person's submission durably and returns a queue id. Raises MailServerError to refuse it (550)."""


@dataclass(frozen=True, slots=True)
class PartHealth:
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PersonAccess:
    """The servers that a person enters in a mail client."""

    imap: Endpoint
    submission: Endpoint
    smtp: Endpoint  # where the world delivers (MX)


@runtime_checkable
class MailServer(Protocol):
    """A mail server under the gateway. Every method is safe to repeat (idempotent)."""

    name: str
    has_push: bool

    async def start(self, on_hint: OnHint, on_submission: OnSubmission) -> None:
        """Start or attach to the daemons. ``on_hint`` is called from now on. Raises MailServerError with the reason."""

    async def stop(self) -> None:
        """Stop what ``start`` started; no process is left behind."""

    async def add_domain(self, domain: str) -> None:
        """Accept mail for ``domain`` (lower case, A-label form)."""

    async def remove_domain(self, domain: str) -> None:
        """Stop accepting mail for ``domain``."""

    async def add_mailbox(self, address: str, password: str | None = None) -> None:
        """Make a mailbox that can be opened at once. ``password``: the person's (stored as a hash); None keeps the
        present one. A mailbox made again after its removal is empty."""

    async def set_password(self, address: str, password: str | None) -> None:
        """Replace the person's password, or remove it (None). Sessions opened with the old one end."""

    async def remove_mailbox(self, address: str) -> None:
        """Refuse mail for it from now on, end its sessions, and delete all of its mail from disk."""

    async def purge(self, address: str) -> None:
        """Remove what was expunged from a mailbox from Dovecot's caches on disk, too."""

    async def set_alias(self, address: str, mailboxes: Sequence[str]) -> None:
        """Deliver mail for ``address`` to these mailboxes, or for ``@domain`` (a catch-all) what no other address
        of the domain takes; none takes the alias away. ``REFUSED`` as a mailbox refuses the address, whatever a
        catch-all would do. A mailbox of the same name goes before; a subaddress of an alias reaches it too."""

    async def set_quota(self, address: str, octets: int | None) -> None:
        """How much mail a mailbox may hold, from the next delivery on: 0 for no limit, None for the server's
        default. Nothing happens where there is no such mailbox."""

    async def reconcile(
        self,
        domains: Sequence[str],
        mailboxes: Sequence[str],
        aliases: Mapping[str, Sequence[str]],
        quotas: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Make the lookup tables equal to these lists, at the start.

        What is missing is added. What is not listed is removed: a domain or alias from the tables, a mailbox with all
        of its mail as by ``remove_mailbox``. The mail of listed mailboxes is kept.

        Args:
            aliases: as in ``set_alias``, by address.
            quotas: octets by address; mailboxes that are not in it get the server's default.
        """

    def is_local(self, address: str) -> bool:
        """Whether mail to ``address`` ends in a mailbox of this server (subaddress and case folded, its own or by an
        alias or catch-all)."""

    def imap_login(self, address: str) -> ImapLogin:
        """The gateway's login to this mailbox."""

    def sent_address(self, address: str) -> str:
        """The extra envelope recipient that files a copy into ``address``'s Sent folder, \\Seen. It
        cannot be guessed, and outsiders are refused it."""

    def access(self) -> PersonAccess:
        """Endpoints as a person's mail client sees them."""

    def plan(self, recipients: Sequence[str]) -> list[Hop]:
        """Group recipients by next hop. Postfix: one ``submission`` hop. Embedded: local ones (and the
        sent address) in one ``lmtp`` hop, others by smarthost or by recipient domain."""

    async def transmit(self, hop: Hop, envelope: Envelope) -> Mapping[str, RecipientReply]:
        """One transaction. Answers a reply for each of ``hop.recipients``; connection-level failures are
        replies too (code 4xx). Never raises for what a remote host did."""

    async def was_submitted(self, envelope: Envelope) -> bool:
        """After a crash left it open: did the last ``submission`` hop take this message? Looks at the Sent
        copy by Message-ID and at the queue; only meaningful where ``plan`` gave ``submission``/``lmtp``."""

    async def health(self) -> Mapping[str, PartHealth]:
        """The state of each daemon, by name, within two seconds."""
