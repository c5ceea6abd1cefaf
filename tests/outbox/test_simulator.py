"""Addresses @simulator.invalid answer as the world does, through the whole gateway."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mime.parse import parse
from gateway.outbox.simulator.answers import ANSWERING, Original, answer_to
from gateway.outbox.simulator.behaviour import Behaviour, behaviour_of
from gateway.outbox.simulator.replies import reply_of
from gateway.records.ids import InboxId
from gateway.records.simulator import SIMULATOR_DOMAIN, is_simulated
from gateway.store import daily_counts
from gateway.store.queries.inboxes import unscoped_inbox_at
from gateway.store.queries.mailbox_index import indexed_message_count
from gateway.store.queries.outbox import unscoped_waiting_count
from gateway.store.queries.reputation import messages_by_status, recipients_by_state
from gateway.store.transaction import Tx
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.own_gateway import missing, start_gateway
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
        ("reply+ü", None),
        ("reply+<x>", None),
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


_HEADER = st.one_of(
    st.binary(max_size=300), st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace"))
)


@settings(max_examples=60)
@given(st.sampled_from(sorted(ANSWERING)), _HEADER, _HEADER, _HEADER, st.text(max_size=300))
def test_whatever_was_written_has_an_answer_to_its_author_alone(
    kind: str, subject: bytes, message_id: bytes, references: bytes, text: str
) -> None:
    raw = b"\r\n".join(
        [b"Subject: " + subject, b"Message-ID: " + message_id, b"References: " + references, b"", b"Body"]
    )
    behaviour = behaviour_of(f"{kind}@{SIMULATOR_DOMAIN}")
    assert behaviour is not None
    original = Original(
        raw, f"{kind}@{SIMULATOR_DOMAIN}", "agent+b-token@x.test", "agent@x.test", "token", text, 1
    )
    answer = answer_to(original, behaviour, f"<sim_1@{SIMULATOR_DOMAIN}>")
    if answer is None:
        assert kind == "out-of-office"
        return
    assert answer.recipient in ("agent+b-token@x.test", "agent@x.test")
    parsed = parse(answer.raw)
    assert parsed.message_id == f"<sim_1@{SIMULATOR_DOMAIN}>"
    assert parsed.sender is not None
    assert is_simulated(parsed.sender.email)
    assert {one.email for one in parsed.to} <= {answer.recipient, "agent@x.test"}


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


def _inbox_id(tx: Tx, inbox: dict[str, Any]) -> InboxId:
    found = unscoped_inbox_at(tx, inbox["inbox_id"])
    assert found is not None
    return found.id


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
        "GET",
        f"inboxes/{inbox['inbox_id']}/messages",
        params={"labels": ["received"], "include_unauthenticated": True},
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
        "forged": _DELIVERED,
    }
    sent = {to: _send(organization, inbox, to) for to in expected}
    for to, kinds in expected.items():
        assert _kinds_until(organization, sent[to], kinds[-1]) == kinds, to

    answers = {"reply+7", "out-of-office", "code", "link", "loop", "forged"}
    until(lambda: _received(organization, inbox).keys() >= answers, why="not every answer came")
    received = _received(organization, inbox)
    assert received.keys() == answers  # reports are events, and no mails to read
    answered = {name: received[name]["in_reply_to"] is not None for name in answers}
    assert answered == {
        "reply+7": True,
        "out-of-office": True,
        "loop": True,
        "code": False,
        "link": False,
        "forged": False,
    }
    where = f"inboxes/{inbox['inbox_id']}/messages"
    reply = organization.call("GET", f"{where}/{received['reply+7']['message_id']}")
    assert reply["subject"] == "Re: Tuesday"
    assert reply["trust"]["verdict"] == "authenticated"
    assert received["forged"]["trust"]["verdict"] == "failed"
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
        inbox_id = _inbox_id(tx, inbox)
        sends, _ = daily_counts.sent_since(tx, inbox_id, 0, 100)
        return recipients_by_state(tx, inbox_id, 0), messages_by_status(tx, inbox_id, 0), sends

    assert gateway.database(counted) == ({}, {}, 4)  # answers are no sends


def test_a_day_has_an_end_of_answers(gateway: GatewayProcess, organization: Organization) -> None:
    inbox = organization.new_inbox()
    inbox_id = gateway.database(lambda tx: _inbox_id(tx, inbox))
    # a transaction of another process that read before it writes may be refused for what came between
    gateway.database(lambda tx: daily_counts.count(tx, inbox_id, "simulated", 499))
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


def _sandbox(organization: Organization) -> Organization:
    """The organization, seen with a sandbox key."""
    body = {"name": "sandbox", "test": True}
    made = httpx.post(
        f"{organization.base_url}/api/v1/api_keys", json=body, headers=organization.headers, trust_env=False
    )
    return Organization(organization.id, made.json()["data"]["key"], organization.base_url)


def test_each_address_does_the_same_in_the_sandbox(organization: Organization) -> None:
    inbox, sandbox = organization.new_inbox(), _sandbox(organization)
    expected = {
        "success": _DELIVERED,
        "slow": _DELIVERED,
        "bounce-552": ["message.bounced"],
        "somebody": ["message.bounced"],
        "soft": ["message.delayed", *_DELIVERED],
        "soft-always": ["message.delayed", "message.bounced"],
        "complaint": [*_DELIVERED, "message.complained"],
        "dsn-late": [*_DELIVERED, "message.bounced"],
        "reply": _DELIVERED,
        "code": _DELIVERED,
        "out-of-office": _DELIVERED,
        "forged": _DELIVERED,
    }
    for to, kinds in expected.items():
        message_id = _send(sandbox, inbox, to)
        assert _kinds(sandbox, message_id) == kinds, to  # at once
    received = _received(sandbox, inbox)
    assert received.keys() == {"reply", "code", "out-of-office", "forged"}
    assert received["forged"]["trust"]["verdict"] == "failed"
    assert "unauthenticated" in received["forged"]["labels"]
    where = f"inboxes/{inbox['inbox_id']}/messages/{received['reply']['message_id']}"
    reply = sandbox.call("GET", where)
    assert "> Free?" in reply["text"]
    sent = sandbox.call("GET", f"inboxes/{inbox['inbox_id']}/messages/{reply['in_reply_to']}")
    assert sent["thread_id"] == reply["thread_id"]
    link = sandbox.call("GET", f"{where}/raw")["download_url"]
    assert b"Sam Simulator" in httpx.get(link, trust_env=False).content
    sandbox.call("PATCH", where, json={"remove_labels": ["unread"]})
    assert "unread" not in sandbox.call("GET", where)["labels"]
    sandbox.call("DELETE", where)
    assert _received(sandbox, inbox).keys() == {"code", "out-of-office", "forged"}


def test_some_recipients_of_a_sandbox_send_may_fail(organization: Organization) -> None:
    inbox, sandbox = organization.new_inbox(), _sandbox(organization)
    message_id = _send(sandbox, inbox, "bounce-550", "success", "complaint")
    kinds = ["message.sent", *["message.delivered"] * 2, "message.complained", "message.bounced"]
    assert _kinds(sandbox, message_id) == kinds
    assert _kinds(sandbox, _send(sandbox, inbox, "bounce-550")) == ["message.bounced"]  # not suppressed


def test_a_crash_neither_loses_nor_doubles_an_answer_and_a_rebuild_finds_them() -> None:
    if reason := missing("embedded"):
        pytest.skip(reason)
    with start_gateway("embedded") as gateway:
        organization = gateway.organization
        inbox, sandbox = organization.new_inbox(), _sandbox(organization)
        _send(sandbox, inbox, "reply+sandbox")
        names = [f"{kind}+{number}" for number in range(4) for kind in ("reply", "code", "out-of-office")]
        sent = [_send(organization, inbox, one, "complaint") for one in names]
        gateway.crash()
        gateway.start()
        wanted = Counter([*names, "reply+sandbox"])
        until(lambda: _senders(organization, inbox).keys() >= wanted.keys(), 60, "an answer is lost")
        for message_id in sent:
            _kinds_until(organization, message_id, "message.complained")
        until(lambda: gateway.database(unscoped_waiting_count) == 0, 60, "the outbox does not come to rest")
        assert _senders(organization, inbox) == wanted
        for message_id in sent:
            kinds = Counter(_kinds(organization, message_id))
            assert kinds == {"message.sent": 1, "message.delivered": 2, "message.complained": 1}
        indexed = gateway.database(lambda tx: indexed_message_count(tx, _inbox_id(tx, inbox)))
        assert indexed == 2 * (len(names) + 1)
        gateway.stop()
        assert gateway.postern("rebuild").returncode == 0
        assert gateway.database(lambda tx: indexed_message_count(tx, _inbox_id(tx, inbox))) == indexed


def _senders(organization: Organization, inbox: dict[str, Any]) -> Counter[str]:
    """How many mails came from each simulated address."""
    params = {"labels": ["received"], "limit": 100}
    listed = organization.call("GET", f"inboxes/{inbox['inbox_id']}/messages", params=params)["messages"]
    return Counter(one["from"].partition("<")[2].partition("@")[0] for one in listed)
