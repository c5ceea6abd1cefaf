"""Deleting what was found of a person in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.records.ids import EventId, MessageId, OrganizationId
from gateway.store.json_columns import dump
from gateway.store.queries import contacts, erasure
from gateway.store.queries.audit import blank_audit_entry, unscoped_audit_like
from gateway.store.transaction import Tx
from gateway.transfer.erase_find import Person


def withdraw(tx: Tx, messages: Sequence[MessageId]) -> list[MessageId]:
    """Take messages that wait in the outbox out of it, unless they are being handed over at this moment; answers
    those that are."""
    busy = erasure.messages_being_sent(tx, messages)
    erasure.remove_from_outbox(tx, sorted(set(messages) - set(busy)))
    return busy


def erase_events(tx: Tx, events: Sequence[EventId], messages: Sequence[MessageId]) -> dict[str, int]:
    """Events, what was sent of them to webhooks and what was answered; the label log of messages."""
    attempts = erasure.remove_attempts_of_events(tx, events)
    deliveries = erasure.remove_deliveries_of_events(tx, events)  # found through their events
    return {
        "events": erasure.remove_events(tx, events),
        "webhook_deliveries": deliveries,
        "webhook_attempts": attempts,
        "label_changes": erasure.remove_label_changes(tx, messages),
    }


def erase_lists(tx: Tx, person: Person, organizations: Sequence[OrganizationId]) -> dict[str, int]:
    """Suppressions, rules, registrations, contacts and kept answers that name a person; what servers said of them is
    blanked."""
    counts = dict.fromkeys(("suppressions", "rules", "registrations", "contacts"), 0)
    for form in person.forms:
        counts["suppressions"] += erasure.unscoped_remove_suppressions(tx, organizations, form)
        counts["rules"] += erasure.unscoped_remove_list_entries(tx, organizations, form)
        counts["registrations"] += erasure.unscoped_remove_registrations(tx, organizations, form)
        counts["contacts"] += contacts.unscoped_remove_contacts(tx, organizations, form)
    counts["rules"] += _erase_from_policies(tx, person, organizations)
    kept = _naming(person, erasure.unscoped_kept_answers_like(tx, person.like))
    for row in kept:
        erasure.remove_kept_answer(tx, row)
    by_webhooks = _naming(person, erasure.unscoped_webhook_answers_like(tx, person.like))
    for attempt in by_webhooks:
        erasure.blank_webhook_answer(tx, attempt)
    by_servers = _naming(person, erasure.unscoped_delivery_answers_like(tx, person.like))
    for recipient in by_servers:
        erasure.blank_delivery_answer(tx, recipient)
    for reply in _naming(person, erasure.unscoped_kept_replies_like(tx, person.like)):
        erasure.blank_kept_reply(tx, reply)
    for review, said in erasure.unscoped_review_words_like(tx, organizations, person.like).items():
        if person.named_in(said):
            erasure.blank_review_words(tx, review)
    for entry, said in unscoped_audit_like(tx, person.like).items():
        if person.named_in(said):
            blank_audit_entry(tx, entry)
    return counts | {
        "kept_answers": len(kept),
        "webhook_answers": len(by_webhooks),
        "delivery_answers": len(by_servers),
    }


def _erase_from_policies(tx: Tx, person: Person, organizations: Sequence[OrganizationId]) -> int:
    """Take the patterns that are the person's address out of every version of every policy; answers how many."""
    erased = 0
    for policy, text in erasure.unscoped_policies_like(tx, organizations, person.like).items():
        try:
            rule = msgspec.json.decode(text, type=dict[str, Any])
            said = msgspec.convert(rule.get("sending", {}), dict[str, Any])
        except msgspec.MsgspecError:  # nobody could read it, and it says no more for being forgotten
            erasure.rewrite_policy(tx, policy, "null")
            continue
        for patterns in said.values():
            if isinstance(patterns, list):
                left = [one for one in patterns if one not in person.forms]
                erased += len(patterns) - len(left)
                patterns[:] = left
        erasure.rewrite_policy(tx, policy, dump({**rule, "sending": said}))
    return erased


def _naming(person: Person, texts: dict[int, str]) -> list[int]:
    return [row for row, text in texts.items() if person.named_in(text)]
