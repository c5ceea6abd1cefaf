"""Who wrote a message, as every view of it says: the three dialects, MCP, events and the command line."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from tests.mcp.clients import done, over_http
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint

pytestmark = pytest.mark.anyio

RESULTS = (
    "spf=pass smtp.mailfrom=ann@mail.far.test policy.aligned=relaxed;\r\n"
    "\tdkim=pass header.d=far.test header.s=sel policy.aligned=strict;\r\n"
    "\tdmarc=pass header.from=far.test policy.published=reject policy.domain=far.test;\r\n"
    '\tarc=pass policy.chain="far.test:list.test"'
)
EXPECTED: dict[str, Any] = {
    "verdict": "authenticated",
    "identity": "far.test",
    "spf": {"result": "pass", "domain": "mail.far.test", "aligned": "relaxed"},
    "dkim": [{"result": "pass", "domain": "far.test", "selector": "sel", "aligned": "strict"}],
    "dmarc": {"result": "pass", "policy": "reject", "domain": "far.test", "aligned_by": ["dkim", "spf"]},
    "arc": {"result": "pass", "chain": ["far.test", "list.test"], "rescued_by": None},
    "first_contact": {"address": True, "domain": True},
    "signals": [{"name": "reply_to_differs", "detail": "desk@near.test"}],
}


def _mail(to: str, sender: str = "Ann <ann@far.test>", number: int = 1) -> bytes:
    host = f"mail.{to.partition('@')[2]}"
    return (
        f"Authentication-Results: {host};\r\n\t{RESULTS}\r\n"
        f"Received: from far.test by {host}; {formatdate()}\r\n"
        f"From: {sender}\r\nReply-To: desk@near.test\r\nTo: {to}\r\n"
        f"Subject: Trust {number}\r\nMessage-ID: <trust{number}@far.test>\r\n"
        "Date: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\nHello\r\n"
    ).encode()


@contextmanager
def _mailbox(gateway: GatewayProcess, address: str, key: str) -> Iterator[imaplib.IMAP4]:
    """A session of the inbox's own, which puts mail where the mail server would deliver it."""
    with imaplib.IMAP4("127.0.0.1", gateway.port("imap"), timeout=60) as client:
        client.login(address, key)
        yield client


def _call(organization: Organization, method: str, path: str, body: Any = None) -> Any:
    answer = httpx.request(
        method, f"{organization.base_url}{path}", headers=organization.headers, json=body, timeout=30
    )
    assert answer.is_success, answer.text
    return answer.json()


def _listed(organization: Organization, address: str, count: int) -> Any:
    found = _call(organization, "GET", f"/api/v0/inboxes/{address}/messages")["messages"]
    received = [one for one in found if one["direction"] == "inbound"]
    return received if len(received) == count else None


async def test_every_view_says_who_wrote_a_message(
    gateway: GatewayProcess, organization: Organization
) -> None:
    with webhook_endpoint() as endpoint:
        inbox = _call(
            organization,
            "POST",
            "/v1/inboxes",
            {"mailboxName": f"trust-{organization.id[-6:]}", "webhookUrl": endpoint.url},
        )
        address = inbox["address"]
        hook = {"url": endpoint.url, "events": ["message.received"]}
        _call(organization, "POST", "/api/v1/webhooks", hook)
        with _mailbox(gateway, address, organization.api_key) as client:
            client.append("INBOX", None, None, _mail(address))
        posts = until(lambda: endpoint.posts[1:], why="both webhooks are posted")
        events = [one.json for one in (endpoint.posts[0], *posts)]
    seen = [one["message"]["trust"] if "message" in one else one["data"]["trust"] for one in events]
    assert seen == [EXPECTED, EXPECTED]

    [item] = _call(organization, "GET", f"/api/v0/inboxes/{address}/messages")["messages"]
    whole = _call(organization, "GET", f"/api/v0/inboxes/{address}/messages/{item['message_id']}")
    [kit] = _call(organization, "GET", f"/api/v1/inboxes/{address}/messages")["data"]
    assert [one["trust"] for one in (item, whole, kit)] == [EXPECTED] * 3
    [camel] = _call(organization, "GET", f"/v1/inboxes/{address}/messages")["data"]
    shared = {name: value for name, value in EXPECTED.items() if name != "first_contact"}
    assert camel["trust"] == {
        **shared,
        "dmarc": {"result": "pass", "policy": "reject", "domain": "far.test", "alignedBy": ["dkim", "spf"]},
        "arc": {"result": "pass", "chain": ["far.test", "list.test"], "rescuedBy": None},
        "firstContact": {"address": True, "domain": True},
    }
    async with over_http(organization.base_url, organization.api_key) as client:
        read = await done(client, "read_message", inbox_id=address, message_id=item["message_id"])
    assert read["message"]["trust"] == {
        "verdict": "authenticated",
        "identity": "far.test",
        "first_contact": "domain",
        "signals": ["reply_to_differs"],
    }
    assert read["message"]["untrusted"]["signals"] == {"reply_to_differs": "desk@near.test"}
    assert read["message"]["authentication"]["verdict"] == "verified"


def test_the_command_line_says_it_and_what_an_inbox_sends_has_none(gateway: GatewayProcess) -> None:
    organization = gateway.organization
    address = organization.new_inbox()["email_address"]
    with _mailbox(gateway, address, organization.api_key) as client:
        client.append("INBOX", None, None, _mail(address))
    [first] = until(lambda: _listed(organization, address, 1), why="the mail is listed")
    shown = gateway.postern("message", "show", first["message_id"]).stdout
    assert (
        "authenticated far.test by DKIM and SPF, first contact with the domain (SPF pass, DMARC pass)"
        in shown
    )
    with _mailbox(gateway, address, organization.api_key) as client:
        client.append("INBOX", None, None, _mail(address, "Bo <bo@far.test>", number=2))
    [second, _] = until(lambda: _listed(organization, address, 2), why="the second mail is listed")
    assert second["trust"]["first_contact"] == {"address": True, "domain": False}
    _call(
        organization,
        "POST",
        f"/api/v0/inboxes/{address}/messages/send",
        {"to": "a@harbour.test", "text": "x"},
    )
    with _mailbox(gateway, address, organization.api_key) as client:
        client.append("INBOX", None, None, _mail(address, "Bo <bo@harb0ur.test>", number=3))
    [third, *_] = until(lambda: _listed(organization, address, 3), why="the third mail is listed")
    assert {"name": "lookalike_domain", "detail": "harbour.test"} in third["trust"]["signals"]
    assert "lookalike domain: harbour.test" in gateway.postern("message", "show", third["message_id"]).stdout
    sent = _call(
        organization, "POST", f"/api/v0/inboxes/{address}/messages/send", {"to": address, "text": "x"}
    )
    mine = _call(organization, "GET", f"/api/v0/inboxes/{address}/messages/{sent['message_id']}")
    assert mine["trust"] is None
