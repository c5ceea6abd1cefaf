"""The one decision about a send: whether its sender may send it now, and what it is charged.

Made twice for a send: before the message is composed, so that a refusal costs nothing, and in the transaction that
accepts it, where it is exact: of any number of sends at once exactly as many are accepted as the limits allow. What
was refused does not count. A new rule is added here, and what it needs to know to ``store.queries.standing``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.core.errors import Rejected, TooMany, Unpaid
from gateway.core.policy.mode import held_by_mode, holds_beyond_caps, mode_error
from gateway.core.policy.recipients import recipient_error
from gateway.core.policy.resolve import Policy, Unreadable, policy_of, resolved
from gateway.core.sending.cold_outreach import cold_limits
from gateway.core.sending.limits import send_limits, tightest
from gateway.core.sending.policy_caps import CAP_EXCEEDED, cap_allowances
from gateway.core.sending.reputation import suspended_error
from gateway.core.sending.risky import risks_of
from gateway.core.sending.suppressions import suppressed_error
from gateway.core.sending.wallet import cost_of, unpaid
from gateway.core.sent import Allowance
from gateway.records.inboxes import Inbox
from gateway.settings import Limits, Wallet
from gateway.store import daily_counts
from gateway.store.allow_block_lists import decide as decide_by_lists
from gateway.store.queries.conversation import ConversationAsked
from gateway.store.queries.standing import Standing

NOTHING_BEFORE = ConversationAsked()

Refused = Rejected | TooMany | Unpaid


@dataclass(frozen=True, slots=True)
class Terms:
    """What this server allows and charges."""

    limits: Limits
    prices: Wallet


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent: (field, address) of each recipient, and how many attachments. ``test``: with a sandbox
    key; ``simulated``: to the simulator alone; ``before``: the mail that it goes on with."""

    recipients: Sequence[tuple[str, str]]
    attachments: int = 0
    test: bool = False
    simulated: bool = False
    before: ConversationAsked = NOTHING_BEFORE

    @property
    def leaves(self) -> bool:
        """Whether it leaves this server, so that it costs what a send costs."""
        return not (self.test or self.simulated)


@dataclass(frozen=True, slots=True)
class Allowed:
    """It may go out. ``allowance``: the limit that has least left; ``counts``: (subject, what, by how much) of what is
    counted a day; ``mills``: what it costs, None where nothing is charged; ``risks``: what is to be noted as risky."""

    allowance: Allowance | None
    counts: tuple[tuple[str, daily_counts.What, int], ...]
    mills: int | None
    risks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """It may go out once a person approves it. ``allowed``: what is counted and charged, at once and not again;
    ``reasons``: why, in stable words, the most important first."""

    allowed: Allowed
    reasons: tuple[str, ...]


def decide(
    standing: Standing, inbox: Inbox, message: Message, terms: Terms, now: int
) -> Allowed | Held | Refused:
    """Decide about a message of ``inbox`` at ``now`` (µs).

    In this order: suspension, policy, lists, suppressions, the inbox's and the organization's limits, cold outreach,
    the policy's caps, credit.
    """
    if standing.suspension is not None:
        return suspended_error(standing.suspension)
    policy = policy_of(standing.policies)
    held: list[str] = []
    if isinstance(policy, Unreadable):
        policy = resolved([])
        held.append("policy_unreadable")
    against = mode_error(policy) or recipient_error(policy, message.recipients)
    if against is not None:
        return against
    for field, address in message.recipients if standing.rules else ():
        if decide_by_lists(standing.rules, inbox, address) == "block":
            return Rejected(
                f"sending to {address} is blocked by a list of this inbox, its pod or the organization",
                field=field,
                fix="take the address off the block list, or add it to the allow list",
            )
    unwanted = suppressed_error(standing.suppressed, message.recipients)
    if unwanted is not None:
        return unwanted
    found: list[Allowance] = []
    for one in _limits(standing, inbox, message, terms.limits, now):
        if isinstance(one, TooMany):
            return one
        found.append(one)
    reasons: list[str] = []
    if standing.conversation is not None:
        reasons += risks_of(policy, standing.conversation, message.recipients, message.attachments)
    capped = () if message.test else cap_allowances(policy, standing.pace, inbox, message.recipients, now)
    for one in capped:
        if isinstance(one, Allowance):
            found.append(one)
        elif not holds_beyond_caps(policy):
            return one
        elif CAP_EXCEEDED not in reasons:
            reasons.append(CAP_EXCEEDED)
    prices, mills = terms.prices, None
    if prices.enabled and message.leaves:
        mills = cost_of(prices, message.attachments)
        balance = prices.new_account_mills if standing.balance is None else standing.balance
        if balance < mills:
            return unpaid(prices, balance, message.attachments)
    counts = _counts(standing, policy, inbox, message, terms.limits, now)
    allowed = Allowed(tightest(found), counts, mills)
    held += held_by_mode(policy, reasons)
    if held and not message.test:  # of a sandbox key nothing leaves anyway
        return Held(allowed, tuple(held))
    return replace(allowed, risks=tuple(reasons))


def _limits(
    standing: Standing, inbox: Inbox, message: Message, limits: Limits, now: int
) -> Iterator[Allowance | TooMany]:
    yield from send_limits(standing, limits, now, sandbox=not message.leaves)
    if message.leaves:
        for limit in cold_limits(standing, inbox, limits, now):
            yield limit.allowance


def _counts(
    standing: Standing, policy: Policy, inbox: Inbox, message: Message, limits: Limits, now: int
) -> tuple[tuple[str, daily_counts.What, int], ...]:
    if message.test:
        return ()
    counts: list[tuple[str, daily_counts.What, int]] = []
    if limits.organization_sends_per_day and message.leaves:
        counts.append((inbox.organization_id, "sends", 1))
    for limit in cold_limits(standing, inbox, limits, now) if message.leaves else ():
        counts.append((limit.subject, "cold", standing.strangers))
    if standing.pace.new and policy.caps["new_recipients_per_day"].value:
        counts.append((inbox.id, "new", standing.pace.new))
    return tuple(counts)
