"""Whether a message may go out: what is known of its sender, the decision, and charging what was decided."""

from __future__ import annotations

from gateway.core.errors import CoreError
from gateway.core.policy.mode import counts_risks
from gateway.core.policy.resolve import Policy, Unreadable, policy_of
from gateway.core.sending import wallet
from gateway.core.sending.decide import Allowed, Held, Message, Terms, decide
from gateway.core.sending.policy_caps import asked_of
from gateway.records.ids import now_us
from gateway.records.inboxes import Inbox
from gateway.store import daily_counts
from gateway.store.queries.conversation import ConversationAsked
from gateway.store.queries.pace import PaceAsked
from gateway.store.queries.policies import owner_of_inbox, rules_over
from gateway.store.queries.standing import NO_PACE, Asked, standing
from gateway.store.scope import Scope
from gateway.store.transaction import Tx


def check(
    tx: Tx, scope: Scope, inbox: Inbox, message: Message, terms: Terms, *, reply: bool
) -> Allowed | Held:
    """Refuse a message that may not go out, before any work is done; a reply is also held against the ``reply`` lists.

    Raises Rejected, TooMany, Unpaid.
    """
    return _decided(tx, scope, inbox, message, terms, ("send", "reply") if reply else ("send",), hold=False)


def accept(tx: Tx, scope: Scope, inbox: Inbox, message: Message, terms: Terms) -> Allowed | Held:
    """Charge a message, in the transaction that accepts it, also one that is held: it is charged once. The lists have
    been asked before (``check``). Raises Rejected, TooMany, Unpaid."""
    decision = _decided(tx, scope, inbox, message, terms, (), hold=True)
    allowed = decision.allowed if isinstance(decision, Held) else decision
    for subject, what, by in allowed.counts:
        daily_counts.count(tx, subject, what, by)
    if allowed.mills is not None:
        wallet.charge(tx, terms.prices, scope, message.attachments)
    return decision


def _decided(
    tx: Tx,
    scope: Scope,
    inbox: Inbox,
    message: Message,
    terms: Terms,
    directions: tuple[str, ...],
    *,
    hold: bool,
) -> Allowed | Held:
    limits, leaves, now = terms.limits, message.leaves, now_us()
    rules = rules_over(tx, owner_of_inbox(inbox))
    policy = policy_of(rules)
    asked = Asked(
        policies=rules,
        pace=_pace(policy, inbox, message, now),
        conversation=_conversation(policy, message),
        directions=directions,
        burst=limits.sends_per_minute,
        daily=limits.sends_per_day,
        organization=leaves and limits.organization_sends_per_day > 0,
        cold_inbox=leaves and (limits.cold_new_inbox or limits.cold_inbox) > 0,
        cold_organization=leaves and (limits.cold_new_organization or limits.cold_organization) > 0,
        wallet=leaves and terms.prices.enabled,
        hold=hold,
    )
    found = standing(tx, scope, inbox, [address for _, address in message.recipients], asked, now)
    decision = decide(found, inbox, message, terms, now)
    if isinstance(decision, CoreError):
        raise decision
    return decision


def _pace(policy: Policy | Unreadable, inbox: Inbox, message: Message, now: int) -> PaceAsked:
    if isinstance(policy, Unreadable) or message.test:
        return NO_PACE
    return asked_of(policy, inbox, message.before.thread, now)


def _conversation(policy: Policy | Unreadable, message: Message) -> ConversationAsked | None:
    if isinstance(policy, Unreadable) or message.test or not counts_risks(policy):
        return None
    return message.before
