"""Threads that a later mail joins: the id that is no more leads to the other in every dialect, and each can be told."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.sync.client import connect

from gateway.records.ids import MESSAGE_ID, THREAD_ID, number_of
from tests.api_mailboxkit.calls import call as mailboxkit
from tests.api_mailboxkit.hooks import hooked
from tests.api_openmail.calls import call as openmail
from tests.api_openmail.hooks import Hooks, account_hook
from tests.mcp.clients import done, over_http
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint


@dataclass
class Conversation:
    """Two halves of a conversation, and its middle, which is still to come."""

    gateway: GatewayProcess
    organization: Organization
    inbox: dict[str, Any]
    first: str
    second: str
    name: str

    def path(self, rest: str = "") -> str:
        """Of the thread that is joined to the other, by the id that it had."""
        return f"inboxes/{self.inbox['inbox_id']}/threads/{self.second}{rest}"

    def join(self) -> None:
        """The middle comes."""
        self._put("Re: A", f"<x.{self.name}@abroad.test>", In_Reply_To=f"<a.{self.name}@abroad.test>")
        until(lambda: self.threads() == {"A": self.first, "Re: B": self.first, "Re: A": self.first})

    def threads(self) -> dict[str, str]:
        rows = self.organization.call("GET", f"inboxes/{self.inbox['inbox_id']}/messages")["data"]
        return {row["subject"]: row["thread_id"] for row in rows}

    def _put(self, subject: str, message_id: str, **headers: str) -> None:
        mail = new_mail(self.inbox["email_address"], subject, message_id=message_id, **headers)
        deliver(self.gateway.port("smtp"), mail, self.inbox["email_address"])


@pytest.fixture
def halves(gateway: GatewayProcess, organization: Organization) -> Conversation:
    made = Conversation(gateway, organization, organization.new_inbox(), "", "", uuid.uuid4().hex)
    for subject, own, headers in (
        ("A", "a", {}),
        ("Re: B", "b", {"In_Reply_To": f"<x.{made.name}@abroad.test>"}),
    ):
        made._put(subject, f"<{own}.{made.name}@abroad.test>", **headers)
        until(lambda subject=subject: subject in made.threads())
    made.first, made.second = made.threads()["A"], made.threads()["Re: B"]
    assert made.first != made.second
    return made


@pytest.fixture
def joined(halves: Conversation) -> Conversation:
    halves.join()
    return halves


def test_reading_by_the_id_that_was_joined_shows_the_thread_in_every_dialect(joined: Conversation) -> None:
    organization, number = joined.organization, _number(joined.second)
    whole = organization.call("GET", joined.path())
    assert (whole["thread_id"], whole["message_count"]) == (joined.first, 3)
    assert organization.call("GET", f"threads/{joined.second}") == organization.call(
        "GET", f"threads/{joined.first}"
    )
    shown = openmail(organization, "GET", f"threads/{joined.second}/messages")
    assert {row["threadId"] for row in shown["data"]} == {joined.first}
    assert len(shown["data"]) == 3
    thread = mailboxkit(organization, "GET", f"threads/{number}")["data"]
    assert (thread["id"], len(thread["messages"])) == (_number(joined.first), 3)
    listed = organization.call("GET", f"inboxes/{joined.inbox['inbox_id']}/threads")["data"]
    assert [row["thread_id"] for row in listed] == [joined.first]


def test_changes_by_the_id_that_was_joined_are_made_to_the_thread(joined: Conversation) -> None:
    organization = joined.organization
    organization.call("PATCH", joined.path(), json={"add_labels": ["ours"]})
    assert "ours" in organization.call("GET", f"threads/{joined.first}")["labels"]
    openmail(organization, "PATCH", f"threads/{joined.second}", {"is_read": True})
    assert "unread" not in organization.call("GET", f"threads/{joined.first}")["labels"]
    sent = openmail(
        organization,
        "POST",
        f"inboxes/{joined.inbox['postern_id']}/send",
        {"to": "ann@abroad.test", "threadId": joined.second, "body": "Yes."},
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )
    assert sent["threadId"] == joined.first


def test_deleting_by_the_id_that_was_joined_deletes_the_thread(joined: Conversation) -> None:
    joined.organization.call("DELETE", joined.path())
    for one in (joined.first, joined.second):
        with joined.organization.client() as client:
            assert client.get(f"threads/{one}").status_code == 404
    assert not joined.threads()


@pytest.mark.anyio
async def test_mcp_takes_the_id_that_was_joined(joined: Conversation) -> None:
    async with over_http(joined.gateway.base_url, joined.organization.api_key) as client:
        read = await done(client, "read_thread", thread_id=joined.second)
        assert read["thread"]["thread_id"] == joined.first
        assert len(read["messages"]) == 3
        labels = await done(client, "set_labels", thread_id=joined.second, add=["ours"])
        assert labels["thread_id"] == joined.first
        assert (await done(client, "delete_thread", thread_id=joined.second))["thread_id"] == joined.first


def test_no_other_organization_finds_the_id_that_was_joined(joined: Conversation) -> None:
    stranger = joined.gateway.new_organization()
    with stranger.client() as client:
        assert client.get(f"threads/{joined.second}").status_code == 404
    openmail(stranger, "GET", f"threads/{joined.second}/messages", status=404)
    mailboxkit(stranger, "GET", f"threads/{_number(joined.second)}", status=404)


def test_each_dialect_tells_who_names_the_event(halves: Conversation) -> None:
    organization, hooks = halves.organization, Hooks(halves.gateway, halves.organization)
    with (
        webhook_endpoint() as agentmail,
        webhook_endpoint() as unnamed,
        account_hook(hooks) as (account, _),
        hooked(organization, "thread.merged") as numbers,
    ):
        organization.call("POST", "webhooks", json={"url": agentmail.url, "event_types": ["thread.merged"]})
        organization.call("POST", "webhooks", json={"url": unnamed.url, "event_types": []})
        halves.join()
        (post,) = agentmail.wait("thread.merged")
        merge = post.json["merge"]
        assert set(post.json) == {"type", "event_type", "event_id", "merge"}
        assert merge == {
            "inbox_id": halves.inbox["inbox_id"],
            "thread_id": halves.first,
            "merged_thread_id": halves.second,
            "message_id": merge["message_id"],
            "timestamp": merge["timestamp"],
        }
        told = until(
            lambda: [one.json for one in list(account.posts) if one.json["event"] == "thread.merged"]
        )
        assert (told[0]["thread_id"], told[0]["merged_thread_id"]) == (halves.first, halves.second)
        assert told[0]["inbox_id"] == halves.inbox["postern_id"]
        data = numbers.heard("thread.merged")[0].json["data"]
        assert (data["thread_id"], data["merged_thread_id"]) == (
            _number(halves.first),
            _number(halves.second),
        )
        assert data["id"] == number_of(_ulid(MESSAGE_ID.parse(merge["message_id"])))
        unnamed.wait("message.received")
        assert not unnamed.of("thread.merged")
        listed = organization.call("GET", "events?event_types=thread.merged")["data"]
        assert [row["merge"] for row in listed] == [merge]


@pytest.mark.parametrize(("where", "key"), [("/api/v0", "event_type"), ("/v1/ws", "event")])
def test_sockets_tell_who_names_the_event(halves: Conversation, where: str, key: str) -> None:
    url = halves.gateway.base_url.replace("http", "ws", 1) + where
    headers = {"Authorization": f"Bearer {halves.organization.api_key}"}
    with (
        connect(url, additional_headers=headers, open_timeout=20) as naming,
        connect(url, additional_headers=headers, open_timeout=20) as plain,
    ):
        for socket, types in ((naming, ["thread.merged"]), (plain, [])):
            socket.send(json.dumps({"type": "subscribe", "event_types": types}))
            assert json.loads(socket.recv(20))["type"] == "subscribed"
        halves.join()
        assert json.loads(naming.recv(20))[key] == "thread.merged"
        assert json.loads(plain.recv(20))[key] == "message.received"


def _number(public: str) -> int:
    return number_of(_ulid(THREAD_ID.parse(public)))


def _ulid(found: str | None) -> str:
    assert found is not None
    return found
