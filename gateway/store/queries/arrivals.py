"""Everything that decides what becomes of mail that was found in a mailbox, read in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gateway.mime.types import ParsedMessage
from gateway.records.event_types import RECEIVED_TYPES
from gateway.records.folders import FolderRole, FoundCopy
from gateway.records.inboxes import Inbox
from gateway.records.lists import ListRule
from gateway.records.mail import Direction, Indexed
from gateway.records.trust import proof_of
from gateway.store.allow_block_lists import entries
from gateway.store.labels import IMPORTED
from gateway.store.queries.aliases import unscoped_alias
from gateway.store.queries.events import message_has_event
from gateway.store.transaction import Tx
from mailserver.addresses import names_of

ARRIVAL_ROLES = ("inbox", "junk", "archive", "other")
"""The roles of the folders in which mail that just came is found: a filter or a person may have moved it already."""
DELIVERY_ROLES = ("inbox", "junk")
"""The roles of those into which the mail server delivers by itself."""
_CLOCKS_US = 300 * 1_000_000
"""How far the mail server's clock may be behind ours."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A copy of a message that was found in a mailbox, just indexed.

    ``role``: of its folder. ``new``: the index did not know the message. ``labels``: what the message has by where
    its copies are. ``imported``: ``postern import`` filed it. ``received_at``: when the mail server stored it (µs).
    ``delivered``: it is new in a folder of ``DELIVERY_ROLES``, or shows that our mail server delivered it to this
    inbox. ``announced``: it has its event. ``answers``: it names a message that it answers. ``dmarc``: the result
    (RFC 8601) that our mail server noted; ``rescued``: a sealer that the operator trusts proves the author all the
    same (``records.trust``). ``rules``: the entries of the receive and reply lists. What no rule asks
    about a message that is imported, not delivered or announced is not read, and has the default.
    """

    role: FolderRole
    new: bool = True
    direction: Direction = "inbound"
    labels: frozenset[str] = frozenset()
    imported: bool = False
    received_at: int = 0
    delivered: bool = False
    announced: bool = False
    sender: str = ""
    answers: bool = False
    dmarc: str = "none"
    rescued: bool = False
    rules: Sequence[ListRule] = ()


class Arrivals:
    """Reads the arrivals of one batch of mail in its transaction; what they have in common once."""

    def __init__(self, tx: Tx, inbox: Inbox) -> None:
        self._tx, self._inbox = tx, inbox

    def read(self, copy: FoundCopy, parsed: ParsedMessage, indexed: Indexed) -> Arrival:
        """What decides about a copy that was just indexed."""
        imported = IMPORTED in copy.flags
        delivered = copy.role in ARRIVAL_ROLES and not imported and self._delivered(copy, parsed, indexed.new)
        announced = delivered and message_has_event(self._tx, indexed.message_id, RECEIVED_TYPES)
        sender = parsed.sender.email if parsed.sender else ""
        return Arrival(
            role=copy.role,
            new=indexed.new,
            direction=indexed.direction,
            labels=indexed.labels,
            imported=imported,
            received_at=copy.internal_date,
            delivered=delivered,
            announced=announced,
            sender=sender,
            answers=bool(parsed.in_reply_to or parsed.references),
            dmarc=parsed.auth.dmarc,
            rescued=proof_of(parsed.auth, sender).rescued_by is not None,
            rules=self._rules if delivered and not announced else (),
        )

    @cached_property
    def _rules(self) -> Sequence[ListRule]:
        return entries(self._tx, self._inbox, ("receive", "reply"))

    def _delivered(self, copy: FoundCopy, parsed: ParsedMessage, new: bool) -> bool:
        """Whether our mail server delivered a copy to this inbox, in the time that we follow the inbox.

        Delivery writes Delivered-To on top (and Received); what a mail program or a migration files has another, or
        none, or is older than the inbox. What is new in INBOX or Junk counts as delivered.
        """
        if new and copy.role in DELIVERY_ROLES:
            return True
        came = min(copy.internal_date, parsed.received or copy.internal_date)
        if came < self._inbox.created_at - _CLOCKS_US:
            return False
        names = names_of(parsed.delivered_to or "")
        if self._inbox.address in names:
            return True
        catch_all = ["@" + one.rpartition("@")[2] for one in names[:1]]
        return any(unscoped_alias(self._tx, one) for one in (*names, *catch_all))
