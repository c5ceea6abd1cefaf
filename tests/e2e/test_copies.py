"""Copies of one mail: which are the same message, and which are two; and reading the mail of one second by time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.mails import deliver
from tests.support.servers import NameServer
from tests.support.waiting import until

ZONES: dict[tuple[str, str], list[str] | None] = {
    ("law.test", "TXT"): ['"v=spf1 ip4:127.0.0.1 -all"'],
    ("_dmarc.law.test", "TXT"): ['"v=DMARC1; p=reject"'],
    ("evil.test", "TXT"): ['"v=spf1 ip4:127.0.0.1 -all"'],
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(NameServer(dict(ZONES))) as dns,
        running_gateway(
            tmp_path_factory.mktemp("copies"),
            mail__verify_authentication=True,
            dns__nameservers=["127.0.0.1"],
            dns__port=dns.port,
            dns__timeout=2.0,
        ) as running,
    ):
        yield running


def _mail(extra: str = "", subject: str = "Contract") -> bytes:
    return (
        f"From: Notary <notary@law.test>\r\nTo: parties@law.test\r\nSubject: {subject}\r\n"
        f"Date: Sun, 29 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{subject}@law.test>\r\n{extra}"
        "Content-Type: text/plain\r\n\r\nAnswer this mail with the signed contract.\r\n"
    ).encode()


def _messages(gateway: GatewayProcess, address: str, **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = gateway.organization.call("GET", f"inboxes/{address}/messages", params=query)
    return found


def _whole(gateway: GatewayProcess, address: str) -> list[dict[str, Any]]:
    rows = _messages(gateway, address, include_unauthenticated="true")["messages"]
    return [
        gateway.organization.call("GET", f"inboxes/{address}/messages/{one['message_id']}") for one in rows
    ]


def test_a_forged_copy_that_came_first_hides_nothing(gateway: GatewayProcess) -> None:
    address = gateway.organization.new_inbox()["email_address"]
    forged = _mail("Reply-To: notary@1aw.test\r\n")
    deliver(gateway.port("smtp"), forged, address, sender="x@evil.test")
    until(lambda: _messages(gateway, address)["unauthenticated_count"] == 1, why="the forged copy is counted")
    assert _messages(gateway, address)["messages"] == []
    deliver(gateway.port("smtp"), _mail(), address, sender="notary@law.test")
    until(lambda: _messages(gateway, address)["total"] == 1, why="the true one is listed")
    true, false = sorted(_whole(gateway, address), key=lambda one: "unauthenticated" in one["labels"])
    assert (true["reply_to"] or [], "dmarc=pass" in str(true["headers"])) == ([], True)
    assert (false["reply_to"], "dmarc=fail" in str(false["headers"])) == (["notary@1aw.test"], True)


def test_the_same_octets_are_two_messages_where_only_one_passed(gateway: GatewayProcess) -> None:
    address = gateway.organization.new_inbox()["email_address"]
    deliver(gateway.port("smtp"), _mail(), address, sender="x@evil.test")
    until(lambda: _messages(gateway, address)["unauthenticated_count"] == 1, why="the forged copy is there")
    deliver(gateway.port("smtp"), _mail(), address, sender="notary@law.test")
    until(lambda: _messages(gateway, address)["total"] == 1, why="the true one is listed")
    # and a sender that missed our 250 repeats it: that is no news
    deliver(gateway.port("smtp"), _mail(), address, sender="notary@law.test")
    deliver(gateway.port("smtp"), _mail(subject="after"), address, sender="notary@law.test")
    until(
        lambda: "after" in [one["subject"] for one in _messages(gateway, address)["messages"]],
        why="what came after the repeat",
    )
    assert _messages(gateway, address)["total"] == 2


def test_what_failed_is_counted_and_shown_on_demand_in_every_dialect(gateway: GatewayProcess) -> None:
    organization = gateway.organization
    box = organization.new_inbox()
    address = box["email_address"]
    deliver(gateway.port("smtp"), _mail(), address, sender="x@evil.test")
    until(lambda: _messages(gateway, address)["unauthenticated_count"] == 1, why="it is counted")
    shown = {"include_unauthenticated": "true"}
    headers = {"Authorization": f"Bearer {organization.api_key}"}

    def get(path: str, **query: str) -> Any:
        answer = httpx.get(f"{gateway.base_url}{path}", params=query, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    for kind in ("messages", "threads"):
        plain, whole = (get(f"/v1/inboxes/{address}/{kind}", **more) for more in ({}, shown))
        assert (plain["total"], plain["data"], plain["unauthenticatedCount"]) == (0, [], 1)
        assert (whole["total"], len(whole["data"]), whole["unauthenticatedCount"]) == (1, 1, 1)
        plain, whole = (get(f"/api/v1/inboxes/{address}/{kind}", **more) for more in ({}, shown))
        assert (plain["meta"]["total"], plain["data"], plain["meta"]["unauthenticated_count"]) == (0, [], 1)
        assert (whole["meta"]["total"], len(whole["data"])) == (1, 1)
        plain, whole = (get(f"/api/v0/inboxes/{address}/{kind}", **more) for more in ({}, shown))
        assert (plain["total"], plain[kind], plain["unauthenticated_count"]) == (0, [], 1)
        assert (whole["total"], len(whole[kind])) == (1, 1)
        everywhere = get(f"/api/v0/{kind}")
        assert everywhere["unauthenticated_count"] >= 1
    thread = get(f"/v1/inboxes/{address}/threads", **shown)["data"][0]["id"]
    assert get(f"/v1/threads/{thread}/messages")["data"] == []
    assert len(get(f"/v1/threads/{thread}/messages", **shown)["data"]) == 1


@pytest.mark.parametrize(
    "changed",
    [
        "Reply-To: other@law.test\r\n",
        "X-Copy: two\r\n",
        "List-Unsubscribe: <https://law.test/u>\r\n",
        "Content-Transfer-Encoding: quoted-printable\r\n",
        "Sender: other@law.test\r\n",
    ],
)
def test_a_copy_that_shows_a_reader_anything_else_is_a_message_of_its_own(
    gateway: GatewayProcess, changed: str
) -> None:
    address = gateway.organization.new_inbox()["email_address"]
    for extra in ("", changed):
        deliver(gateway.port("smtp"), _mail(extra), address, sender="notary@law.test")
    until(lambda: _messages(gateway, address)["total"] == 2, why="both are listed")
    for one in _whole(gateway, address):
        link = gateway.organization.call("GET", f"inboxes/{address}/messages/{one['message_id']}/raw")[
            "download_url"
        ]
        with gateway.organization.client() as http:
            raw = http.get(link).content
        assert len(raw) == one["size"]
        name = changed.partition(":")[0]
        assert (name in one["headers"]) == (name.encode() in raw)


def test_asking_for_what_is_newer_than_the_newest_loses_nothing(gateway: GatewayProcess) -> None:
    address = gateway.organization.new_inbox()["email_address"]
    wanted = {f"burst{n}" for n in range(12)}
    seen: list[str] = []
    newest = "2020-01-01T00:00:00Z"

    def poll() -> bool:
        nonlocal newest
        found = _messages(gateway, address, after=newest, ascending="true", limit="3")
        for one in found["messages"]:
            seen.append(one["subject"])
            newest = one["timestamp"]
        return wanted <= set(seen)

    for subject in sorted(wanted):
        deliver(gateway.port("smtp"), _mail(subject=subject), address, sender="notary@law.test")
        poll()
        time.sleep(0.05)
    until(poll, why="all of them were seen")
    assert sorted(seen) == sorted(wanted)
