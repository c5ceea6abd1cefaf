"""B9, the permission matrix (contract §7): 403 inside the account, 404 across accounts, on every route of /v1."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.api.openmail import openmail_dialect
from gateway.api.routing import Endpoint
from gateway.core.access import EVERY_KIND, ORGANIZATION, ORGANIZATION_OR_POD
from tests.api_openmail.account_tree import AccountTree
from tests.api_openmail.calls import call, client
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until

EVERY_KEY = {
    "GET /inboxes",
    "GET /inboxes/{inbox_id}",
    "POST /inboxes/{inbox_id}/send",
    "GET /inboxes/{inbox_id}/messages",
    "GET /inboxes/{inbox_id}/messages/wait",
    "GET /inboxes/{inbox_id}/messages/{message_id}/history",
    "POST /inboxes/{inbox_id}/messages/{message_id}/rsvp",
    "GET /inboxes/{inbox_id}/threads",
    "GET /inboxes/{inbox_id}/reputation",
    "GET /threads/{thread_id}/messages",
    "PATCH /threads/{thread_id}",
    "GET /attachments/{message_id}/{filename}",
    "GET /attachments/{message_id}/{filename}/text",
    "GET /usage",
    "GET /me",
    "POST /feedback",
}
ACCOUNT_OR_POD = {
    "POST /inboxes",
    "PATCH /inboxes/{inbox_id}",
    "GET /pods",
    "GET /pods/{pod_id}",
    "GET /policy",
    "PUT /policy",
}
NO_KEY = {"GET /files/{token}"}
"""Everything else is for account-wide keys, or narrower still."""

BODIES: dict[str, Any] = {
    "POST /inboxes/{inbox_id}/send": {"to": "ann@abroad.test", "subject": "s", "body": "b"},
    "PATCH /threads/{thread_id}": {"is_read": True},
    "POST /inboxes/{inbox_id}/api-keys": {},
    "POST /pods/{pod_id}/api-keys": {},
    "PATCH /inboxes/{inbox_id}": {"displayName": "x"},
    "PATCH /pods/{pod_id}": {"name": "x"},
    "POST /feedback": {"message": "m"},
    "POST /inboxes/{inbox_id}/messages/{message_id}/rsvp": {"response": "accept"},
}
REASON = {"reason": "manual_review"}
SCOPED = ("pod", "v0_pod", "inbox", "v0_inbox")
NAMED = ("pod_id", "inbox_id", "thread_id", "message_id")


def name_of(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path.replace(':rest', '')}"


ROUTES = {name_of(one): one for one in openmail_dialect.table.endpoints}


@dataclass
class Home:
    """The account_tree, and one mail with an attachment in each inbox; ``places`` fills the paths of each."""

    account_tree: AccountTree
    places: dict[str, dict[str, str]] = field(default_factory=dict)

    def answer(self, key: str, route: str, where: str | dict[str, str], body: Any = None) -> Any:
        """What a key gets for a route at one of ``places``; (status, JSON)."""
        method, path = route.split(" ", 1)
        path = path.lstrip("/").format_map(self.places[where] if isinstance(where, str) else where)
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        body = BODIES.get(route, REASON if method != "GET" else None) if body is None else body
        brief = {"timeout": 1} if path.endswith("/wait") else None
        with client(self.account_tree.organization, self.account_tree.keys[key]) as http:
            found = http.request(
                method, path, params=brief, json=body, headers=headers, follow_redirects=False
            )
        is_json = found.headers.get("content-type", "").startswith("application/json")
        return found.status_code, found.json() if is_json else None


@pytest.fixture(scope="module")
def home(gateway: GatewayProcess, account_tree: AccountTree) -> Home:
    made = Home(account_tree)
    for name in ("own", "sister", "outside"):
        inbox = getattr(account_tree, name)
        mail = new_mail(inbox["address"], f"to {name}")
        mail.add_attachment(b"a,b\n", maintype="text", subtype="csv", filename="a.csv")
        deliver(gateway.port("smtp"), mail, inbox["address"])
        path = (
            f"inboxes/{inbox['id']}/messages?subject=to+{name}"  # others' tests write to the account_tree too
        )
        (got,) = until(lambda path=path: account_tree.organization.call("GET", path)["data"])
        made.places[name] = account_tree.ids(inbox) | {
            "thread_id": got["thread_id"],
            "message_id": got["message_id"],
            "filename": "a.csv",
            "key_id": "key_" + "0" * 26,
            "domain": "nowhere.test",
            "rule_id": "rule_x",
            "address": "ann@abroad.test",
            "code": "ABCD",
        }
    made.places["unknown"] = made.places["own"] | {
        name: f"{prefix}_{'0' * 26}" for name, prefix in zip(NAMED, ("pod", "inb", "thr", "msg"), strict=True)
    }
    return made


def test_every_route_says_who_may_use_it() -> None:
    for name, endpoint in ROUTES.items():
        if name in EVERY_KEY | NO_KEY:
            assert endpoint.access.kinds == EVERY_KIND, name
            assert endpoint.access.open == (name in NO_KEY), name
        elif name in ACCOUNT_OR_POD:
            assert endpoint.access.kinds == ORGANIZATION_OR_POD, name
        else:  # what is open to more must be listed above, with a reason in the contract
            assert endpoint.access.operator or endpoint.access.kinds == ORGANIZATION, name
            assert not endpoint.access.open, name


def test_what_another_account_has_does_not_exist(home: Home) -> None:
    tried = 0
    for name in ROUTES:
        if name in NO_KEY or not any(f"{{{one}" in name for one in NAMED):
            continue
        if not ROUTES[name].access.operator:
            status, body = home.answer("foreign", name, "own")
            assert (status, body["error"]) == (404, "not_found"), name
            tried += 1
    assert tried >= 20


def test_what_does_not_exist_is_404_for_every_kind_of_key(home: Home) -> None:
    for name, endpoint in ROUTES.items():
        if name in NO_KEY or not any(f"{{{one}" in name for one in NAMED):
            continue
        if not endpoint.access.operator:
            for key in ("account", *SCOPED):
                status, body = home.answer(key, name, "unknown")
                assert (status, body["error"]) == (404, "not_found"), (name, key)


def test_what_is_outside_a_keys_reach_is_403(home: Home) -> None:
    for name in EVERY_KEY & set(ROUTES):
        if "{" not in name:
            continue
        for key, places in (("pod", ["outside"]), ("inbox", ["sister", "outside"])):
            for kind in (key, f"v0_{key}"):
                for place in places:
                    status, body = home.answer(kind, name, place)
                    assert (status, body["error"]) == (403, "forbidden"), (name, kind, place)


def test_what_takes_an_account_wide_key_is_403_for_others_wherever_it_points(home: Home) -> None:
    tried = 0
    for name, endpoint in ROUTES.items():
        if endpoint.access.operator or endpoint.access.kinds != ORGANIZATION or "{key_id}" in name:
            continue
        for key in SCOPED:
            for place in ("own", "sister", "outside"):
                status, body = home.answer(key, name, place)
                assert (status, body["error"]) == (403, "forbidden"), (name, key, place)
                tried += 1
    assert tried >= 4 * 3 * 15
    account = home.account_tree.organization
    assert call(account, "GET", "inboxes")["total"] == 3
    assert call(account, "GET", "pods")["total"] == 2


def test_a_scoped_key_revokes_no_key(home: Home) -> None:
    account = home.account_tree.organization
    own = home.places["own"]["inbox_id"]
    for path in ("pods/shop/api-keys", f"inboxes/{own}/api-keys", "api-keys"):
        for key_id in [one["id"] for one in call(account, "GET", path)["data"]]:
            for key in SCOPED:
                refused = call(
                    account, "DELETE", f"{path}/{key_id}", key=home.account_tree.keys[key], status=403
                )
                assert refused["error"] == "forbidden"


def test_lists_hold_what_the_key_reaches(home: Home) -> None:
    tree = home.account_tree
    own, sister, outside = tree.own["id"], tree.sister["id"], tree.outside["id"]
    for key, ids in (
        ("account", [outside, sister, own]),
        ("pod", [sister, own]),
        ("v0_pod", [sister, own]),
        ("inbox", [own]),
        ("v0_inbox", [own]),
        ("foreign", []),
    ):
        found = call(tree.organization, "GET", "inboxes", key=tree.keys[key])
        assert ([one["id"] for one in found["data"]], found["total"]) == (ids, len(ids)), key
    for key in ("pod", "v0_pod"):
        found = call(tree.organization, "GET", "pods", key=tree.keys[key])
        assert ([one["id"] for one in found["data"]], found["total"]) == ([tree.pod["id"]], 1)
    for key in ("inbox", "v0_inbox"):
        assert home.answer(key, "GET /pods", "own")[0] == 403


def test_the_pod_filter_obeys_the_reach(home: Home) -> None:
    tree = home.account_tree
    for key in SCOPED:
        for pod in (tree.outside["podId"], tree.outside["podId"][4:]):
            refused = call(tree.organization, "GET", f"inboxes?podId={pod}", key=tree.keys[key], status=403)
            assert refused["error"] == "forbidden"
        total = call(tree.organization, "GET", "inboxes?podId=shop", key=tree.keys[key])["total"]
        assert total == (2 if "pod" in key else 1)
        assert call(tree.organization, "GET", "inboxes?podId=nope", key=tree.keys[key])["total"] == 0


def test_a_pods_key_sees_its_pod_and_no_other(home: Home) -> None:
    for key in ("pod", "v0_pod"):
        status, pod = home.answer(key, "GET /pods/{pod_id}", "own")
        assert (status, pod) == (200, home.account_tree.pod)
        assert home.answer(key, "GET /pods/{pod_id}", {"pod_id": "shop"})[0] == 200
        assert home.answer(key, "GET /pods/{pod_id}", "outside")[0] == 403
    for key in ("inbox", "v0_inbox"):
        for place in ("own", "outside"):
            assert home.answer(key, "GET /pods/{pod_id}", place)[0] == 403


@pytest.mark.parametrize("key", ["account", *SCOPED])
def test_every_kind_of_key_reads_marks_and_sends_in_its_inbox(home: Home, key: str) -> None:
    for name in EVERY_KEY & set(ROUTES):
        body = {"to": home.account_tree.sister["address"], "subject": "s", "body": "b"}
        status, found = home.answer(key, name, "own", body if name.endswith("/send") else None)
        wanted = (400,) if name.endswith("/rsvp") else (200, 201, 302)  # the mail is no invitation
        assert status in wanted, (name, status, found)


def test_a_pods_key_makes_inboxes_in_its_own_pod_only(gateway: GatewayProcess) -> None:
    organization = gateway.new_organization()
    pod = call(organization, "POST", "pods", {"clientId": "p"})
    default = call(organization, "GET", "pods")["data"][0]
    here = call(organization, "POST", "pods/p/api-keys", {})["token"]
    there = organization.call("POST", f"pods/{pod['id']}/api-keys", json={"name": "k"})["key"]
    for key in (here, there):
        for body in ({}, {"podId": "p"}, {"podId": pod["id"]}, {"webhookUrl": "http://127.0.0.1:8099/h"}):
            made = call(organization, "POST", "inboxes", body, key=key, status=201)
            assert made["podId"] == pod["id"]
        refused = call(organization, "POST", "inboxes", {"podId": default["id"]}, key=key, status=403)
        assert refused["error"] == "forbidden"
        refused = call(organization, "POST", "inboxes", {"podId": "nope"}, key=key, status=400)
        assert refused["error"] == "invalid_pod"
        narrow = call(organization, "POST", f"inboxes/{made['id']}/api-keys", {})["token"]
        for body in ({}, {"podId": "p"}, {"mailboxName": "!"}):
            assert call(organization, "POST", "inboxes", body, key=narrow, status=403)["error"] == "forbidden"


def test_a_pods_key_changes_the_display_name_and_never_the_webhook(home: Home) -> None:
    route, account = "PATCH /inboxes/{inbox_id}", home.account_tree.organization
    path = f"inboxes/{home.account_tree.sister['id']}"
    for key in ("pod", "v0_pod"):
        status, found = home.answer(key, route, "sister", {"displayName": key})
        assert (status, found["displayName"]) == (200, key)
        for body in ({"webhookUrl": None}, {"webhookUrl": ""}, {"webhookUrl": "http://127.0.0.1:8099/h"}):
            status, found = home.answer(key, route, "sister", body | {"displayName": "no"})
            assert (status, found["error"]) == (403, "forbidden"), body
            assert home.answer(key, route, "outside", body)[0] == 403
            assert home.answer(key, route, "unknown", body)[0] == 404
    for key in ("inbox", "v0_inbox"):
        assert home.answer(key, route, "own", {"displayName": "no"})[0] == 403
    seen = call(account, "GET", path)
    assert (seen["displayName"], seen["webhookUrl"]) == ("v0_pod", None)


@pytest.fixture
def at_v0(home: Home) -> Any:
    """Calls /api/v0 with a key; answers the status."""
    tree = home.account_tree

    def ask(key: str, method: str, path: str, body: Any = None) -> int:
        one = Organization(tree.organization.id, tree.keys[key], tree.organization.base_url)
        with one.client() as http:
            return http.request(method, path, json=body).status_code

    return ask


def test_keys_made_here_reach_no_further_in_another_dialect(home: Home, at_v0: Any) -> None:
    own = f"inboxes/{home.account_tree.own['id']}"
    hook = {"url": "http://127.0.0.1:8099/h", "event_types": ["message.received"]}
    for key in ("pod", "inbox"):
        for method, path, body in (
            ("DELETE", own, None),
            ("POST", "webhooks", hook),
            ("POST", f"{own}/webhooks", hook),
            ("GET", "webhooks", None),
            ("POST", "api-keys", {"name": "x"}),
            ("POST", f"{own}/api-keys", {"name": "x"}),
            ("GET", "api-keys", None),
            ("POST", "pods", {}),
            ("DELETE", f"pods/{home.account_tree.pod['id']}", None),
            ("POST", f"{own}/credentials", None),
            ("POST", "domains", {"domain": "x.test"}),
            ("POST", f"{own}/lists/receive/block", {"entry": "x@y.test"}),
        ):
            assert at_v0(key, method, path, body) == 403, (key, method, path)
        assert at_v0(key, "GET", f"{own}/messages") == 200
        assert at_v0(key, "GET", "inboxes") == 200
        mail = {"to": [home.account_tree.sister["address"]], "subject": "s", "text": "t"}
        assert at_v0(key, "POST", f"{own}/messages/send", mail) == 200
    assert at_v0("inbox", "POST", "inboxes", {"username": "nobody"}) == 403
    made = at_v0("v0_inbox", "GET", f"pods/{home.account_tree.outside['podId']}")
    assert made == 403
