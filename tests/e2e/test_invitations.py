"""An invitation is shown as data in every dialect, and answered from every dialect and from MCP."""

from __future__ import annotations

import uuid
from email import message_from_bytes
from email.message import Message
from typing import Any

import httpx
import pytest

from gateway.mime.parse import parse
from tests.mcp.clients import done, over_http, refused
from tests.support.gateway_process import GatewayProcess
from tests.support.mails import deliver
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

RAW = """From: Assistant <assistant@postern.test>\r
To: {to}\r
Subject: Invitation: Plans\r
Message-ID: <{uid}>\r
Date: Sat, 21 Nov 2026 05:00:00 +0000\r
Content-Type: multipart/alternative; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
Please come.\r
--b\r
Content-Type: text/calendar; method=REQUEST\r
\r
BEGIN:VCALENDAR\r
METHOD:REQUEST\r
BEGIN:VEVENT\r
UID:{uid}\r
SEQUENCE:1\r
DTSTART:20260203T100000Z\r
DTEND:20260203T110000Z\r
SUMMARY:Plans\r
ORGANIZER;CN=Ann:mailto:{organizer}\r
ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION;CN=Agent:mailto:{to}\r
END:VEVENT\r
END:VCALENDAR\r
--b--\r
"""


class Desk:
    """An inbox with an invitation, and the inbox of who sent it."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway, self.organization = gateway, gateway.organization
        self.address = str(self.organization.new_inbox()["email_address"])
        self.organizer = str(self.organization.new_inbox()["email_address"])
        self.uid = f"{uuid.uuid4().hex}@postern.test"
        raw = RAW.format(to=self.address, organizer=self.organizer, uid=self.uid)
        deliver(gateway.port("smtp"), raw.encode(), self.address)
        [self.message] = until(self._listed, why="the invitation is there")

    def _listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.request("GET", f"/api/v0/inboxes/{self.address}/messages").json()[
            "messages"
        ]
        return found

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        headers["Authorization"] = f"Bearer {self.organization.api_key}"
        return httpx.request(
            method, f"{self.gateway.base_url}{path}", json=body, headers=headers, timeout=30, trust_env=False
        )

    def answer(self, answered: int = 1) -> tuple[dict[str, Any], Message]:
        """The newest of the answers that the organizer has: as data, and whole."""
        path = f"/api/v0/inboxes/{self.organizer}/messages"
        rows = until(
            lambda: (
                (found := self.request("GET", path).json()["messages"]) and len(found) == answered and found
            ),
            why="the answer",
        )
        link = self.request("GET", f"{path}/{rows[0]['message_id']}/raw").json()["download_url"]
        raw = httpx.get(link, timeout=30, trust_env=False).content
        [event] = rows[0]["calendar"]
        assert (event["method"], event["uid"], event["sequence"]) == ("reply", self.uid, 1)
        assert parse(raw).defects == []
        return event, message_from_bytes(raw)


@pytest.fixture
def desk(gateway: GatewayProcess) -> Desk:
    return Desk(gateway)


async def test_every_dialect_shows_an_invitation(desk: Desk) -> None:
    expected = {
        "method": "request",
        "uid": desk.uid,
        "sequence": 1,
        "occurrence": None,
        "start": "2026-02-03T10:00:00Z",
        "end": "2026-02-03T11:00:00Z",
        "timezone": "UTC",
        "recurrence": None,
        "summary": "Plans",
        "location": "",
        "description": "",
        "status": None,
        "organizer": {"name": "Ann", "email": desk.organizer},
        "attendees": [
            {
                "name": "Agent",
                "email": desk.address,
                "role": "req-participant",
                "status": "needs-action",
                "rsvp": True,
            }
        ],
    }
    whole = desk.request(
        "GET", f"/api/v0/inboxes/{desk.address}/messages/{desk.message['message_id']}"
    ).json()
    [kit] = desk.request("GET", f"/api/v1/inboxes/{desk.address}/messages").json()["data"]
    [camel] = desk.request("GET", f"/v1/inboxes/{desk.address}/messages").json()["data"]
    for seen in (desk.message, whole, kit, camel):
        assert seen["calendar"] == [expected]
    async with over_http(desk.organization.base_url, desk.organization.api_key) as client:
        read = await done(
            client, "read_message", inbox_id=desk.address, message_id=desk.message["message_id"]
        )
        [event] = read["message"]["untrusted"]["calendar"]
        assert (event["uid"], event["organizer"]) == (desk.uid, f"Ann <{desk.organizer}>")
    shown = desk.gateway.postern("message", "show", desk.message["message_id"]).stdout
    assert f"request, Plans, 2026-02-03T10:00:00Z to 2026-02-03T11:00:00Z, {desk.organizer}" in shown


@pytest.mark.parametrize("dialect", ["/api/v0", "/v1", "/api/v1"])
def test_every_dialect_answers_an_invitation_once(desk: Desk, dialect: str) -> None:
    path = f"{dialect}/inboxes/{desk.address}/messages/{desk.message['message_id']}/rsvp"
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first, again = (
        desk.request("POST", path, {"response": "accept", "text": "See you there."}, **key) for _ in range(2)
    )
    assert first.status_code in (200, 201), first.text
    assert again.json() == first.json()
    event, whole = desk.answer()
    assert [(one["email"], one["status"]) for one in event["attendees"]] == [(desk.address, "accepted")]
    assert whole["Subject"] == "Accepted: Plans"
    assert whole["In-Reply-To"] == f"<{desk.uid}>"
    assert [part.get_content_type() for part in whole.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/calendar",
    ]
    calendar = list(whole.walk())[2]
    assert calendar.get_param("method") == "REPLY"
    assert b"COMMENT:See you there." in calendar.get_payload(decode=True)


async def test_mcp_answers_an_invitation(desk: Desk) -> None:
    async with over_http(desk.organization.base_url, desk.organization.api_key) as client:
        given = {"inbox_id": desk.address, "message_id": desk.message["message_id"]}
        _, error = await refused(client, "reply_to_email", **given, rsvp="decline", cc="x@postern.test")
        assert error["argument"] == "cc"
        sent = await done(client, "reply_to_email", **given, rsvp="decline")
        assert sent["to"] == [desk.organizer]
        event, whole = desk.answer()
        assert [(one["email"], one["status"]) for one in event["attendees"]] == [(desk.address, "declined")]
        assert whole["Subject"] == "Declined: Plans"


def test_an_alias_answers_as_itself(gateway: GatewayProcess) -> None:
    desk = Desk(gateway)
    alias = f"sales-{uuid.uuid4().hex[:8]}@postern.test"
    body = {"address": alias, "inbox_ids": [desk.address]}
    assert desk.request("POST", "/api/v0/aliases", body).status_code == 201
    raw = RAW.format(to=alias, organizer=desk.organizer, uid=desk.uid).replace(
        f"<{desk.uid}>", "<second@x.test>"
    )
    deliver(gateway.port("smtp"), raw.encode(), alias)
    path = f"/api/v0/inboxes/{desk.address}/messages"
    rows = until(
        lambda: len(rows := desk.request("GET", path).json()["messages"]) == 2 and rows, why="it came"
    )
    second = next(one for one in rows if one["to"] == [alias])
    got = desk.request("POST", f"{path}/{second['message_id']}/rsvp", {"response": "tentative"})
    assert got.status_code == 200, got.text
    event, _ = desk.answer()
    assert [(one["email"], one["status"]) for one in event["attendees"]] == [(alias, "tentative")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"response": "accept", "uid": "another"}, "uid"),
        ({"response": "perhaps"}, "response"),
        ({}, "response"),
    ],
)
def test_what_cannot_be_answered_is_refused(desk: Desk, body: dict[str, str], field: str) -> None:
    path = f"/api/v0/inboxes/{desk.address}/messages/{desk.message['message_id']}/rsvp"
    got = desk.request("POST", path, body)
    assert got.status_code == 400
    assert field in got.text


def test_a_mail_without_an_invitation_cannot_be_answered_so(desk: Desk) -> None:
    sent = desk.request(
        "POST",
        f"/api/v0/inboxes/{desk.address}/messages/send",
        {"to": desk.organizer, "subject": "x", "text": "x"},
    ).json()
    path = f"/api/v0/inboxes/{desk.address}/messages/{sent['message_id']}/rsvp"
    got = desk.request("POST", path, {"response": "accept"})
    assert (got.status_code, "no invitation" in got.text) == (400, True)
