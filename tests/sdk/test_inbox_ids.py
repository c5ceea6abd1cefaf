"""AgentMail's ``inbox_id`` is the inbox's address in every answer; requests may give ``inb_…`` instead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.support.mails import deliver, new_mail
from tests.support.own_gateway import OwnGateway
from tests.support.waiting import until

Box = dict[str, Any]
URL = "http://127.0.0.1:49999/hook"  # nobody is there


@pytest.fixture(scope="module")
def box(own_gateway: OwnGateway) -> Box:
    made = own_gateway.new_inbox("named")
    deliver(own_gateway.smtp_port, new_mail(made["email"], "Hello"), made["email"])
    until(lambda: own_gateway.messages(made["email"]), why="the mail")
    return made


def named(value: Any) -> Iterator[Any]:
    """Every ``inbox_id`` and ``inbox_ids`` of an answer."""
    if isinstance(value, dict):
        for name, one in value.items():
            if name == "inbox_id":
                yield one
            elif name == "inbox_ids":
                yield from one
            else:
                yield from named(one)
    elif isinstance(value, list):
        for one in value:
            yield from named(one)


def test_every_answer_gives_the_address(own_gateway: OwnGateway, box: Box) -> None:
    ref, address = box["postern_id"], box["email"]
    assert ref.startswith("inb_")
    (message,) = own_gateway.messages(ref)
    thread = message["thread_id"]
    draft = own_gateway.post(f"inboxes/{ref}/drafts", {"to": "a@b.test", "subject": "x"})
    hook = own_gateway.post("webhooks", {"url": URL, "event_types": [], "inbox_ids": [ref]})
    own = own_gateway.post(f"inboxes/{ref}/webhooks", {"url": f"{URL}2", "event_types": []})
    key = own_gateway.post("api-keys", {"name": "narrow", "inbox_id": ref})
    entry = own_gateway.post(f"inboxes/{ref}/lists/send/block", {"entry": "spam.test"})
    alias = own_gateway.post("aliases", {"address": "other@postern.test", "inbox_ids": [ref]})
    own_gateway.organization.call(
        "PATCH", f"inboxes/{ref}/messages/{message['message_id']}", json={"add_labels": ["seen"]}
    )
    answers = {
        name: own_gateway.organization.call("GET", name)
        for name in (
            f"inboxes/{ref}",
            "inboxes",
            f"inboxes/search?q={box['username']}",
            f"inboxes/{ref}/quota",
            f"inboxes/{ref}/messages",
            f"inboxes/{ref}/messages/search?q=Hello",
            f"inboxes/{ref}/messages/{message['message_id']}",
            f"messages/{message['message_id']}",
            f"inboxes/{ref}/threads",
            f"threads/{thread}",
            f"inboxes/{ref}/drafts",
            f"drafts/{draft['draft_id']}",
            f"inboxes/{ref}/events",
            f"inboxes/{ref}/webhooks",
            f"webhooks/{hook['webhook_id']}",
            f"inboxes/{ref}/api-keys",
            f"api-keys/{key['key_id']}",
            f"inboxes/{ref}/lists/send/block",
            "aliases",
        )
    }
    answers |= {"draft": draft, "hook": hook, "own hook": own, "key": key, "entry": entry, "alias": alias}
    for name, answer in answers.items():
        found = set(named(answer))
        assert address in found, name
        assert all("@" in one for one in found if one is not None), name
    with own_gateway.api as client:
        me = client.get("auth/me", headers={"Authorization": f"Bearer {key['key']}"}).json()
    assert (me["scope_type"], me["scope_id"], me["inbox_id"]) == ("inbox", address, address)
    (event,) = own_gateway.get("events", event_types="message.received", limit=1)["events"]
    assert set(named(event)) == {address}


def test_an_inbox_that_was_made_again_has_its_own_postern_id(own_gateway: OwnGateway) -> None:
    first = own_gateway.new_inbox("again")
    own_gateway.organization.call("DELETE", f"inboxes/{first['inbox_id']}")
    second = own_gateway.new_inbox("again")
    assert first["inbox_id"] == second["inbox_id"]
    assert first["postern_id"] != second["postern_id"]
    with own_gateway.api as client:
        assert client.get(f"inboxes/{first['postern_id']}").status_code == 404


def test_a_socket_takes_both_forms_and_sends_the_address(own_gateway: OwnGateway, box: Box) -> None:
    url = own_gateway.base.replace("http", "ws", 1) + f"/api/v0?api_key={own_gateway.key}"
    with connect(url) as socket:
        socket.send(json.dumps({"type": "subscribe", "inbox_ids": [box["postern_id"]]}))
        assert json.loads(socket.recv(10))["type"] == "subscribed"
        deliver(own_gateway.smtp_port, new_mail(box["email"], "Live"), box["email"])
        event = json.loads(socket.recv(20))
    assert set(named(event)) == {box["email"]}
