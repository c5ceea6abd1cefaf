"""Everything that decides whether an inbox may send a message, read in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.mime.addresses import normalise
from gateway.records.inboxes import Inbox
from gateway.records.lists import ListRule
from gateway.records.policies import PolicyVersion
from gateway.records.suppressions import SuppressionType
from gateway.store import daily_counts
from gateway.store.allow_block_lists import entries
from gateway.store.queries.contacts import wrote_to
from gateway.store.queries.conversation import Conversation, ConversationAsked, conversation
from gateway.store.queries.inboxes import lock_inbox
from gateway.store.queries.organizations import organization_since
from gateway.store.queries.pace import Pace, PaceAsked, pace_of
from gateway.store.queries.reputation import Suspension, suspension_of
from gateway.store.queries.wallets import wallet_of
from gateway.store.scope import Scope
from gateway.store.suppressions import suppressed
from gateway.store.transaction import Tx

_MINUTE_US = 60_000_000
NO_PACE = PaceAsked()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a server's settings make matter: what is not asked is not read.

    ``policies``: the rules over the inbox, ``pace``: what their caps count, ``conversation``: what came before, where
    they ask what is risky. ``directions``: whose lists; ``burst``,
    ``daily``: up to how many sends of a minute and a day are counted; ``hold``: keep what was read until the
    transaction ends, since it is charged in it.
    """

    policies: Sequence[PolicyVersion] = ()
    pace: PaceAsked = NO_PACE
    conversation: ConversationAsked | None = None
    directions: tuple[str, ...] = ()
    burst: int = 0
    daily: int = 0
    organization: bool = False
    cold_inbox: bool = False
    cold_organization: bool = False
    wallet: bool = False
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How a sender stands before a message, towards its recipients. Times in µs.

    ``policies``: the rules over the inbox, the widest first (``core.policy.resolve``); ``pace``: what their caps count;
    ``conversation``: what came before, None where nobody asks.
    ``burst``, ``daily``, ``organization``: sends of the last minute and of today, counted as asked; ``oldest``: the
    first one of that minute. ``strangers``: recipients who never wrote to the inbox; ``cold_inbox`` and
    ``cold_organization``: how many of those were written to today. ``balance``: mills; None: never charged.
    """

    suspension: Suspension | None = None
    policies: Sequence[PolicyVersion] = ()
    pace: Pace = Pace()  # noqa: RUF009
    conversation: Conversation | None = None
    rules: Sequence[ListRule] = ()
    suppressed: Mapping[str, SuppressionType] = field(default_factory=dict)
    burst: int = 0
    oldest: int | None = None
    daily: int = 0
    organization: int = 0
    organization_since: int | None = None
    strangers: int = 0
    cold_inbox: int = 0
    cold_organization: int = 0
    balance: int | None = None


def standing(
    tx: Tx, scope: Scope, inbox: Inbox, recipients: Sequence[str], asked: Asked, now: int
) -> Standing:
    """How an inbox stands before a message to ``recipients``.

    On PostgreSQL ``asked.hold`` makes other sends that count the same wait for the end of this transaction; SQLite has
    one writer at a time anyway.
    """
    held = suspension_of(tx, inbox.id, inbox.pod_id)
    rules = entries(tx, inbox, asked.directions) if asked.directions else ()
    unwanted = suppressed(tx, inbox.organization_id, [normalise(one) for one in recipients])
    if asked.hold and (asked.burst or asked.daily or not asked.pace.nothing):
        lock_inbox(tx, inbox.id)
    burst, oldest, daily = 0, None, 0
    if asked.burst:
        burst, oldest = daily_counts.sent_since(tx, inbox.id, now - _MINUTE_US, asked.burst)
    if asked.daily:
        daily, _ = daily_counts.sent_since(tx, inbox.id, daily_counts.day_start(now) - 1, asked.daily)
    read = daily_counts.held if asked.hold else daily_counts.counted
    organization = read(tx, inbox.organization_id, "sends") if asked.organization else 0
    since, strangers = None, 0
    if asked.cold_inbox or asked.cold_organization:
        since = organization_since(tx, inbox.organization_id)
        strangers = sum(not wrote_to(tx, inbox.id, address) for address in recipients)
    cold = strangers > 0
    cold_organization = read(tx, inbox.organization_id, "cold") if cold and asked.cold_organization else 0
    cold_inbox = read(tx, inbox.id, "cold") if cold and asked.cold_inbox else 0
    wallet = wallet_of(tx, scope.organization) if asked.wallet else None
    return Standing(
        suspension=held,
        policies=asked.policies,
        conversation=(
            conversation(tx, inbox, recipients, asked.conversation)
            if asked.conversation is not None
            else None
        ),
        pace=pace_of(tx, inbox, recipients, asked.pace, now, hold=asked.hold),
        rules=rules,
        suppressed=unwanted,
        burst=burst,
        oldest=oldest,
        daily=daily,
        organization=organization,
        organization_since=since,
        strangers=strangers,
        cold_inbox=cold_inbox,
        cold_organization=cold_organization,
        balance=wallet.balance if wallet else None,
    )
