"""Sandbox keys: whatever they send, through whichever API, is recorded and never leaves (contract, "Sandbox")."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest

from tests.api_mailboxkit.calls import call, made
from tests.api_mailboxkit.mailing import (
    Box,
    file_of,
    form,
    listed,
    looked_up,
    message,
    new_box,
    receive,
    reply,
    send,
    stranger,
    try_send,
    word,
)
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.own_gateway import OwnGateway
from tests.support.waiting import until


class Sandbox:
    """An organization with a sandbox key and two inboxes."""

    def __init__(self, own_gateway: OwnGateway) -> None:
        self.own_gateway = own_gateway
        self.live = own_gateway.new_organization()
        self.key: str = made(self.live, "api_keys", {"name": "Test Key", "test": True})["key"]
        self.test = Organization(self.live.id, self.key, self.live.base_url)
        self.ours, self.theirs = new_box(self.live), new_box(self.live)

    def nothing_left(self, *strangers: str) -> None:
        """What is sent after it arrives, and nothing else has come before."""
        after = stranger()
        send(self.live, self.ours, [after, self.theirs["email"]], subject="a real one")
        self.own_gateway.foreign.wait(after)
        assert [one["subject"] for one in listed(self.live, self.theirs, 1)] == ["a real one"]
        for one in strangers:
            assert self.own_gateway.foreign.to(one) == []
        organization = self.live.id.removeprefix("org_")
        query = "SELECT count(*) FROM outbox WHERE organization_id = ? AND state = 'queued' AND id IN "
        tested = "(SELECT id FROM message WHERE test = 1)"
        assert looked_up(self.own_gateway, query + tested, organization) == 0


@pytest.fixture
def sandbox(own_gateway: OwnGateway) -> Sandbox:
    return Sandbox(own_gateway)


def box_of(box: Box) -> str:
    return str(box["email"])


def test_a_sandbox_send_is_recorded_and_never_delivered(sandbox: Sandbox) -> None:
    assert sandbox.key.startswith("mbk_test_")
    to, code = stranger(), word()
    body = {
        "to": [to, box_of(sandbox.theirs)],
        "bcc": [stranger()],
        "subject": f"Pretend {code}",
        "html": "<p>Hi</p>",
        "attachments": [file_of(b"the file", "a.txt")],
    }
    got = try_send(sandbox.test, sandbox.ours, body)
    assert got.status_code == 201, got.text
    sent = got.json()["data"]
    assert (sent["status"], sent["test"], sent["to_emails"]) == ("queued", True, body["to"])
    for organization in (sandbox.test, sandbox.live):  # listed, read and searched like any other
        (row,) = listed(organization, sandbox.ours)
        assert (row["id"], row["test"], row["extracted_text"]) == (sent["id"], True, "Hi")
        assert row["status"] == "delivered"
        assert message(organization, sandbox.ours, sent["id"])["test"] is True
        found = call(organization, "POST", "messages/search", {"query": code})["data"]
        assert [one["id"] for one in found] == [sent["id"]]
        url = row["attachments"][0]["url"]
        assert httpx.get(url, trust_env=False).content == b"the file"
        threads = call(organization, "GET", f"inboxes/{sandbox.ours['id']}/threads")["data"]
        assert [one["id"] for one in threads] == [sent["thread_id"]]
    sandbox.nothing_left(to, *cast(Any, body["bcc"]))
    assert [one["test"] for one in listed(sandbox.live, sandbox.ours)] == [False, True]


def test_nor_is_a_sandbox_form_or_reply(sandbox: Sandbox) -> None:
    to = stranger()
    got = form(sandbox.test, f"inboxes/{sandbox.ours['id']}/messages/send", [("to[0]", to), ("text", "t")])
    assert got.json()["data"]["test"] is True
    asked = receive(sandbox.own_gateway, sandbox.live, sandbox.ours, "Question", sender=to)
    answered = reply(sandbox.test, sandbox.ours, asked["id"], {"text": "yes", "cc": box_of(sandbox.theirs)})
    assert (answered["test"], answered["to_emails"]) == (True, [to])
    assert answered["thread_id"] == asked["thread_id"]
    sandbox.nothing_left(to)


def test_nor_what_a_sandbox_key_sends_through_the_other_dialects(sandbox: Sandbox) -> None:
    to, box = [stranger() for _ in range(5)], box_of(sandbox.ours)
    asked = receive(sandbox.own_gateway, sandbox.live, sandbox.ours, "Question", sender="ann@abroad.test")
    theirs = box_of(sandbox.theirs)
    sandbox.test.call("POST", f"inboxes/{box}/messages/send", json={"to": [to[0], theirs], "text": "t"})
    path = f"inboxes/{box}/messages/msg_{asked['ulid'].lower()}"
    sandbox.test.call("POST", f"{path}/reply-all", json={"cc": [to[1], theirs], "text": "t"})
    sandbox.test.call("POST", f"{path}/forward", json={"to": [to[2], theirs], "text": "t"})
    draft = sandbox.test.call("POST", f"inboxes/{box}/drafts", json={"to": [to[3], theirs], "text": "t"})
    sandbox.test.call("POST", f"inboxes/{box}/drafts/{draft['draft_id']}/send")
    with sandbox.test.client() as http:
        sent = http.post(
            f"{sandbox.test.base_url}/v1/inboxes/{box}/send",
            json={"to": to[4], "cc": [theirs], "subject": "s", "body": "b"},
            headers={"Idempotency-Key": word()},
        )
        assert sent.status_code == 200, sent.text
    rows = listed(sandbox.live, sandbox.ours)
    assert [one["test"] for one in rows] == [True] * 5 + [False]
    sandbox.nothing_left(*to)


def test_nor_a_draft_that_a_sandbox_key_scheduled(sandbox: Sandbox) -> None:
    """The scheduler has no key: the draft says whose it is."""
    early, late, box = stranger(), stranger(), box_of(sandbox.ours)

    def soon(seconds: float) -> dict[str, Any]:
        return {"send_at": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()}

    body = {"to": [early, box_of(sandbox.theirs)], "text": "t"}
    sandbox.test.call("POST", f"inboxes/{box}/drafts", json={**body, **soon(1)})
    draft = sandbox.test.call("POST", f"inboxes/{box}/drafts", json={**body, "to": [late], **soon(3600)})
    sandbox.test.call("PATCH", f"inboxes/{box}/drafts/{draft['draft_id']}", json=soon(1))
    until(lambda: len(listed(sandbox.live, sandbox.ours)) == 2, why="both drafts went")
    assert [one["test"] for one in listed(sandbox.live, sandbox.ours)] == [True, True]
    sandbox.nothing_left(early, late)


def test_a_live_draft_is_not_a_sandbox_keys_to_change_send_or_delete(sandbox: Sandbox) -> None:
    box = box_of(sandbox.ours)
    draft = sandbox.live.call("POST", f"inboxes/{box}/drafts", json={"to": [stranger()], "text": "t"})
    path = f"inboxes/{box}/drafts/{draft['draft_id']}"
    with sandbox.test.client() as http:
        for method, where, body in (
            ("PATCH", path, {"subject": "mine"}),
            ("POST", f"{path}/send", None),
            ("DELETE", path, None),
        ):
            assert http.request(method, where, json=body).status_code == 403, method
        assert http.get(path).json() == sandbox.live.call("GET", path)
    assert sandbox.live.call("GET", path)["updated_at"] == draft["updated_at"]


def test_a_scheduled_draft_of_a_live_key_goes(own_gateway: OwnGateway) -> None:
    organization, to = own_gateway.new_organization(), stranger()
    box = new_box(organization)
    at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    body = {"to": [to], "text": "t", "send_at": at}
    organization.call("POST", f"inboxes/{box_of(box)}/drafts", json=body)
    own_gateway.foreign.wait(to)
    assert [one["test"] for one in listed(organization, box)] == [False]


def test_sandbox_sends_survive_a_rebuild_and_deleted_ones_do_not(strict: GatewayProcess) -> None:
    live = strict.new_organization()
    key = made(live, "api_keys", {"name": "Test Key", "test": True})["key"]
    test, box = Organization(live.id, key, live.base_url), new_box(live)
    first = send(test, box, [stranger()], bcc=[stranger()], attachments=[file_of(b"the file", "a.txt")])
    reply(test, box, first["id"], {"text": "and again"})
    gone = send(test, box, [stranger()])["ulid"].lower()
    live.call("DELETE", f"inboxes/{box['email']}/messages/msg_{gone}")
    assert looked_up(strict, "SELECT mime FROM outbox WHERE id = ?", gone) is None
    before = listed(live, box)
    strict.stop()
    rebuilt = strict.postern("rebuild", "--inbox", str(box["email"]))
    assert rebuilt.returncode == 0, rebuilt.stderr
    strict.start()
    after = listed(live, box)
    for row in [*before, *after]:
        for file in row["attachments"]:
            file["url"] = None  # new on each read
    assert after == before
    assert [one["test"] for one in after] == [True, True]
