"""The account's webhook and an inbox's own URL: setting, secrets, tests, delivery, retries (contract §8, B7, B8)."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.sync.client import connect

from gateway.core.errors import Invalid
from gateway.core.webhooks.single_webhook import Owner, checked_url
from gateway.net.address_rules import AddressRules
from gateway.net.client import SafeClient
from gateway.net.policy import FetchPolicy
from gateway.net.resolver import Resolver
from gateway.records.ids import OrganizationId
from tests.api_openmail.calls import call
from tests.api_openmail.hooks import SENT, Hooks, about, account_hook, named, valid
from tests.support.gateway_process import GatewayProcess, Organization, running_gateway
from tests.support.servers import NameServer
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint


@pytest.fixture
def hooks(gateway: GatewayProcess, organization: Organization) -> Hooks:
    return Hooks(gateway, organization)


def test_the_account_webhook_shows_its_secret_once_and_keeps_it(hooks: Hooks) -> None:
    assert hooks.call("GET", "webhook")["url"] is None
    with webhook_endpoint() as endpoint:
        made = hooks.call("PUT", "webhook", {"url": endpoint.url})
        secret = made["webhookSecret"]
        assert made["url"] == endpoint.url
        assert secret
        assert secret not in json.dumps(hooks.call("GET", "webhook"))
        assert "webhookSecret" not in hooks.call("PUT", "webhook", {"url": endpoint.url + "/2"})
        hooks.call("DELETE", "webhook")
        assert hooks.call("GET", "webhook")["url"] is None
        assert hooks.call("POST", "webhook/test", status=400)["error"] == "no_webhook_url"
        assert hooks.call("POST", "webhook/rotate-secret", status=400)["error"] == "no_webhook_url"
        hooks.call("DELETE", "webhook", status=204)  # there is nothing to take away
        again = hooks.call("PUT", "webhook", {"url": endpoint.url})
        assert "webhookSecret" not in again  # only the first URL ever makes one
        hooks.call("POST", "webhook/test")
        assert valid(endpoint.posts[-1], secret)


def test_concurrent_first_urls_make_one_webhook_and_show_one_secret(hooks: Hooks) -> None:
    with webhook_endpoint() as endpoint:
        start = threading.Barrier(8)

        def put(number: int) -> Any:
            start.wait()
            return hooks.call("PUT", "webhook", {"url": f"{endpoint.url}/{number}"})

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(put, range(8)))
        secrets = [one["webhookSecret"] for one in answers if "webhookSecret" in one]
        assert len(secrets) == 1
        hooks.call("POST", "webhook/test")
        assert valid(endpoint.posts[-1], secrets[0])
        hooks.hear(hooks.inbox(), "one post only")
        about(endpoint, "one post only")
        hooks.call("POST", "webhook/test")
        assert len(about(endpoint, "one post only")) == 1


def test_an_inbox_url_takes_the_events_until_it_is_cleared(hooks: Hooks) -> None:
    with account_hook(hooks) as (account, account_secret), webhook_endpoint() as own:
        one = hooks.inbox(webhookUrl=own.url)
        other = hooks.inbox()
        secret = one["webhookSecret"]
        assert one["webhookUrl"] == own.url
        assert other["webhookUrl"] is None
        assert "webhookSecret" not in other
        assert secret != account_secret
        shown = hooks.call("GET", f"inboxes/{one['id']}")
        assert shown["webhookUrl"] == own.url
        assert "webhookSecret" not in shown
        hooks.hear(one, "to its own URL")
        hooks.hear(other, "to the account's")
        assert valid(about(own, "to its own URL")[0], secret)
        assert valid(about(account, "to the account's")[0], account_secret)
        assert len(own.posts) == 1
        assert len(account.posts) == 1

        cleared = hooks.call("PATCH", f"inboxes/{one['id']}", {"webhookUrl": None})
        assert cleared["webhookUrl"] is None
        hooks.hear(one, "back to the account's")
        assert valid(about(account, "back to the account's")[0], account_secret)
        again = hooks.call("PATCH", f"inboxes/{one['id']}", {"webhookUrl": own.url})
        assert again["webhookUrl"] == own.url
        assert not again.get("webhookSecret")
        hooks.hear(one, "with the old secret")
        assert valid(about(own, "with the old secret")[0], secret)
        assert hooks.call("PATCH", f"inboxes/{one['id']}", {"webhookUrl": ""})["webhookUrl"] is None
        assert len(account.posts) == 2


def test_rotation_kills_the_old_secret_at_once(hooks: Hooks) -> None:
    with account_hook(hooks) as (account, old), webhook_endpoint() as own:
        inbox = hooks.inbox(webhookUrl=own.url)
        new = hooks.call("POST", f"inboxes/{inbox['id']}/webhook/rotate-secret")
        assert list(new) == ["webhookSecret"]
        assert new["webhookSecret"] != inbox["webhookSecret"]
        hooks.hear(inbox, "signed anew")
        (post,) = about(own, "signed anew")
        assert valid(post, new["webhookSecret"])
        assert not valid(post, inbox["webhookSecret"])

        rotated = hooks.call("POST", "webhook/rotate-secret")["webhookSecret"]
        hooks.call("POST", "webhook/test")
        assert valid(account.posts[-1], rotated)
        assert not valid(account.posts[-1], old)


def test_the_test_route_posts_as_every_event_is_posted(hooks: Hooks) -> None:
    with webhook_endpoint() as endpoint:
        inbox = hooks.inbox(webhookUrl=endpoint.url)
        path = f"inboxes/{inbox['id']}/webhook/test"
        answer = hooks.call("POST", path, status=200)
        assert answer["ok"] is True
        assert "200" in answer["message"]
        (post,) = endpoint.posts
        assert valid(post, inbox["webhookSecret"])
        assert all(name in post.headers for name in SENT)
        assert post.headers["x-event-id"] == post.json["event_id"]
        assert post.headers["content-type"] == "application/json"
        assert post.json["event"] == "setup.test"
        assert post.json["inbox_id"] == inbox["id"]

        endpoint.answer = lambda post: 404
        failed = hooks.call("POST", path, status=502)
        assert failed["error"] == "webhook_failed"
        assert "404" in failed["message"]
        assert failed["status"] == 404
        endpoint.answer = lambda post: (302, {"Location": endpoint.url + "/elsewhere"})
        assert "redirects are not followed" in hooks.call("POST", path, status=502)["message"]
        assert {one.path for one in endpoint.posts} == {"/hook"}
    gone = hooks.call("POST", path, status=502)
    assert gone["error"] == "webhook_failed"
    assert gone["message"]
    bare = hooks.inbox()
    assert hooks.call("POST", f"inboxes/{bare['id']}/webhook/test", status=400)["error"] == "no_webhook_url"
    rotate = f"inboxes/{bare['id']}/webhook/rotate-secret"
    assert hooks.call("POST", rotate, status=400)["error"] == "no_webhook_url"


@pytest.mark.parametrize(
    "url",
    [
        *("nonsense", "ftp://files.test/x", "https://user:word@example.com/", "https://" + "a" * 3000),
        *(
            "https://10.0.0.1/",
            "https://169.254.169.254/latest",
            "https://[fd00::1]/",
            "https://2130706433.x/ y",
        ),
        *("https://0x0a000001/", "https://example.com:25/"),
    ],
)
def test_bad_and_forbidden_urls_are_refused(hooks: Hooks, url: str) -> None:
    refused = hooks.call("PUT", "webhook", {"url": url}, status=422)
    assert refused["error"] == "invalid_webhook_url"
    assert refused["field"] == "url"
    refused = hooks.call("POST", "inboxes", {"webhookUrl": url}, status=422)
    assert refused["error"] == "invalid_webhook_url"
    assert refused["field"] == "webhookUrl"
    assert hooks.call("GET", "inboxes")["total"] == 0  # nothing is half done
    assert hooks.call("GET", "webhook")["url"] is None


def test_an_empty_account_url_and_a_wrong_type_are_refused(hooks: Hooks) -> None:
    assert hooks.call("PUT", "webhook", {"url": ""}, status=422)["error"] == "invalid_webhook_url"
    assert hooks.call("PUT", "webhook", {"url": 5}, status=400)["field"] == "url"
    assert hooks.call("PUT", "webhook", {}, status=400)["field"] == "url"


@pytest.mark.anyio
async def test_a_name_that_leads_inside_is_refused_and_one_that_leads_nowhere_is_not() -> None:
    records: dict[tuple[str, str], list[str] | None] = {
        ("inside.test", "A"): ["10.1.2.3"],
        ("open.test", "A"): ["93.184.216.34"],
    }
    async with NameServer(records) as names:
        resolver = Resolver(["127.0.0.1"], port=names.port, lifetime=2.0)
        policy = FetchPolicy(AddressRules.from_settings([], allow_loopback=False), resolver)
        async with SafeClient(policy) as client:
            core: Any = SimpleNamespace(fetcher=client)
            with pytest.raises(Invalid, match="not reachable from here") as refused:
                await checked_url(core, "https://inside.test/hook")
            assert refused.value.code == "invalid_webhook_url"
            assert await checked_url(core, "https://open.test/hook") == "https://open.test/hook"
            assert await checked_url(core, "https://unknown.test/hook") == "https://unknown.test/hook"
            with pytest.raises(Invalid, match="https"):
                await checked_url(core, "http://open.test/hook")
            assert await checked_url(core, "") is None
            assert await checked_url(core, None) is None


def test_only_account_keys_reach_webhooks(hooks: Hooks) -> None:
    with webhook_endpoint() as endpoint:
        inbox = hooks.inbox(webhookUrl=endpoint.url)
        pod_key = hooks.call("POST", f"pods/{inbox['podId']}/api-keys", {})["token"]
        inbox_key = hooks.call("POST", f"inboxes/{inbox['id']}/api-keys", {})["token"]
        stranger = hooks.gateway.new_organization()
        paths = [("POST", f"inboxes/{inbox['id']}/webhook/{what}") for what in ("rotate-secret", "test")]
        paths.append(("GET", f"inboxes/{inbox['id']}/webhook/attempts"))
        for method, path in paths:
            for key in (pod_key, inbox_key):
                assert hooks.call(method, path, key=key, status=403)["error"] == "forbidden"
            assert call(stranger, method, path, status=404)["error"] == "not_found"
        for method, path in [
            *(("GET", "webhook"), ("PUT", "webhook"), ("DELETE", "webhook"), ("GET", "webhook/attempts")),
            *(("POST", "webhook/test"), ("POST", "webhook/rotate-secret")),
        ]:
            for key in (pod_key, inbox_key):
                assert (
                    hooks.call(method, path, {"url": endpoint.url}, key=key, status=403)["error"]
                    == "forbidden"
                )
        hooks.call("POST", f"inboxes/{inbox['id']}/webhook/test")
        assert valid(endpoint.posts[-1], inbox["webhookSecret"])  # nothing was rotated
        assert len(endpoint.posts) == 1


def test_the_other_dialect_neither_shows_nor_touches_them(hooks: Hooks) -> None:
    with account_hook(hooks) as (endpoint, secret):
        inbox = hooks.inbox(webhookUrl=endpoint.url)
        organization = hooks.organization.id.removeprefix("org_")
        ids = [
            Owner(OrganizationId(organization)).webhook_id,
            Owner(OrganizationId(organization), inbox["id"].removeprefix("inb_")).webhook_id,
        ]
        with hooks.organization.client() as http:
            assert http.get("webhooks").json()["data"] == []
            for one in ids:
                assert http.get(f"webhooks/wh_{one}").status_code == 404
                assert http.delete(f"webhooks/wh_{one}").status_code == 404
                assert http.post(f"webhooks/wh_{one}/rotate-secret").status_code == 404
                assert http.patch(f"webhooks/wh_{one}", json={"enabled": False}).status_code == 404
            assert http.get(f"inboxes/{inbox['id']}/webhooks").json()["data"] == []
        hooks.call("POST", "webhook/test")
        assert valid(endpoint.posts[-1], secret)


def test_five_tries_whatever_the_failure_then_the_next_event_goes_on(hooks: Hooks) -> None:
    answers: list[Any] = [
        410,
        (302, {"Location": "http://127.0.0.1:9/"}),
        500,
        (429, {"Retry-After": "600"}),
        404,
    ]
    with account_hook(hooks) as (endpoint, secret):
        endpoint.answer = lambda post: answers[min(len(endpoint.posts), len(answers)) - 1]
        inbox = hooks.inbox()
        hooks.hear(inbox, "refused")
        posts = about(endpoint, "refused", 5)
        assert all(valid(one, secret) for one in posts)
        assert [one.json["attempt"] for one in posts] == [1, 2, 3, 4, 5]
        assert len({one.headers["x-event-id"] for one in posts}) == 1
        assert len({one.json["event_id"] for one in posts}) == 1
        delivered = [one.json["delivered_at"] for one in posts]
        assert delivered == sorted(set(delivered))
        assert len({json.dumps({**one.json, "attempt": 0, "delivered_at": ""}) for one in posts}) == 1

        endpoint.answer = lambda post: 204
        hooks.hear(inbox, "taken")
        assert valid(about(endpoint, "taken")[0], secret)

        def settled() -> Any:
            found = hooks.call("GET", "webhook/attempts")
            return found if found["total"] == 6 and found["data"][0]["state"] == "done" else None

        rows = until(settled)["data"]
        assert [(one["attempt"], one["status"], one["state"]) for one in rows] == [
            *((1, 204, "done"), (5, 404, "failed"), (4, 429, "failed")),
            *((3, 500, "failed"), (2, 302, "failed"), (1, 410, "failed")),
        ]
        assert len(about(endpoint, "refused", 5)) == 5
        assert rows[1]["eventId"] == posts[0].json["event_id"]
        assert rows[1]["event"] == "message.received"
        assert hooks.call("GET", "webhook")["failingSince"] is None


def test_deleting_an_inbox_takes_its_url_and_secret_along(hooks: Hooks) -> None:
    with webhook_endpoint() as endpoint:
        inbox = hooks.inbox(
            webhookUrl=endpoint.url, mailboxName="gone-soon-" + hooks.organization.id[-6:].lower()
        )
        hooks.call("DELETE", f"inboxes/{inbox['id']}")
        again = hooks.inbox(webhookUrl=endpoint.url, mailboxName=inbox["address"].partition("@")[0])
        assert again["webhookSecret"] != inbox["webhookSecret"]


def test_a_subscribed_socket_takes_the_event_and_the_webhook_is_left_out(hooks: Hooks) -> None:
    url = hooks.organization.base_url.replace("http", "ws", 1) + "/v1/ws"
    with account_hook(hooks) as (endpoint, _):
        inbox = hooks.inbox()
        with connect(url, additional_headers=hooks.organization.headers, proxy=None) as socket:
            socket.send(json.dumps({"type": "subscribe"}))
            assert json.loads(socket.recv(timeout=20))["type"] == "subscribed"
            hooks.hear(inbox, "for the socket")
            assert json.loads(socket.recv(timeout=20))["message"]["subject"] == "for the socket"
        hooks.hear(inbox, "for the webhook")
        about(endpoint, "for the webhook")
        assert [one.json["message"]["subject"] for one in endpoint.posts] == ["for the webhook"]


def test_a_crash_between_two_tries_keeps_the_event_and_counts_on(tmp_path: Path) -> None:
    with running_gateway(tmp_path, webhooks__retry_scale=0.05) as gateway:
        hooks = Hooks(gateway, gateway.organization)
        with account_hook(hooks) as (endpoint, secret):
            endpoint.answer = lambda post: 500 if len(endpoint.posts) == 1 else 200
            hooks.hear(hooks.inbox(), "twice")
            (first,) = about(endpoint, "twice")
            until(lambda: hooks.call("GET", "webhook/attempts")["total"])
            gateway.kill()
            gateway.start()
            _, second = about(endpoint, "twice", 2)
            assert second.headers["x-event-id"] == first.headers["x-event-id"]
            assert (first.json["attempt"], second.json["attempt"]) == (1, 2)
            assert valid(second, secret)
            assert named(endpoint, "message.received")[0].json["message"] == second.json["message"]
