"""Policies through ``/api/v0``: who may read and change which, what holds, and that sends obey it in every dialect."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.core.policy.resolve import CAPS, RISKS
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.support.gateway_process import GatewayProcess, Organization


def change(home: Organization, path: str, **body: Any) -> httpx.Response:
    with home.client() as client:
        return client.put(path, json=body)


def send(home: Organization, inbox: str, to: str = "ann@example.com") -> httpx.Response:
    with home.client() as client:
        return client.post(f"inboxes/{inbox}/messages/send", json={"to": [to], "subject": "s", "text": "t"})


def with_key(home: Organization, path: str, **body: Any) -> Organization:
    made = home.call("POST", f"{path}api-keys", json={"name": "narrow", **body})
    return Organization(home.id, made["api_key"], home.base_url)


def test_what_holds_names_the_origin_of_each_value_and_every_change_is_a_version(
    organization: Organization,
) -> None:
    pod = organization.call("POST", "pods", json={"name": "shop"})["pod_id"]
    inbox = organization.new_inbox(pod_id=pod)["inbox_id"]
    before = organization.call("GET", f"inboxes/{inbox}/policy")
    assert (before["scope_type"], before["scope_id"], before["version"]) == ("inbox", inbox, 0)
    assert before["own"] == {"sending": {}, "locked": []}
    assert before["effective"]["sending"] == {
        "mode": {"value": "free", "origin": "default", "locked_by": None},
        "allow": {"value": [], "origin": "default", "locked_by": None},
        "only": {"value": ["*"], "origin": "default", "locked_by": None},
        "block": {"value": [], "origin": "default", "locked_by": None},
        "reviewers": {"value": [], "origin": "default", "locked_by": None},
        "risky": {"value": [*RISKS], "origin": "default", "locked_by": None},
        "caps_action": {"value": "refuse", "origin": "default", "locked_by": None},
        "caps": {key: {"value": 0, "origin": "default", "locked_by": None} for key in CAPS},
    }
    caps = {"per_day": 9, "per_minute": 0}
    rule = {"sending": {"block": ["Evil.example"], "caps": caps}, "locked": ["sending.block"]}
    organization.call("PUT", "policy", json=rule)
    organization.call("PUT", f"pods/{pod}/policy", json={"sending": {"only": ["*.example.com"]}})
    put = organization.call(
        "PUT", f"inboxes/{inbox}/policy", json={"sending": {"mode": "receive_only"}, "version": 0}
    )
    assert put == organization.call("GET", f"inboxes/{inbox}/policy")
    assert put["effective"]["sending"] == before["effective"]["sending"] | {
        "caps": before["effective"]["sending"]["caps"]
        | {
            "per_day": {"value": 9, "origin": "organization", "locked_by": None},
            "per_minute": {"value": 0, "origin": "organization", "locked_by": None},
        },
        "mode": {"value": "receive_only", "origin": "inbox", "locked_by": None},
        "only": {"value": ["*.example.com"], "origin": "pod", "locked_by": None},
        "block": {"value": ["evil.example"], "origin": "organization", "locked_by": "organization"},
        "reviewers": {"value": [], "origin": "default", "locked_by": None},
    }
    organization.call("PUT", "policy", json=rule)  # the same again is no change
    assert organization.call("GET", "policy")["version"] == 1
    organization.call("DELETE", "policy")
    after = organization.call("GET", "policy")
    assert (after["version"], after["own"]) == (2, {"sending": {}, "locked": []})
    kept = organization.call("GET", "policy/versions")["versions"]
    assert [one["version"] for one in kept] == [2, 1]
    assert kept[1]["rule"] == {
        "sending": {"block": ["evil.example"], "caps": caps},
        "locked": ["sending.block"],
    }
    (key,) = organization.call("GET", "api-keys")["api_keys"]
    assert {one["created_by"] for one in kept} == {key["api_key_id"]}
    assert [
        one["version"] for one in organization.call("GET", f"pods/{pod}/policy/versions")["versions"]
    ] == [1]


def test_an_inboxs_key_reads_and_a_pods_key_changes_its_own(organization: Organization) -> None:
    pod = organization.call("POST", "pods", json={"name": "shop"})["pod_id"]
    inbox, other = organization.new_inbox(pod_id=pod)["inbox_id"], organization.new_inbox()["inbox_id"]
    of_pod, of_inbox = with_key(organization, f"pods/{pod}/"), with_key(organization, f"inboxes/{inbox}/")
    closed = {"sending": {"mode": "receive_only"}}
    assert of_inbox.call("GET", "policy")["scope_id"] == inbox
    assert of_inbox.call("GET", f"pods/{pod}/policy")["scope_type"] == "pod"
    for path in ("policy", f"pods/{pod}/policy", f"inboxes/{inbox}/policy"):
        assert change(of_inbox, path, **closed).status_code == 403
        with of_inbox.client() as client:
            assert client.delete(path).status_code == 403
    assert of_pod.call("PUT", "policy", json=closed)["scope_id"] == pod
    assert of_pod.call("PUT", f"inboxes/{inbox}/policy", json=closed)["version"] == 1
    assert change(of_pod, f"inboxes/{other}/policy", **closed).status_code == 403
    assert organization.call("GET", "policy")["version"] == 0
    reader = with_key(organization, "", permissions={"policy_read": True})
    assert reader.call("GET", "policy")["version"] == 0
    assert change(reader, "policy", **closed).status_code == 403


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"sending": {"mode": "open"}}, 400, "sending.mode"),
        ({"sending": {"mode": 5}}, 400, "sending.mode"),
        ({"sending": {"only": ["a b"]}}, 400, "sending.only[0]"),
        ({"sending": {"risky": ["strangers"]}}, 400, "sending.risky[0]"),
        ({"sending": {"caps_action": "wait"}}, 400, "sending.caps_action"),
        ({"sending": {"blok": []}}, 400, "sending.blok"),
        ({"sending": {"caps": {"per_day": -1}}}, 400, "sending.caps.per_day"),
        ({"sending": {"caps": {"per_week": 1}}}, 400, "sending.caps.per_week"),
        ({"lock": ["sending.mode"]}, 400, "lock"),
        ({"locked": ["mode"]}, 400, "locked[0]"),
        ({"sending": {"block": ["x.test"] * 501}}, 413, None),
        ({"version": 7}, 409, None),
    ],
)
def test_a_bad_rule_is_refused_and_changes_nothing(
    organization: Organization, body: dict[str, Any], status: int, field: str | None
) -> None:
    refused = change(organization, "policy", **body)
    assert refused.status_code == status, refused.text
    said = refused.json()
    assert said["fix"]
    assert field is None or said["errors"][0]["field"] == field
    assert organization.call("GET", "policy")["version"] == 0


def test_what_is_locked_above_may_only_be_stricter_below(organization: Organization) -> None:
    inbox = organization.new_inbox()["inbox_id"]
    path = f"inboxes/{inbox}/policy"
    organization.call("PUT", path, json={"sending": {"mode": "free"}})
    locked = {
        "sending": {"mode": "receive_only", "only": ["*.example.com"]},
        "locked": ["sending.mode", "sending.only"],
    }
    organization.call("PUT", "policy", json=locked)
    held = organization.call("GET", path)["effective"]["sending"]
    assert held["mode"] == {"value": "receive_only", "origin": "organization", "locked_by": "organization"}
    for sending in ({"mode": "free"}, {"only": ["*.com"]}):
        refused = change(organization, path, sending=sending)
        assert (refused.status_code, refused.json()["code"]) == (403, "policy_locked")
        assert refused.json()["fix"]
    assert change(organization, path, sending={"only": ["shop.example.com"]}).status_code == 200


def test_nothing_leaves_an_inbox_that_receives_only(organization: Organization) -> None:
    inbox = organization.new_inbox()["inbox_id"]
    draft = organization.call(
        "POST", f"inboxes/{inbox}/drafts", json={"to": ["ann@example.com"], "text": "t"}
    )
    organization.call("PUT", "policy", json={"sending": {"mode": "receive_only"}})
    refused = send(organization, inbox)
    assert (refused.status_code, refused.json()["name"]) == (403, "MessageRejectedError")
    assert refused.json()["code"] == "refused_by_policy"
    assert "receives only" in refused.json()["message"]
    assert refused.json()["fix"]
    with organization.client() as client:
        assert client.post(f"inboxes/{inbox}/drafts/{draft['draft_id']}/send", json={}).status_code == 403
    with httpx.Client(base_url=organization.base_url, headers=organization.headers, trust_env=False) as http:
        body = {"to": "ann@example.com", "subject": "s", "body": "b"}
        openmail = http.post(f"/v1/inboxes/{inbox}/send", json=body)
        listed: dict[str, Any] = {"to": ["ann@example.com"], "subject": "s", "text": "t"}
        mailboxkit = http.post(f"/api/v1/inboxes/{inbox}/messages/send", json=listed)
    assert (openmail.status_code, openmail.json()["error"]) == (403, "forbidden")
    assert (mailboxkit.status_code, mailboxkit.json()["error"]) == (403, "forbidden")
    assert organization.call("GET", f"inboxes/{inbox}/messages")["messages"] == []
    organization.call("DELETE", "policy")
    assert send(organization, inbox).status_code == 200


def test_patterns_of_recipients_are_held_against_each_of_them(organization: Organization) -> None:
    inbox = organization.new_inbox()["inbox_id"]
    organization.call(
        "PUT",
        f"inboxes/{inbox}/policy",
        json={"sending": {"only": ["*.example.com"], "block": ["bad@example.com"]}},
    )
    assert send(organization, inbox, "ann@a.example.com").status_code == 200
    for address in ("ann@example.org", "Bad@Example.com"):
        refused = send(organization, inbox, address)
        assert (refused.status_code, refused.json()["code"]) == (403, "refused_by_policy")
        assert address.lower() in refused.json()["message"].lower()


def test_caps_are_counted_by_inbox_recipient_and_thread(organization: Organization) -> None:
    inbox, other = organization.new_inbox()["inbox_id"], organization.new_inbox()["inbox_id"]

    def capped(**caps: int) -> None:
        organization.call("PUT", "policy", json={"sending": {"caps": caps}})

    first = send(organization, inbox)
    assert first.status_code == 200
    capped(per_day=1)
    refused = send(organization, inbox)
    assert (refused.status_code, refused.json()["code"]) == (429, "policy_cap_exceeded")
    assert int(refused.headers["Retry-After"]) > 86_000
    with httpx.Client(base_url=organization.base_url, headers=organization.headers, trust_env=False) as http:
        openmail = http.post(
            f"/v1/inboxes/{inbox}/send", json={"to": "ann@example.com", "subject": "s", "body": "b"}
        )
    assert (openmail.status_code, openmail.json()["error"]) == (429, "rate_limit_exceeded")
    assert send(organization, other).status_code == 200
    capped(per_recipient_per_day=1)
    assert send(organization, inbox).status_code == 429
    assert send(organization, inbox, "bob@example.com").status_code == 200
    capped(per_thread_per_day=1)
    assert send(organization, inbox).status_code == 200
    with organization.client() as client:
        answer = client.post(
            f"inboxes/{inbox}/messages/{first.json()['message_id']}/reply", json={"text": "again"}
        )
    assert (answer.status_code, answer.json()["code"]) == (429, "policy_cap_exceeded")
    capped(new_recipients_per_day=1)
    assert send(organization, inbox, "cy@example.com").status_code == 200
    assert send(organization, inbox, "dan@example.com").status_code == 429
    assert send(organization, other, "dan@example.com").status_code == 200


def test_a_policy_that_cannot_be_read_holds_everything_until_it_is_set_anew(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox = organization.new_inbox()["inbox_id"]
    organization.call("PUT", "policy", json={"sending": {"mode": "free"}})
    ulid = organization.id.removeprefix("org_")

    def spoil(tx: Tx) -> int:
        return sql(tx).run(
            "UPDATE policy SET rule_json = ? WHERE subject = ?", '{"sending":{"mode":"new"}}', ulid
        )

    assert gateway.database(spoil) == 1
    held = send(organization, inbox)
    assert held.status_code == 200
    review = organization.call("GET", f"reviews/{held.json()['review_id']}")
    assert review["reasons"] == ["policy_unreadable"]
    shown = organization.call("GET", f"inboxes/{inbox}/policy")
    assert shown["effective"] is None
    assert organization.call("GET", "policy")["own"] is None
    organization.call("PUT", "policy", json={"sending": {"mode": "free"}})
    assert "review_id" not in send(organization, inbox).json()


def test_a_deleted_inbox_and_pod_leave_no_policy(gateway: GatewayProcess, organization: Organization) -> None:
    pod = organization.call("POST", "pods", json={"name": "gone"})["pod_id"]
    inbox = organization.new_inbox(pod_id=pod)["inbox_id"]
    for path in (f"pods/{pod}/", f"inboxes/{inbox}/"):
        organization.call("PUT", f"{path}policy", json={"sending": {"mode": "receive_only"}})
    organization.call("DELETE", f"inboxes/{inbox}")
    organization.call("DELETE", f"pods/{pod}")
    ulid = organization.id.removeprefix("org_")
    left = gateway.database(
        lambda tx: sql(tx).value("SELECT count(*) FROM policy WHERE organization_id = ?", ulid)
    )
    assert left == 0
