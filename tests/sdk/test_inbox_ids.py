"""AgentMail's ``inbox_id`` is the inbox's address in every answer; requests may give ``inb_…`` instead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.e2e.house import House
from tests.e2e.world import deliver, letter, until

Box = dict[str, Any]
URL = "http://127.0.0.1:49999/hook"  # nobody is there


@pytest.fixture(scope="module")
def box(house: House) -> Box:
    made = house.new_inbox("named")
    deliver(house.smtp_port, letter(made["email"], "Hello"), made["email"])
    until(lambda: house.messages(made["email"]), why="the mail")
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


def test_every_answer_gives_the_address(house: House, box: Box) -> None:
    ref, address = box["postern_id"], box["email"]
    assert ref.startswith("inb_")
    (message,) = house.messages(ref)
    thread = message["thread_id"]
    draft = house.post(f"inboxes/{ref}/drafts", {"to": "a@b.test", "subject": "x"})
    hook = house.post("webhooks", {"url": URL, "event_types": [], "inbox_ids": [ref]})
    own = house.post(f"inboxes/{ref}/webhooks", {"url": f"{URL}2", "event_types": []})
    key = house.post("api-keys", {"name": "narrow", "inbox_id": ref})
    entry = house.post(f"inboxes/{ref}/lists/send/block", {"entry": "spam.test"})
    alias = house.post("aliases", {"address": "other@postern.test", "inbox_ids": [ref]})
    house.organization.call(
        "PATCH", f"inboxes/{ref}/messages/{message['message_id']}", json={"add_labels": ["seen"]}
    )
    answers = {
        name: house.organization.call("GET", name)
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
    with house.api as client:
        me = client.get("auth/me", headers={"Authorization": f"Bearer {key['key']}"}).json()
    assert (me["scope_type"], me["scope_id"], me["inbox_id"]) == ("inbox", address, address)
    (event,) = house.get("events", event_types="message.received", limit=1)["events"]
    assert set(named(event)) == {address}


def test_an_inbox_that_was_made_again_has_its_own_postern_id(house: House) -> None:
    first = house.new_inbox("again")
    house.organization.call("DELETE", f"inboxes/{first['inbox_id']}")
    second = house.new_inbox("again")
    assert first["inbox_id"] == second["inbox_id"]
    assert first["postern_id"] != second["postern_id"]
    with house.api as client:
        assert client.get(f"inboxes/{first['postern_id']}").status_code == 404


def test_a_socket_takes_both_forms_and_sends_the_address(house: House, box: Box) -> None:
    url = house.base.replace("http", "ws", 1) + f"/api/v0?api_key={house.key}"
    with connect(url) as socket:
        socket.send(json.dumps({"type": "subscribe", "inbox_ids": [box["postern_id"]]}))
        assert json.loads(socket.recv(10))["type"] == "subscribed"
        deliver(house.smtp_port, letter(box["email"], "Live"), box["email"])
        event = json.loads(socket.recv(20))
    assert set(named(event)) == {box["email"]}
