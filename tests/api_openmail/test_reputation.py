"""Suspending inboxes and pods from sending: by the operator, by a rate; told to webhooks, never lifted by itself."""

from __future__ import annotations

import json
import smtplib
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.api_openmail.calls import call
from tests.api_openmail.hooks import Hooks, about, account_hook, named, valid
from tests.support.gateway_process import GatewayProcess, Organization, running_gateway
from tests.support.mails import new_mail
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint


@pytest.fixture
def hooks(gateway: GatewayProcess, organization: Organization) -> Hooks:
    return Hooks(gateway, organization)


def operator(gateway: GatewayProcess, path: str, body: Any = None, status: int = 200) -> Any:
    """A call with the key that commands on the gateway's machine use."""
    held = json.loads((gateway.data / "operator.json").read_text())
    return call(Organization("", held["api_key"], held["base_url"]), "POST", path, body, status=status)


def send(hooks: Hooks, inbox: dict[str, Any], to: str, status: int = 200) -> Any:
    body = {"to": to, "subject": "Hello", "body": "A line."}
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    return hooks.call("POST", f"inboxes/{inbox['id']}/send", body, headers=headers, status=status)


def standing(hooks: Hooks, inbox: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = hooks.call("GET", f"inboxes/{inbox['id']}/reputation")
    return found


def test_a_suspended_inbox_receives_and_does_not_send_until_it_is_reactivated(hooks: Hooks) -> None:
    with account_hook(hooks) as (endpoint, secret):
        inbox, friend = hooks.inbox(), hooks.inbox()
        assert standing(hooks, inbox)["suspended"] is False
        done = hooks.gateway.postern("inbox", "suspend", inbox["address"], "--reason", "abuse", "--json")
        assert json.loads(done.stdout) == {"id": inbox["id"], "suspended": True, "reason": "abuse"}
        (told,) = named(endpoint, "inbox.suspended")
        assert valid(told, secret)
        assert {**told.json, "event_id": "", "occurred_at": ""} == {
            "event": "inbox.suspended",
            "event_id": "",
            "occurred_at": "",
            "inbox_id": inbox["id"],
            "inbox_address": inbox["address"],
            "pod_id": inbox["podId"],
            "reason": "abuse",
        }
        assert told.headers["x-event-id"] == told.json["event_id"]

        refused = send(hooks, inbox, friend["address"], 403)
        assert (refused["error"], refused["reason"]) == ("reputation_suspended", "abuse")
        with hooks.organization.client() as http:
            other = http.post(
                f"inboxes/{inbox['id']}/messages/send", json={"to": [friend["address"]], "text": "x"}
            )
        assert other.status_code == 403
        assert_person_cannot_send(hooks, inbox, friend)
        hooks.hear(inbox, "still received")
        about(endpoint, "still received")
        send(hooks, friend, inbox["address"])  # its neighbours are not concerned
        shown = standing(hooks, inbox)
        assert (shown["suspended"], shown["suspendedLevel"], shown["reason"]) == (True, "inbox", "abuse")

        operator(hooks.gateway, f"inboxes/{inbox['id']}/suspend", {"reason": "other"})  # it is so already
        operator(hooks.gateway, f"inboxes/{inbox['id']}/reactivate")
        (lifted,) = named(endpoint, "inbox.reactivated")
        assert (lifted.json["reason"], lifted.json["inbox_id"]) == (None, inbox["id"])
        send(hooks, inbox, friend["address"])
        operator(hooks.gateway, f"inboxes/{inbox['id']}/suspend", {})
        (first, second) = named(endpoint, "inbox.suspended", 2)
        assert first.json["event_id"] != second.json["event_id"]
        assert second.json["reason"] == "manual_review"


def assert_person_cannot_send(hooks: Hooks, inbox: dict[str, Any], friend: dict[str, Any]) -> None:
    access = hooks.organization.call("POST", f"inboxes/{inbox['address']}/credentials")
    with smtplib.SMTP("127.0.0.1", hooks.gateway.port("submission"), timeout=20) as smtp:
        smtp.login(inbox["address"], access["password"])
        with pytest.raises(smtplib.SMTPException, match="suspended"):
            smtp.send_message(new_mail(friend["address"], sender=inbox["address"]))


def test_a_suspended_pod_keeps_all_its_inboxes_from_sending(hooks: Hooks) -> None:
    with account_hook(hooks) as (endpoint, _):
        pod = hooks.call("POST", "pods", {"name": "Shop"})
        inbox, outside = hooks.inbox(podId=pod["id"]), hooks.inbox()
        done = hooks.gateway.postern("pod", "suspend", pod["id"], "--reason", "high_complaint_rate")
        assert done.returncode == 0, done.stderr
        (told,) = named(endpoint, "pod.suspended")
        assert {one: told.json[one] for one in ("inbox_id", "inbox_address", "pod_id", "reason")} == {
            "inbox_id": None,
            "inbox_address": None,
            "pod_id": pod["id"],
            "reason": "high_complaint_rate",
        }
        assert send(hooks, inbox, outside["address"], 403)["reason"] == "high_complaint_rate"
        assert standing(hooks, inbox)["suspendedLevel"] == "pod"
        send(hooks, outside, inbox["address"])

        operator(hooks.gateway, f"inboxes/{inbox['id']}/suspend", {"reason": "pod_degraded"})
        operator(hooks.gateway, f"pods/{pod['id']}/reactivate")
        assert named(endpoint, "pod.reactivated")[0].json["reason"] is None
        assert send(hooks, inbox, outside["address"], 403)["reason"] == "pod_degraded"  # its own stays
        operator(hooks.gateway, f"inboxes/{inbox['id']}/reactivate")
        send(hooks, inbox, outside["address"])


def test_an_inbox_own_url_is_told_of_its_suspension(hooks: Hooks) -> None:
    with account_hook(hooks) as (account, _), webhook_endpoint() as own:
        inbox = hooks.inbox(webhookUrl=own.url)
        operator(hooks.gateway, f"inboxes/{inbox['id']}/suspend", {"reason": "other"})
        (told,) = named(own, "inbox.suspended")
        assert valid(told, inbox["webhookSecret"])
        assert account.posts == []


def test_no_organization_suspends_or_lifts_its_own(hooks: Hooks) -> None:
    inbox = hooks.inbox()
    operator(hooks.gateway, f"inboxes/{inbox['id']}/suspend", {"reason": "abuse"})
    stranger = hooks.gateway.new_organization()
    key = hooks.call("POST", f"inboxes/{inbox['id']}/api-keys", {})["token"]
    for path in (f"inboxes/{inbox['id']}", f"pods/{inbox['podId']}"):
        for what in ("suspend", "reactivate"):
            assert hooks.call("POST", f"{path}/{what}", {}, status=403)["error"] == "forbidden"
            assert hooks.call("POST", f"{path}/{what}", {}, key=key, status=403)["error"] == "forbidden"
            assert call(stranger, "POST", f"{path}/{what}", {}, status=404)["error"] == "not_found"
    # nor by the other dialect's switch, which is the owner's own
    hooks.organization.call("PATCH", f"inboxes/{inbox['id']}", json={"status": "active"})
    assert send(hooks, inbox, inbox["address"], 403)["error"] == "reputation_suspended"
    assert hooks.call("GET", f"inboxes/{inbox['id']}/reputation", key=key)["suspended"] is True
    assert call(stranger, "GET", f"inboxes/{inbox['id']}/reputation", status=404)["error"] == "not_found"


def test_bad_suspensions_are_refused(hooks: Hooks) -> None:
    inbox = hooks.inbox()
    assert (
        operator(hooks.gateway, f"inboxes/{inbox['id']}/suspend", {"reason": "mood"}, 400)["field"]
        == "reason"
    )
    assert operator(hooks.gateway, "inboxes/inb_unknown/suspend", {}, 404)["error"] == "not_found"
    assert operator(hooks.gateway, "pods/pod_unknown/suspend", {}, 404)["error"] == "not_found"
    assert (
        operator(hooks.gateway, "inboxes/nobody@nowhere.test/reactivate", None, 404)["error"] == "not_found"
    )
    assert standing(hooks, inbox)["suspended"] is False


def test_an_inbox_that_bounces_too_often_is_suspended_and_counted_anew_when_lifted(tmp_path: Path) -> None:
    with running_gateway(tmp_path, reputation__bounce_rate=0.5, reputation__minimum=3) as gateway:
        hooks = Hooks(gateway, gateway.organization)
        with account_hook(hooks) as (endpoint, _):
            inbox, friend = hooks.inbox(), hooks.inbox()
            send(hooks, inbox, friend["address"])
            domain = inbox["address"].partition("@")[2]
            for number in range(2):
                send(hooks, inbox, f"nobody-{number}@{domain}")
            (told,) = named(endpoint, "inbox.suspended")
            assert (told.json["inbox_id"], told.json["reason"]) == (inbox["id"], "high_bounce_rate")
            assert send(hooks, inbox, friend["address"], 403)["reason"] == "high_bounce_rate"
            shown = standing(hooks, inbox)
            assert (shown["sent"], shown["bounced"], shown["bounceRate"]) == (3, 2, pytest.approx(2 / 3))
            assert standing(hooks, friend)["suspended"] is False

            operator(gateway, f"inboxes/{inbox['id']}/reactivate")
            shown = standing(hooks, inbox)
            assert (shown["suspended"], shown["sent"], shown["bounced"]) == (False, 0, 0)
            send(hooks, inbox, f"nobody-2@{domain}")
            until(lambda: standing(hooks, inbox)["bounced"] == 1)
            send(hooks, inbox, friend["address"])  # one bounce of one is below the minimum
            until(lambda: standing(hooks, inbox)["sent"] == 2)
            assert len(named(endpoint, "inbox.suspended")) == 1
