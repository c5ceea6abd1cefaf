"""What makes a message risky: reasons for which a policy lets a person approve it first, or takes note of it.

Recipients whom ``sending.allow`` names, and the organization's own inboxes, are no reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.core.policy.patterns import means
from gateway.core.policy.resolve import Policy
from gateway.mime.addresses import normalise
from gateway.records.policies import Risk
from gateway.store.queries.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Facts:
    """What came before a message, and its recipients (lower case) who could make it risky."""

    before: Conversation
    people: frozenset[str]
    attachments: int


def risks_of(
    policy: Policy, before: Conversation, recipients: Sequence[tuple[str, str]], attachments: int
) -> tuple[Risk, ...]:
    """The reasons of a message to ``recipients`` (field, address), as far as the policy counts them."""
    allowed = frozenset(policy.allow.value)
    people = {normalise(address) for _, address in recipients} - before.own
    people = {one for one in people if not (allowed and means(allowed, one))}
    facts = Facts(before, frozenset(people), attachments)
    return tuple(risk for risk, holds in _RISKS.items() if risk in policy.risky.value and holds(facts))


def first_contact(facts: Facts) -> bool:
    """Somebody gets it with whom the organization has exchanged no mail."""
    return not facts.before.unknown.isdisjoint(facts.people)


def outside_thread(facts: Facts) -> bool:
    """It goes on with a thread, and somebody gets it who takes no part in that."""
    thread = facts.before.thread
    return thread is not None and not thread.issuperset(facts.people)


def suspicious_thread(facts: Facts) -> bool:
    """The mail that it answers or forwards, or one of the thread, reads like an instruction to a machine."""
    return facts.before.suspicious and bool(facts.people)


def provenance(facts: Facts) -> bool:
    """The mail that it answers or forwards is not authenticated, and somebody gets it whom that does not name."""
    source = facts.before.source
    return source is not None and not source.proven and not source.people.issuperset(facts.people)


def attachment_to_stranger(facts: Facts) -> bool:
    """It has attachments, and somebody gets it with whom the organization has exchanged no mail."""
    return facts.attachments > 0 and first_contact(facts)


_RISKS: Mapping[Risk, Callable[[Facts], bool]] = {
    "suspicious_thread": suspicious_thread,
    "provenance": provenance,
    "outside_thread": outside_thread,
    "attachment_to_stranger": attachment_to_stranger,
    "first_contact": first_contact,
}
"""The most important first."""
