"""The management resources on the real embedded mail server: one contract test or more for each endpoint."""

from __future__ import annotations

import asyncio
import imaplib
import itertools
import re
import smtplib
from typing import Any

import pytest

from gateway.core.inboxes import inboxes
from gateway.records.ids import now_us
from gateway.store.sql import sql
from tests.support.running_api import RunningApi, running_api
from tests.support.servers import NameServer

pytestmark = pytest.mark.anyio
V0 = "/api/v0"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
names = (f"agent-{n}" for n in itertools.count(1))


async def inbox(running: RunningApi, **body: Any) -> dict[str, Any]:
    answer = await running.api.post(f"{V0}/inboxes", json={"username": next(names), **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def refused_at_smtp(running: RunningApi, address: str) -> int:
    end = running.core.mail.access().smtp
    with smtplib.SMTP(end.host, end.port, timeout=10) as smtp:
        smtp.ehlo()
        smtp.mail("a@far.example")
        return smtp.rcpt(address)[0]


async def test_organization_and_identity(running: RunningApi) -> None:
    got = (await running.api.get(f"{V0}/organizations")).json()
    assert got["org_id"] == got["organization_id"] == f"org_{running.scope.organization}"
    assert set(got) >= {"name", "inbox_count", "inbox_limit", "domain_count", "domain_limit"}
    assert TIME.fullmatch(got["created_at"])
    me = (await running.api.get(f"{V0}/auth/me")).json()
    assert me["scope_type"] == "organization"
    assert me["scope_id"] == got["org_id"]


async def test_inbox_life(running: RunningApi) -> None:
    made = await inbox(running, display_name="Agent Øne", metadata={"team": "a", "n": 1})
    assert made["email"] == made["email_address"] == f"{made['username']}@postern.test"
    assert made["display_name"] == "Agent Øne"
    assert made["client_id"] is None
    assert made["inbox_id"] == made["email"]
    assert made["postern_id"].startswith("inb_")
    assert TIME.fullmatch(made["created_at"])
    for ref in (made["postern_id"], made["email"], made["email"].upper(), made["email"].replace("@", "%40")):
        assert (await running.api.get(f"{V0}/inboxes/{ref}")).json() == made
    changed = (
        await running.api.patch(
            f"{V0}/inboxes/{made['inbox_id']}",
            json={"display_name": "B", "metadata": {"team": None, "x": True}, "unknown": 1},
        )
    ).json()
    assert changed["display_name"] == "B"
    assert changed["metadata"] == {"n": 1, "x": True}
    assert changed["updated_at"] > made["updated_at"]
    listed = (await running.api.get(f"{V0}/inboxes")).json()
    assert listed["data"] == listed["inboxes"]
    assert changed in listed["data"]
    found = (await running.api.get(f"{V0}/inboxes/search", params={"q": made["username"].upper()})).json()
    assert [one["inbox_id"] for one in found["inboxes"]] == [made["inbox_id"]]
    assert await asyncio.to_thread(refused_at_smtp, running, made["email"]) == 250
    gone = await running.api.delete(f"{V0}/inboxes/{made['inbox_id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await running.api.get(f"{V0}/inboxes/{made['inbox_id']}")).status_code == 404
    assert await asyncio.to_thread(refused_at_smtp, running, made["email"]) == 550


async def test_eight_creates_have_one_winner(running: RunningApi) -> None:
    name = next(names)
    answers = await asyncio.gather(
        *(running.api.post(f"{V0}/inboxes", json={"username": name}) for _ in range(8))
    )
    codes = sorted(one.status_code for one in answers)
    assert codes == [201] + [403] * 7
    taken = next(one.json() for one in answers if one.status_code == 403)
    assert (taken["name"], taken["code"]) == ("IsTakenError", "resource_taken")
    assert taken["fix"]


async def test_client_id_is_idempotent(running: RunningApi) -> None:
    name = next(names)
    body = {"username": name, "client_id": f"c-{name}"}
    first = await running.api.post(f"{V0}/inboxes", json=body)
    again = await running.api.post(f"{V0}/inboxes", json=body)
    unnamed = await running.api.post(
        f"{V0}/inboxes", json={"client_id": f"c-{name}"}, headers={"X-Fern-SDK-Name": "agentmail"}
    )
    other = await running.api.post(f"{V0}/inboxes", json={"username": next(names), "client_id": f"c-{name}"})
    assert (first.status_code, again.status_code, unnamed.status_code, other.status_code) == (
        201,
        200,
        200,
        201,
    )
    ids = [one.json()["inbox_id"] for one in (first, again, unnamed, other)]
    assert ids[0] == ids[1] == ids[2] != ids[3]


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"username": ""},
        {"username": " "},
        {"username": None},
        {"client_id": "mine"},
        {"display_name": "x"},
    ],
)
async def test_a_missing_username_is_drawn(running: RunningApi, body: dict[str, Any] | None) -> None:
    for headers in ({}, {"X-Fern-SDK-Name": "agentmail"}):
        made = await running.api.post(f"{V0}/inboxes", json=body, headers=headers)
        assert made.status_code in (200, 201), made.text  # a client_id that was given before: 200
        assert made.json()["username"]


@pytest.mark.parametrize("labels", ["urgent", 5, {"a": 1}, [5], [["a"]], True])
async def test_labels_that_are_no_list_are_refused(running: RunningApi, labels: Any) -> None:
    box = await inbox(running)
    for path in ("messages/send", "drafts"):
        body = {"to": "ann@far.example", "text": "x", "labels": labels}
        answer = await running.api.post(f"{V0}/inboxes/{box['email']}/{path}", json=body)
        assert answer.status_code == 400, path
        assert answer.json()["errors"][0]["field"].startswith("labels")


async def test_a_message_has_fifty_recipients_at_most(running: RunningApi) -> None:
    box = await inbox(running)
    people = [f"p{number}@far.example" for number in range(51)]
    body = {"to": people[:30], "cc": people[30:40], "bcc": people[40:], "text": "x"}
    answer = await running.api.post(f"{V0}/inboxes/{box['email']}/messages/send", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_recipients")
    draft = (await running.api.post(f"{V0}/inboxes/{box['email']}/drafts", json=body)).json()
    answer = await running.api.post(f"{V0}/inboxes/{box['email']}/drafts/{draft['draft_id']}/send", json={})
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_recipients")
    body["bcc"] = people[40:50]
    answer = await running.api.post(f"{V0}/inboxes/{box['email']}/messages/send", json=body)
    assert answer.status_code == 200, answer.text
    await running.api.delete(f"{V0}/inboxes/{box['email']}")


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("username", {"username": "a b"}),
        ("username", {"username": "a@b"}),
        ("username", {"username": "ünï"}),
        ("username", {"username": ".a"}),
        ("username", {"username": "x" * 65}),
        ("username", {"username": "a\r\nb"}),
        ("username", {"username": 5}),
        ("domain", {"username": "ok", "domain": "not a domain"}),
        ("domain", {"username": "ok", "domain": "unknown.example"}),
        ("display_name", {"username": "ok", "display_name": "a\r\nBcc: x@y.z"}),
        ("metadata.a", {"username": "ok", "metadata": {"a": {"b": 1}}}),
    ],
)
async def test_bad_inboxes_name_the_field(running: RunningApi, field: str, body: dict[str, Any]) -> None:
    answer = await running.api.post(f"{V0}/inboxes", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert answer.json()["name"] == "ValidationError"


async def test_credentials_open_the_mailbox(running: RunningApi) -> None:
    made = await inbox(running)
    answer = await running.api.post(f"{V0}/inboxes/{made['email']}/credentials")
    got = answer.json()

    def login(password: str) -> bool:
        client = imaplib.IMAP4(got["imap"]["host"], got["imap"]["port"], timeout=10)
        try:
            return client.login(got["username"], password)[0] == "OK"
        except imaplib.IMAP4.error:
            return False
        finally:
            client.shutdown()

    assert await asyncio.to_thread(login, got["password"])
    assert (await running.api.delete(f"{V0}/inboxes/{made['email']}/credentials")).status_code == 204
    assert not await asyncio.to_thread(login, got["password"])


async def test_deletion_leaves_nothing(running: RunningApi) -> None:
    made = await inbox(running)
    ulid = made["postern_id"][4:]
    ref = made["inbox_id"]
    await running.api.post(f"{V0}/inboxes/{ref}/api-keys", json={"name": "mine"})
    await running.api.post(
        f"{V0}/inboxes/{ref}/webhooks",
        json={"url": "http://127.0.0.1:9/x", "event_types": ["message.received"]},
    )
    await running.api.post(f"{V0}/inboxes/{ref}/lists/send/allow", json={"entry": "a.example"})
    await running.core.store.write(
        lambda tx: running.core.events.append(
            tx,
            "message.sent",
            organization_id=running.scope.organization,
            inbox_id=ulid,
            subject="s",
            payload={},
        )
    )
    assert (await running.api.delete(f"{V0}/inboxes/{ref}")).status_code == 204
    for table in ("api_key", "webhook", "list_entry", "event", "delivery", "folder", "message", "row_total"):
        count = await running.core.store.read(
            lambda tx, table=table: sql(tx).value(f"SELECT count(*) FROM {table} WHERE inbox_id = ?", ulid)
        )
        assert count == 0, table


async def test_a_crash_in_a_creation_or_deletion_is_finished(running: RunningApi) -> None:
    half, gone = await inbox(running), await inbox(running)
    await running.core.mail.remove_mailbox(half["email"])

    def crash(tx: Any) -> None:
        sql(tx).run("UPDATE inbox SET status = 'creating' WHERE id = ?", half["postern_id"][4:])
        sql(tx).run("UPDATE inbox SET status = 'deleting' WHERE id = ?", gone["postern_id"][4:])

    await running.core.store.write(crash)
    assert (await running.api.get(f"{V0}/inboxes/{gone['inbox_id']}")).status_code == 404
    await inboxes.finish_deletions(running.core)
    assert await asyncio.to_thread(refused_at_smtp, running, half["email"]) == 250
    assert await asyncio.to_thread(refused_at_smtp, running, gone["email"]) == 550
    assert (await running.api.get(f"{V0}/inboxes/{half['inbox_id']}")).json()["status"] == "active"


async def test_pods(running: RunningApi) -> None:
    pod = (await running.api.post(f"{V0}/pods", json={"name": "Team", "client_id": "team"})).json()
    again = await running.api.post(f"{V0}/pods", json={"client_id": "team"})
    assert (again.status_code, again.json()["pod_id"]) == (200, pod["pod_id"])
    made = (
        await running.api.post(f"{V0}/pods/{pod['pod_id']}/inboxes", json={"username": next(names)})
    ).json()
    assert made["pod_id"] == pod["pod_id"]
    inside = (await running.api.get(f"{V0}/pods/{pod['pod_id']}/inboxes")).json()
    assert [one["inbox_id"] for one in inside["data"]] == [made["inbox_id"]]
    elsewhere = await inbox(running)
    assert (
        await running.api.get(f"{V0}/pods/{pod['pod_id']}/inboxes/{elsewhere['inbox_id']}")
    ).status_code == 404
    used = await running.api.delete(f"{V0}/pods/{pod['pod_id']}")
    assert (used.status_code, used.json()["name"]) == (409, "ConflictError")
    assert (await running.api.patch(f"{V0}/pods/{pod['pod_id']}", json={"name": "T2"})).json()["name"] == "T2"
    assert pod["pod_id"] in [one["pod_id"] for one in (await running.api.get(f"{V0}/pods")).json()["pods"]]
    key = (await running.api.post(f"{V0}/pods/{pod['pod_id']}/api-keys", json={"name": "pod"})).json()
    async with running.as_key(key["key"]) as narrow:
        seen = (await narrow.get(f"{V0}/inboxes")).json()
        assert [one["inbox_id"] for one in seen["data"]] == [made["inbox_id"]]
        assert (await narrow.get(f"{V0}/inboxes/{elsewhere['inbox_id']}")).status_code == 403
        assert (await narrow.get(f"{V0}/auth/me")).json()["scope_id"] == pod["pod_id"]
    await running.api.delete(f"{V0}/inboxes/{made['inbox_id']}")
    assert (await running.api.delete(f"{V0}/pods/{pod['pod_id']}")).status_code == 204
    async with running.as_key(key["key"]) as narrow:
        assert (await narrow.get(f"{V0}/inboxes")).status_code == 401


async def test_domains_without_dns(running: RunningApi) -> None:
    answer = await running.api.post(f"{V0}/domains", json={"domain": "Example-A.test"})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["domain_id"] == made["domain"] == "example-a.test"
    assert (made["status"], made["feedback_enabled"], made["tracking_enabled"]) == ("PENDING", True, False)
    kinds = [(one["type"], one["name"], one["status"], one["priority"]) for one in made["records"]]
    assert kinds == [
        ("MX", "example-a.test", "MISSING", 10),
        ("TXT", "example-a.test", "MISSING", None),
        ("TXT", "dkim._domainkey.example-a.test", "MISSING", None),
        ("TXT", "_dmarc.example-a.test", "MISSING", None),
    ]
    assert "private" not in answer.text.lower()
    assert (await running.api.post(f"{V0}/domains", json={"domain": "example-a.test"})).status_code == 403
    checked = (await running.api.post(f"{V0}/domains/example-a.test/verify")).json()
    assert checked["status"] == "PENDING"
    zone = await running.api.get(f"{V0}/domains/example-a.test/zone-file")
    assert zone.text.startswith("example-a.test.\t3600\tIN\tMX\t10 ")
    assert "domains" in (await running.api.get(f"{V0}/domains")).json()
    made = await inbox(running, domain="example-a.test")
    assert (await running.api.delete(f"{V0}/domains/example-a.test")).status_code == 409
    await running.api.delete(f"{V0}/inboxes/{made['inbox_id']}")
    assert (await running.api.delete(f"{V0}/domains/example-a.test")).status_code == 204
    assert (await running.api.get(f"{V0}/domains/example-a.test")).status_code == 404
    for bad in ("", "nodot", "a b.c", "-", "x" * 300 + ".test"):
        assert (await running.api.post(f"{V0}/domains", json={"domain": bad})).status_code == 400, bad


async def test_verification_asks_dns_and_tells(tmp_path: Any) -> None:
    zones: dict[Any, Any] = {}
    async with NameServer(zones, ()) as dns, running_api(tmp_path, dns__port=dns.port) as running:
        made = (await running.api.post(f"{V0}/domains", json={"domain": "real.test"})).json()
        for one in made["records"]:
            value = one["value"]
            parts = " ".join(f'"{value[at : at + 250]}"' for at in range(0, len(value), 250))
            zones[(one["name"], one["type"])] = [f"10 {value}."] if one["type"] == "MX" else [parts]
        checked = (await running.api.post(f"{V0}/domains/real.test/verify")).json()
        assert checked["status"] == "VERIFIED", checked
        assert {one["status"] for one in checked["records"]} == {"VALID"}
        await running.api.post(f"{V0}/domains/real.test/verify")
        events = (await running.api.get(f"{V0}/events")).json()["events"]
        assert [one["event_type"] for one in events] == ["domain.verified"]
        assert events[0]["domain"]["domain_id"] == "real.test"
        zones[("_dmarc.real.test", "TXT")] = ['"v=DMARC1; p=nonsense"']
        assert (await running.api.post(f"{V0}/domains/real.test/verify")).json()["status"] == "INVALID"


HOOK = {"url": "https://hooks.example/in", "event_types": ["message.received"]}


async def test_webhook_life(running: RunningApi) -> None:
    box = await inbox(running)
    answer = await running.api.post(f"{V0}/webhooks", json={**HOOK, "inbox_ids": [box["email"]]})
    made = answer.json()
    assert answer.status_code == 201
    assert made["secret"].startswith("whsec_")
    assert made["inbox_ids"] == [box["inbox_id"]]
    path = f"{V0}/webhooks/{made['webhook_id']}"
    shown = (await running.api.get(path)).json()
    assert "secret" not in shown
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert "secret" not in (await running.api.get(f"{V0}/webhooks")).text
    changed = (
        await running.api.patch(path, json={"event_types": [], "inbox_ids": [], "enabled": False})
    ).json()
    assert (changed["event_types"], changed["inbox_ids"], changed["enabled"]) == (
        ["message.received"],
        [],
        False,
    )
    added = (await running.api.patch(path, json={"add_inbox_ids": [box["inbox_id"]], "enabled": True})).json()
    assert (added["inbox_ids"], added["enabled"]) == ([box["inbox_id"]], True)
    removed = (await running.api.patch(path, json={"remove_inbox_ids": [box["email"]]})).json()
    assert removed["inbox_ids"] == []
    turned = (await running.api.post(f"{path}/rotate-secret")).json()
    assert turned["secret"] != made["secret"]
    row = await running.core.store.read(
        lambda tx: sql(tx).row("SELECT * FROM webhook WHERE id = ?", made["webhook_id"][3:])
    )
    assert row is not None
    assert row["old_secret"] == made["secret"]
    assert 23 * 3600e6 < row["old_secret_until"] - now_us() <= 24 * 3600e6
    names_ = (await running.api.patch(f"{path}/headers", json={"headers": {"X-Token": "t"}})).json()
    assert names_ == {"header_names": ["X-Token"]}
    bad = await running.api.patch(f"{path}/headers", json={"headers": {"X-A": "a\r\nb"}})
    assert bad.status_code == 400
    assert (await running.api.get(f"{path}/headers")).json() == names_
    assert (await running.api.get(f"{path}/attempts")).json()["attempts"] == []
    assert (await running.api.delete(path)).status_code == 204
    assert (await running.api.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("url", {"url": "ftp://x.example"}),
        ("url", {"url": "https://10.0.0.1/"}),
        ("url", {"url": "https://user:pw@x.example/"}),
        ("event_types[0]", {"event_types": ["message.nonsense"]}),
        ("event_types", {"event_types": None}),
        ("inbox_ids[0]", {"inbox_ids": ["inb_01arz3ndektsv4rrffq69g5fav"]}),
    ],
)
async def test_bad_webhooks_name_the_field(running: RunningApi, field: str, change: dict[str, Any]) -> None:
    answer = await running.api.post(f"{V0}/webhooks", json={**HOOK, **change})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field


async def test_replay_queues_each_event_once(running: RunningApi) -> None:
    since = now_us()
    hook = (await running.api.post(f"{V0}/webhooks", json={**HOOK, "event_types": ["message.sent"]})).json()
    path = f"{V0}/webhooks/{hook['webhook_id']}"
    box = await inbox(running)
    ref = {
        "message_ref": {
            "inbox_id": box["postern_id"][4:],
            "thread_id": "t",
            "message_id": "m",
            "timestamp": 1,
        }
    }
    event = await running.core.store.write(
        lambda tx: running.core.events.append(
            tx,
            "message.sent",
            organization_id=running.scope.organization,
            inbox_id=box["postern_id"][4:],
            subject="x",
            payload={**ref, "timestamp": 1, "recipients": ["a@b.c"]},
        )
    )
    for body in ({"event_ids": [f"evt_{event}"]}, {"since": "2020-01-01T00:00:00Z"}):
        answer = await running.api.post(f"{path}/replay", json=body)
        assert answer.json() == {"count": 1}, (answer.text, since)
    rows = await running.core.store.read(
        lambda tx: sql(tx).rows("SELECT state FROM delivery WHERE webhook_id = ?", hook["webhook_id"][3:])
    )
    assert [row["state"] for row in rows] == ["pending"]
    assert (await running.api.post(f"{path}/replay", json={"failed": True})).json() == {"count": 0}
    assert (await running.api.post(f"{path}/replay", json={})).status_code == 400
    await running.api.delete(path)


async def test_api_keys(running: RunningApi) -> None:
    answer = await running.api.post(f"{V0}/api-keys", json={"name": "my-key"})
    made = answer.json()
    assert made["key"] == made["api_key"]
    assert re.fullmatch(r"inai_[0-9A-Za-z]{4}_[0-9A-Za-z]{39}", made["key"])
    assert re.fullmatch(r"inai_[0-9A-Za-z]{4}_", made["prefix"])
    assert made["key"].startswith(made["prefix"])
    assert made["used_at"] is None
    async with running.as_key(made["key"]) as mine:
        assert (await mine.get(f"{V0}/inboxes")).status_code == 200
        listed = await running.api.get(f"{V0}/api-keys")
        assert made["key"] not in listed.text
        row = next(one for one in listed.json()["api_keys"] if one["key_id"] == made["key_id"])
        assert row["used_at"]
        assert (await running.api.delete(f"{V0}/api-keys/{made['key_id']}")).status_code == 204
        assert (await mine.get(f"{V0}/inboxes")).status_code == 401
    assert (await running.api.post(f"{V0}/api-keys", json={})).status_code == 400
    sdk = await running.api.post(f"{V0}/api-keys", json={}, headers={"X-Fern-SDK-Name": "agentmail"})
    assert sdk.json()["name"] == "API key"


async def test_permissions_and_reach_of_an_inbox_key(running: RunningApi) -> None:
    box, other = await inbox(running), await inbox(running)
    made = (
        await running.api.post(
            f"{V0}/inboxes/{box['email']}/api-keys",
            json={
                "name": "narrow",
                "permissions": {"inbox_read": True, "api_key_create": True, "inbox_delete": False},
            },
        )
    ).json()
    assert made["inbox_id"] == box["inbox_id"]
    async with running.as_key(made["key"]) as narrow:
        assert (await narrow.get(f"{V0}/inboxes/{box['inbox_id']}")).status_code == 200
        assert (await narrow.get(f"{V0}/inboxes/{other['inbox_id']}")).status_code == 403
        refused = await narrow.delete(f"{V0}/inboxes/{box['inbox_id']}")
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_permission")
        more = await narrow.post(f"{V0}/api-keys", json={"name": "x", "permissions": {"inbox_delete": True}})
        assert more.status_code == 403
        child = (await narrow.post(f"{V0}/api-keys", json={"name": "child"})).json()
        assert child["inbox_id"] == box["inbox_id"]
        assert set(child["permissions"]) == {"inbox_read", "api_key_create"}


async def test_an_expired_key_is_refused(running: RunningApi) -> None:
    soon = (
        await running.api.post(f"{V0}/api-keys", json={"name": "soon", "expires_at": "2999-01-01T00:00:00Z"})
    ).json()
    await running.core.store.write(
        lambda tx: sql(tx).run("UPDATE api_key SET expires_at = 1 WHERE id = ?", soon["key_id"][4:])
    )
    async with running.as_key(soon["key"]) as late:
        assert (await late.get(f"{V0}/inboxes")).status_code == 401
    past = await running.api.post(f"{V0}/api-keys", json={"name": "x", "expires_at": "2001-01-01T00:00:00Z"})
    assert past.status_code == 400


async def test_lists(running: RunningApi) -> None:
    box = await inbox(running)
    for base in (V0, f"{V0}/inboxes/{box['email']}"):
        path = f"{base}/lists/send/allow"
        made = await running.api.post(path, json={"entry": "A@Example.test", "reason": "why"})
        assert made.status_code == 201
        assert made.json()["entry"] == "a@example.test"
        assert made.json()["entry_type"] == "email"
        assert (await running.api.post(path, json={"entry": "a@example.test"})).status_code == 200
        assert (await running.api.post(path, json={"entry": "example.test"})).json()["entry_type"] == "domain"
        got = (await running.api.get(path)).json()
        assert sorted(one["entry"] for one in got["entries"]) == ["a@example.test", "example.test"]
        assert (await running.api.get(f"{path}/a@example.test")).json()["reason"] == "why"
        assert (await running.api.delete(f"{path}/a%40example.test")).status_code == 204
        assert (await running.api.get(f"{path}/a@example.test")).status_code == 404
        assert (await running.api.post(path, json={"entry": "not an entry"})).status_code == 400
        await running.api.delete(f"{path}/example.test")
    assert (await running.api.get(f"{V0}/lists/sideways/allow")).status_code == 404


async def test_another_organization_sees_nothing(running: RunningApi) -> None:
    box = await inbox(running)
    hook = (await running.api.post(f"{V0}/webhooks", json=HOOK)).json()
    key = (await running.api.post(f"{V0}/api-keys", json={"name": "k"})).json()
    await running.api.post(f"{V0}/domains", json={"domain": "mine.test"})
    async with await running.other_organization() as other:
        for path in (
            f"inboxes/{box['inbox_id']}",
            f"inboxes/{box['email']}",
            f"webhooks/{hook['webhook_id']}",
            f"api-keys/{key['key_id']}",
            f"pods/{box['pod_id']}",
            "domains/mine.test",
        ):
            assert (await other.get(f"{V0}/{path}")).status_code == 404, path
            assert (await other.delete(f"{V0}/{path}")).status_code == 404, path
        for plural in ("inboxes", "webhooks", "domains", "events"):
            assert (await other.get(f"{V0}/{plural}")).json()["total"] == 0, plural
        assert (await other.post(f"{V0}/domains", json={"domain": "mine.test"})).status_code == 403


async def test_limits(tmp_path: Any) -> None:
    async with running_api(
        tmp_path, limits__inboxes=1, limits__domains=1, limits__requests_per_minute=7
    ) as running:
        assert (await running.api.post(f"{V0}/inboxes", json={"username": "a"})).status_code == 201
        full = await running.api.post(f"{V0}/inboxes", json={"username": "b"})
        assert (full.status_code, full.json()["code"]) == (403, "limit_exceeded")
        assert (await running.api.post(f"{V0}/domains", json={"domain": "a.test"})).status_code == 201
        assert (await running.api.post(f"{V0}/domains", json={"domain": "b.test"})).status_code == 403
        org = (await running.api.get(f"{V0}/organizations")).json()
        assert (org["inbox_limit"], org["inbox_count"], org["domain_limit"], org["domain_count"]) == (
            1,
            1,
            1,
            1,
        )
        for _ in range(2):
            last = await running.api.get(f"{V0}/inboxes")
        assert last.headers["X-RateLimit-Remaining"] == "0"
        over = await running.api.get(f"{V0}/inboxes")
        assert (over.status_code, over.json()["name"]) == (429, "RateLimitError")
        assert 1 <= int(over.headers["Retry-After"]) <= 10


async def test_metrics(running: RunningApi) -> None:
    box = await inbox(running)
    ref = {"inbox_id": box["postern_id"][4:], "thread_id": "t", "message_id": "m", "timestamp": 1}
    for subject in ("one", "two"):
        await running.core.store.write(
            lambda tx, subject=subject: running.core.events.append(
                tx,
                "message.bounced",
                organization_id=running.scope.organization,
                pod_id=box["pod_id"][4:],
                inbox_id=box["postern_id"][4:],
                subject=subject,
                payload={"message_ref": ref, "timestamp": 1, "recipients": [], "type": "x", "sub_type": "y"},
            )
        )
    for base in (f"{V0}/inboxes/{box['inbox_id']}", f"{V0}/pods/{box['pod_id']}", V0):
        counted = (await running.api.get(f'{base}/metrics/events?event_types=["message.bounced"]')).json()
        assert [one["count"] for one in counted["message.bounced"]] == [2], base
        rates = (await running.api.get(f"{base}/metrics/rates?rate_types=bounce")).json()
        assert rates["bounce"][-1] == {"timestamp": rates["bounce"][-1]["timestamp"], "sent": 0, "rate": None}
    usage = (await running.api.get(f"{V0}/metrics/usage?descending=true")).json()
    total = (await running.api.get(f"{V0}/inboxes")).json()["total"]
    assert usage["inbox_count"][0]["value"] == total
    assert usage["inbox_count"][-1]["value"] == 0
    for bad in (
        "period=1",
        "start=x",
        "usage_types=x",
        "start=2026-01-02&end=2026-01-01",
        "period=60&start=2020-01-01",
    ):
        assert (await running.api.get(f"{V0}/metrics/usage?{bad}")).status_code == 400, bad


async def test_threads_and_drafts_of_a_pod(running: RunningApi) -> None:
    pod = (await running.api.get(f"{V0}/pods")).json()["pods"][-1]["pod_id"]
    for plural in ("threads", "drafts"):
        got = (await running.api.get(f"{V0}/pods/{pod}/{plural}")).json()
        assert (got[plural], got["total"]) == ([], 0)
    assert (await running.api.get(f"{V0}/pods/pod_x/threads")).status_code == 404
