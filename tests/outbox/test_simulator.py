"""Addresses @simulator.invalid answer as the world does, through the whole gateway."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.outbox.simulator.behaviour import Behaviour, behaviour_of
from gateway.outbox.simulator.replies import reply_of
from gateway.records.simulator import SIMULATOR_DOMAIN, is_simulated
from gateway.store import daily_counts
from gateway.store.queries.inboxes import unscoped_inbox_at
from gateway.store.queries.reputation import messages_by_status, recipients_by_state
from gateway.store.transaction import Tx
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.waiting import until

_DELIVERED = ["message.sent", "message.delivered"]


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("success", Behaviour("success")),
        ("Success+any+label", Behaviour("success")),
        ("bounce", Behaviour("bounce", 550, "5.1.1")),
        ("bounce+a-test", Behaviour("bounce", 550, "5.1.1")),
        ("bounce-552", Behaviour("bounce", 552, "5.2.2")),
        ("bounce+550-5.7.26+label", Behaviour("bounce", 550, "5.7.26")),
        ("bounce-599", Behaviour("bounce", 599, "5.0.0")),
        ("soft", Behaviour("soft", 452, "4.2.2")),
        ("soft-451", Behaviour("soft", 451, "4.3.0")),
        ("soft-always", Behaviour("soft", 452, "4.2.2", always=True)),
        ("soft+always-421-4.7.0", Behaviour("soft", 421, "4.7.0", always=True)),
        ("dsn-late+552", Behaviour("dsn-late", 552, "5.2.2")),
        ("out-of-office", Behaviour("out-of-office")),
        ("bounce-450", None),
        ("bounce-550-4.1.1", None),
        ("bounce-always", None),
        ("bounce-soon", None),
        ("soft-550", None),
        ("success-550", None),
        ("someone", None),
        ("", None),
    ],
)
def test_a_local_part_says_what_happens(local: str, expected: Behaviour | None) -> None:
    assert behaviour_of(f"{local}@{SIMULATOR_DOMAIN}") == expected


@settings(max_examples=40)
@given(
    st.one_of(
        st.text(max_size=80), st.from_regex(r"(bounce|soft|dsn-late)[-+][0-9.+-]{0,20}", fullmatch=True)
    )
)
def test_any_local_part_has_a_reply_that_fits(local: str) -> None:
    behaviour = behaviour_of(f"{local}@{SIMULATOR_DOMAIN}")
    reply = reply_of(behaviour, attempts=1)
    assert reply.status.startswith(str(reply.code)[0])
    assert reply.permanent == (behaviour is None or behaviour.kind == "bounce")


def test_only_the_whole_domain_is_the_simulators() -> None:
    assert is_simulated("a@SIMULATOR.invalid")
    assert not is_simulated("a@x.simulator.invalid")
    assert not is_simulated("a@notsimulator.invalid")


def _send(organization: Organization, inbox: dict[str, Any], *to: str, **fields: Any) -> str:
    body = {
        "to": [f"{one}@{SIMULATOR_DOMAIN}" for one in to],
        "subject": "Tuesday",
        "text": "Free?\n",
    } | fields
    sent = organization.call("POST", f"inboxes/{inbox['inbox_id']}/messages/send", json=body)
    return str(sent["message_id"])


def _kinds(organization: Organization, message_id: str) -> list[str]:
    """The types of the events about a message that was sent, oldest first."""
    events = organization.call("GET", "events", params={"limit": 100})["events"]
    return [
        one["event_type"]
        for one in events
        if message_id in str(one) and one["event_type"] != "message.received"
    ]


def _kinds_until(organization: Organization, message_id: str, last: str) -> list[str]:
    """The same, as soon as ``last`` is among them."""
    return until(
        lambda: kinds if last in (kinds := _kinds(organization, message_id)) else None, why=f"no {last}"
    )


def _received(organization: Organization, inbox: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The mails that came, by the local part of their sender."""
    listed = organization.call(
        "GET", f"inboxes/{inbox['inbox_id']}/messages", params={"labels": ["received"]}
    )
    return {one["from"].partition("<")[2].partition("@")[0]: one for one in listed["messages"]}


def test_each_address_does_what_it_says(organization: Organization) -> None:
    inbox = organization.new_inbox()
    expected = {
        "success+label": _DELIVERED,
        "slow": _DELIVERED,
        "bounce": ["message.bounced"],
        "somebody": ["message.bounced"],
        "soft": ["message.delayed", *_DELIVERED],
        "complaint": [*_DELIVERED, "message.complained"],
        "dsn-late": [*_DELIVERED, "message.bounced"],
        "reply+7": _DELIVERED,
        "out-of-office": _DELIVERED,
        "code": _DELIVERED,
        "link": _DELIVERED,
        "loop": _DELIVERED,
    }
    sent = {to: _send(organization, inbox, to) for to in expected}
    for to, kinds in expected.items():
        assert _kinds_until(organization, sent[to], kinds[-1]) == kinds, to

    answers = {"reply+7", "out-of-office", "code", "link", "loop"}
    until(lambda: _received(organization, inbox).keys() >= answers, why="not every answer came")
    received = _received(organization, inbox)
    assert received.keys() == answers  # reports are events, and no mails to read
    answered = {name: received[name]["in_reply_to"] is not None for name in answers}
    assert answered == {"reply+7": True, "out-of-office": True, "loop": True, "code": False, "link": False}
    where = f"inboxes/{inbox['inbox_id']}/messages"
    reply = organization.call("GET", f"{where}/{received['reply+7']['message_id']}")
    assert reply["subject"] == "Re: Tuesday"
    assert "> Free?" in reply["text"]
    assert ">" not in reply["extracted_text"]
    absent = organization.call("GET", f"{where}/{received['out-of-office']['message_id']}")
    assert absent["auto_submitted"]
    assert not reply["auto_submitted"]
    wait = {"timeout": 1, "since": "2020-01-01T00:00:00Z"}
    for name, field in (("code", "code"), ("link", "link")):
        params = wait | {"from": f"{name}@{SIMULATOR_DOMAIN}"}
        found = organization.call("GET", f"{where}/wait", params=params)["message"]
        assert found["extracted"][field], name


def test_what_the_simulator_did_is_held_against_nobody(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox = organization.new_inbox()
    before = [
        _send(organization, inbox, *people) for people in (["bounce"], ["complaint"], ["reply", "dsn-late"])
    ]
    last = {before[0]: "message.bounced", before[1]: "message.complained", before[2]: "message.bounced"}
    for message_id, kind in last.items():
        _kinds_until(organization, message_id, kind)
    again = _send(organization, inbox, "bounce", "complaint", "dsn-late")  # none is suppressed
    _kinds_until(organization, again, "message.bounced")

    def counted(tx: Tx) -> tuple[object, ...]:
        found = unscoped_inbox_at(tx, inbox["inbox_id"])
        assert found is not None
        sends, _ = daily_counts.sent_since(tx, found.id, 0, 100)
        return recipients_by_state(tx, found.id, 0), messages_by_status(tx, found.id, 0), sends

    assert gateway.database(counted) == ({}, {}, 4)  # answers are no sends


def test_a_day_has_an_end_of_answers(gateway: GatewayProcess, organization: Organization) -> None:
    inbox = organization.new_inbox()

    def use_up(tx: Tx) -> None:
        found = unscoped_inbox_at(tx, inbox["inbox_id"])
        assert found is not None
        daily_counts.count(tx, found.id, "simulated", 499)

    gateway.database(use_up)
    first = _send(organization, inbox, "loop+1")
    until(lambda: _received(organization, inbox))
    second = _send(organization, inbox, "loop+2", reply_to="loop+3@simulator.invalid")
    for message_id in (first, second):
        assert _kinds_until(organization, message_id, "message.delivered") == _DELIVERED
    assert _received(organization, inbox).keys() == {"loop+1"}


def test_no_automatic_answer_to_one(organization: Organization) -> None:
    inbox = organization.new_inbox()
    sent = _send(organization, inbox, "out-of-office", "reply", headers={"Auto-Submitted": "auto-replied"})
    until(lambda: _received(organization, inbox))
    until(lambda: len(_kinds(organization, sent)) == 3)
    assert _received(organization, inbox).keys() == {"reply"}
