"""The decision about mail that came: a table of what is known of it, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.records.event_types import RECEIVED_TYPES
from gateway.records.folders import FolderRole
from gateway.records.lists import Direction, ListRule
from gateway.store.queries.arrivals import Arrival
from gateway.sync.decide import Decision, decide
from tests.support.records import INBOX, NOW

NEW_MAIL = Arrival(role="inbox", delivered=True, received_at=NOW, sender="ann@y.test")
KNOWN = replace(NEW_MAIL, new=False)
SINCE = NOW - 1_000_000


def block(entry: str, direction: Direction = "receive") -> ListRule:
    return ListRule(pod_id=None, inbox_id=INBOX.id, direction=direction, list_type="block", entry=entry)


def blocked(arrival: Arrival) -> Arrival:
    return replace(arrival, rules=[block("y.test")])


RECEIVED = Decision(event="message.received")
BLOCKED = Decision(frozenset({"blocked"}), "message.received.blocked", ("listed",))
UNAUTHENTICATED = Decision(
    frozenset({"unauthenticated"}), "message.received.unauthenticated", ("dmarc_failed",)
)


@pytest.mark.parametrize(
    ("arrival", "decision"),
    [
        (NEW_MAIL, RECEIVED),
        (blocked(NEW_MAIL), BLOCKED),
        (replace(NEW_MAIL, dmarc="fail"), UNAUTHENTICATED),
        (replace(NEW_MAIL, dmarc="fail", rescued=True), RECEIVED),
        (blocked(replace(NEW_MAIL, dmarc="fail", rescued=True)), BLOCKED),
        (replace(NEW_MAIL, dmarc="temperror"), RECEIVED),
        (blocked(replace(NEW_MAIL, dmarc="fail")), BLOCKED),  # one reason is enough
        (replace(NEW_MAIL, rules=[block("z.test")]), RECEIVED),
        (replace(NEW_MAIL, rules=[block("y.test", "reply")]), RECEIVED),
        (replace(NEW_MAIL, rules=[block("y.test", "reply")], answers=True), BLOCKED),
        (blocked(replace(NEW_MAIL, answers=True)), BLOCKED),
    ],
)
def test_each_rule_gives_its_label_and_its_event(arrival: Arrival, decision: Decision) -> None:
    assert decide(arrival, INBOX, SINCE) == decision


@pytest.mark.parametrize(
    ("labels", "event"),
    [
        ({"received", "unread"}, "message.received"),
        ({"spam"}, "message.received.spam"),
        ({"spam", "unauthenticated"}, "message.received.spam"),
        ({"unauthenticated"}, "message.received.unauthenticated"),
        ({"blocked", "unauthenticated"}, "message.received.blocked"),
    ],
)
def test_the_first_of_the_labels_that_a_message_bears_names_its_event(labels: set[str], event: str) -> None:
    assert decide(replace(NEW_MAIL, labels=frozenset(labels)), INBOX, SINCE) == Decision(event=event)
    assert event in RECEIVED_TYPES


def test_blocked_mail_in_junk_is_announced_as_spam() -> None:
    spam = replace(NEW_MAIL, role="junk", labels=frozenset({"spam"}))
    assert decide(blocked(spam), INBOX, SINCE) == replace(BLOCKED, event="message.received.spam")


@pytest.mark.parametrize("role", ["inbox", "junk", "archive", "other"])
@pytest.mark.parametrize("new", [True, False])
def test_mail_that_was_delivered_is_announced_wherever_it_was_moved(role: FolderRole, new: bool) -> None:
    assert decide(blocked(replace(NEW_MAIL, role=role, new=new)), INBOX, SINCE) == BLOCKED


@pytest.mark.parametrize(
    ("arrival", "reason"),
    [
        (replace(NEW_MAIL, role="sent"), "folder"),
        (replace(NEW_MAIL, role="drafts"), "folder"),
        (replace(NEW_MAIL, role="trash"), "folder"),
        (replace(NEW_MAIL, imported=True), "imported"),
        (replace(NEW_MAIL, role="other", delivered=False), "not_delivered"),
        (replace(KNOWN, delivered=False), "not_delivered"),
        (replace(NEW_MAIL, announced=True), "announced"),
        (replace(KNOWN, direction="outbound"), "outbound"),
        (replace(KNOWN, received_at=SINCE - 1), "too_old"),
    ],
)
def test_what_did_not_just_come_gets_neither_label_nor_event(arrival: Arrival, reason: str) -> None:
    decision = decide(blocked(arrival), INBOX, SINCE)
    assert (decision.labels, decision.event, decision.reasons) == (frozenset(), None, (reason,))


@pytest.mark.parametrize(
    ("arrival", "reason"),
    [
        (replace(NEW_MAIL, direction="outbound"), "outbound"),
        (replace(NEW_MAIL, received_at=SINCE - 1), "too_old"),
    ],
)
def test_what_is_new_in_inbox_gets_its_label_even_where_no_event_is_due(
    arrival: Arrival, reason: str
) -> None:
    decision = decide(blocked(arrival), INBOX, SINCE)
    assert (decision.labels, decision.event, decision.reasons) == (
        frozenset({"blocked"}),
        None,
        ("listed", reason),
    )
