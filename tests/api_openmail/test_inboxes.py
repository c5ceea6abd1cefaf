"""Inboxes at /v1 (contract §2, §3, §13): real mailboxes, the same ones that /api/v0 shows."""

from __future__ import annotations

import re
import smtplib
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.store.sql import sql
from tests.api_openmail.calls import call, client
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until

HOOK = "http://127.0.0.1:8099/hook"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def word() -> str:
    """A mailbox name no other test uses."""
    return f"t{uuid.uuid4().hex[:11]}"


def change(gateway: GatewayProcess, statement: str, *values: Any) -> None:
    """Change a row of the gateway's database."""
    assert gateway.database(lambda tx: sql(tx).run(statement, *values))


def verified(gateway: GatewayProcess, organization: Organization, where: str = "") -> str:
    """A domain of the organization, verified without DNS."""
    name = f"{uuid.uuid4().hex[:12]}.test"
    organization.call("POST", f"{where}domains", json={"domain": name})
    change(gateway, "UPDATE domain SET status = 'VERIFIED' WHERE name = ?", name)
    return name


def test_an_inbox_has_these_fields_and_is_a_mailbox(
    gateway: GatewayProcess, organization: Organization
) -> None:
    name, pod = word(), call(organization, "GET", "pods")["data"][0]
    made = call(
        organization, "POST", "inboxes", {"mailboxName": name, "displayName": "Änne, Support"}, status=201
    )
    assert set(made) == {"id", "podId", "address", "displayName", "webhookUrl", "createdAt"}
    assert made["id"].startswith("inb_")
    assert (made["podId"], made["webhookUrl"], made["displayName"]) == (pod["id"], None, "Änne, Support")
    assert made["address"] == f"{name}@postern.test"
    assert TIME.fullmatch(made["createdAt"])
    assert call(organization, "GET", f"inboxes/{made['id']}") == made
    assert call(organization, "GET", f"inboxes/{made['address']}") == made
    deliver(gateway.port("smtp"), new_mail(made["address"], "Hello"), made["address"])
    path = f"inboxes/{made['id']}/messages"
    until(lambda: [one["subject"] for one in organization.call("GET", path)["data"]] == ["Hello"])


def test_an_inbox_of_one_dialect_is_one_of_the_other(organization: Organization) -> None:
    here = call(organization, "POST", "inboxes", {"mailboxName": word(), "displayName": "Here"})
    there = organization.call("GET", f"inboxes/{here['id']}")
    assert (there["postern_id"], there["email"], there["pod_id"], there["display_name"]) == (
        here["id"],
        here["address"],
        here["podId"],
        "Here",
    )
    made = organization.new_inbox(display_name="There")
    seen = call(organization, "GET", f"inboxes/{made['inbox_id']}")
    assert (seen["id"], seen["address"], seen["displayName"]) == (made["postern_id"], made["email"], "There")
    assert [one["id"] for one in call(organization, "GET", "inboxes")["data"]] == [seen["id"], here["id"]]
    call(organization, "DELETE", f"inboxes/{made['inbox_id']}", status=204)
    assert [one["postern_id"] for one in organization.call("GET", "inboxes")["data"]] == [here["id"]]


def test_an_omitted_name_is_eight_random_characters(organization: Organization) -> None:
    for body in (
        {},
        {"mailboxName": None, "username": None, "displayName": None, "webhookUrl": "", "podId": None},
    ):
        made = call(organization, "POST", "inboxes", body, status=201)
        assert re.fullmatch(r"[a-z0-9]{8}@postern\.test", made["address"])
        assert (made["displayName"], made["webhookUrl"]) == (None, None)


def test_old_spellings_are_taken(organization: Organization) -> None:
    old, new = word(), word()
    made = call(organization, "POST", "inboxes", {"username": old, "externalId": "user-7"}, status=201)
    assert (made["address"], made["externalId"]) == (f"{old}@postern.test", "user-7")
    both = {"username": word(), "mailboxName": new, "externalId": "user-7"}
    again = call(organization, "POST", "inboxes", both, status=201)
    assert (again["address"], again["externalId"]) == (f"{new}@postern.test", "user-7")
    assert call(organization, "GET", f"inboxes/{made['id']}")["externalId"] == "user-7"
    assert {one["externalId"] for one in call(organization, "GET", "inboxes")["data"]} == {"user-7"}


@pytest.mark.parametrize(
    "name",
    ["", "ab", "a" * 31, "-abc", "abc-", ".abc", "abc.", "a..b", "a_b", "a b", "a+b", "äbc", "a@b", "a/b", "a\r\nb",
     "a%2eb", "\u0000abc", " \u200babc", "ｆｕｌｌ", "K\u212aK"],
)  # fmt: skip
@pytest.mark.parametrize("field", ["mailboxName", "username"])
def test_what_a_mailbox_name_is_not(organization: Organization, name: str, field: str) -> None:
    refused = call(organization, "POST", "inboxes", {field: name}, status=400)
    assert (refused["error"], refused["field"]) == ("invalid_mailbox_name", "mailboxName")


def test_what_a_mailbox_name_may_be_and_that_case_folds(organization: Organization) -> None:
    part = uuid.uuid4().hex[:8]
    for name in (f"a.{part}-b", f"a-{part}--b", f"9{part}.b", "x" * 21 + part + "9", f"UP.{part}"):
        made = call(organization, "POST", "inboxes", {"mailboxName": name}, status=201)
        assert made["address"] == f"{name.lower()}@postern.test"
    shortest = [f"{one}.{two}" for one in "0123456789abcdef" for two in "0123456789abcdef"]
    for name in shortest:  # until one is free: other tests share the domain
        with client(organization) as http:
            if http.post("inboxes", json={"mailboxName": name}).status_code == 201:
                return
    raise AssertionError("no name of three characters was taken")


def test_a_taken_address_is_refused_whoever_has_it(
    gateway: GatewayProcess, organization: Organization
) -> None:
    name = word()
    call(organization, "POST", "inboxes", {"mailboxName": name})
    other = gateway.new_organization()
    for who, wanted in ((organization, name), (other, name), (other, name.upper())):
        refused = call(who, "POST", "inboxes", {"mailboxName": wanted, "webhookUrl": HOOK}, status=409)
        assert refused["error"] == "address_taken"
        assert set(refused) >= {"error", "message"}
    assert call(other, "GET", "inboxes")["total"] == 0


def test_of_many_who_want_one_address_one_gets_it(organization: Organization) -> None:
    name = word()

    def make(_: int) -> int:
        with client(organization) as http:
            return http.post("inboxes", json={"mailboxName": name, "webhookUrl": HOOK}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(make, range(6))) == [201] + [409] * 5
    assert call(organization, "GET", "inboxes")["total"] == 1


def test_a_domain_must_be_verified_and_of_that_pod(
    gateway: GatewayProcess, organization: Organization
) -> None:
    pod = call(organization, "POST", "pods", {"clientId": "p"})
    waiting = f"{uuid.uuid4().hex[:12]}.test"
    organization.call("POST", "domains", json={"domain": waiting})
    ours, of_pod = verified(gateway, organization), verified(gateway, organization, f"pods/{pod['id']}/")
    foreign = verified(gateway, gateway.new_organization())
    for domain, pod_id in (
        (waiting, None),
        (foreign, None),
        (of_pod, None),
        ("nowhere.test", None),
        ("not a domain", None),
        ("x" * 300, None),
        ("ü" * 300, None),
    ):
        body = {"mailboxName": word(), "domain": domain, "podId": pod_id}
        refused = call(organization, "POST", "inboxes", body, status=400)
        assert (refused["error"], domain) == ("invalid_domain", domain)
    for domain, pod_id in ((ours, None), (ours.upper(), "p"), (of_pod, "p"), ("postern.test", "p")):
        body = {
            "mailboxName": "info" if domain != "postern.test" else word(),
            "domain": domain,
            "podId": pod_id,
        }
        if domain == ours.upper():
            body["mailboxName"] = "sales"
        made = call(organization, "POST", "inboxes", body, status=201)
        assert made["address"].endswith(f"@{domain.lower()}")


def test_an_unknown_or_foreign_pod_is_invalid_pod(
    gateway: GatewayProcess, organization: Organization
) -> None:
    foreign = call(gateway.new_organization(), "POST", "pods", {"clientId": "theirs"})
    for pod in ("nope", "", "theirs", foreign["id"], "pod_" + "0" * 26, "x" * 5000, "a\u0000"):
        refused = call(organization, "POST", "inboxes", {"podId": pod}, status=400)
        assert (refused["error"], refused["field"]) == ("invalid_pod", "podId"), pod
    assert call(organization, "GET", "inboxes")["total"] == 0


def test_the_list_is_newest_first_paged_and_filtered_by_pod(
    gateway: GatewayProcess, organization: Organization
) -> None:
    call(organization, "POST", "pods", {"clientId": "p"})
    made = [call(organization, "POST", "inboxes", {"podId": pod}) for pod in ("p", None, "p")]
    newest = [one["id"] for one in reversed(made)]
    theirs = call(gateway.new_organization(), "POST", "pods", {"clientId": "theirs"})["id"]
    for query, ids, total in (
        ("", newest, 3),
        ("?limit=1", newest[:1], 3),
        ("?limit=1&offset=1", newest[1:2], 3),
        ("?podId=p", [newest[0], newest[2]], 2),
        (f"?podId={made[0]['podId']}&limit=1&offset=1", newest[2:], 2),
        (f"?podId={made[1]['podId']}", [newest[1]], 1),
        ("?podId=nope", [], 0),
        (f"?podId={theirs}", [], 0),
        (f"?podId={'x' * 3000}", [], 0),
        ("?podId=%00%ff", [], 0),
        ("?podId=", newest, 3),
    ):
        found = call(organization, "GET", f"inboxes{query}", status=200)
        assert ([one["id"] for one in found["data"]], found["total"]) == (ids, total), query


def test_patch_keeps_what_is_absent_and_clears_what_is_null(organization: Organization) -> None:
    made = call(organization, "POST", "inboxes", {"displayName": "Ann"})
    path = f"inboxes/{made['id']}"
    assert call(organization, "PATCH", path, {}) == made
    assert call(organization, "PATCH", path, {"displayName": "Bea"}) == made | {"displayName": "Bea"}
    for empty in (None, ""):
        assert call(organization, "PATCH", path, {"displayName": empty}) == made | {"displayName": None}
    assert call(organization, "GET", path) == made | {"displayName": None}


def test_a_webhook_secret_is_shown_once_and_stays(organization: Organization) -> None:
    made = call(organization, "POST", "inboxes", {"webhookUrl": HOOK}, status=201)
    assert made["webhookUrl"] == HOOK
    assert made["webhookSecret"]
    path, seen = f"inboxes/{made['id']}", {key: made[key] for key in made if key != "webhookSecret"}
    assert call(organization, "GET", path) == seen
    assert call(organization, "GET", "inboxes")["data"] == [seen]
    assert call(organization, "PATCH", path, {"displayName": "A"}) == seen | {"displayName": "A"}
    assert call(organization, "PATCH", path, {"webhookUrl": HOOK + "2"})["webhookUrl"] == HOOK + "2"
    for empty in (None, ""):
        cleared = call(organization, "PATCH", path, {"webhookUrl": empty})
        assert cleared == seen | {"displayName": "A", "webhookUrl": None}
        again = call(organization, "PATCH", path, {"webhookUrl": HOOK})
        assert "webhookSecret" not in again


def test_a_first_webhook_url_by_patch_makes_the_secret(organization: Organization) -> None:
    made = call(organization, "POST", "inboxes", {})
    changed = call(organization, "PATCH", f"inboxes/{made['id']}", {"webhookUrl": HOOK})
    assert changed.pop("webhookSecret")
    assert changed == made | {"webhookUrl": HOOK}


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://a.test/", "http://", "http://user:pw@a.test/", "http://[::"]
)
def test_a_bad_webhook_url_leaves_nothing_behind(organization: Organization, url: str) -> None:
    refused = call(organization, "POST", "inboxes", {"webhookUrl": url}, status=422)
    assert (refused["error"], refused["field"]) == ("invalid_webhook_url", "webhookUrl")
    assert call(organization, "GET", "inboxes")["total"] == 0
    made = call(organization, "POST", "inboxes", {"displayName": "Ann"})
    body = {"displayName": "Bea", "webhookUrl": url}
    refused = call(organization, "PATCH", f"inboxes/{made['id']}", body, status=422)
    assert refused["error"] == "invalid_webhook_url"
    assert call(organization, "GET", f"inboxes/{made['id']}") == made


def test_a_deleted_inbox_takes_everything_along(gateway: GatewayProcess, organization: Organization) -> None:
    made = call(organization, "POST", "inboxes", {"webhookUrl": HOOK})
    path = f"inboxes/{made['id']}"
    key = call(organization, "POST", f"{path}/api-keys", {})["token"]
    call(organization, "GET", path, key=key, status=200)
    deliver(gateway.port("smtp"), new_mail(made["address"], "Gone"), made["address"])
    until(lambda: organization.call("GET", f"{path}/messages")["data"])
    assert call(organization, "DELETE", path, status=204) is None
    call(organization, "GET", path, key=key, status=401)
    call(organization, "DELETE", path, key=key, status=401)
    for method in ("GET", "DELETE"):
        assert call(organization, method, path, status=404)["error"] == "not_found"
    call(organization, "PATCH", path, {"displayName": "x"}, status=404)
    call(organization, "GET", f"{path}/api-keys", status=404)
    assert call(organization, "GET", "inboxes") == {"data": [], "total": 0}
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        deliver(gateway.port("smtp"), new_mail(made["address"], "Late"), made["address"])
    again = call(organization, "POST", "inboxes", {"mailboxName": made["address"].split("@")[0]}, status=201)
    assert (again["address"], again["webhookUrl"]) == (made["address"], None)
    assert organization.call("GET", f"inboxes/{again['id']}/messages")["data"] == []


def test_an_account_with_all_its_inboxes_makes_no_more(
    gateway: GatewayProcess, organization: Organization
) -> None:
    change(gateway, "UPDATE organization SET inbox_limit = 1 WHERE id = ?", organization.id[4:])
    call(organization, "POST", "inboxes", {}, status=201)
    assert call(organization, "POST", "inboxes", {}, status=422)["error"] == "inbox_limit_reached"
    with organization.client() as http:
        refused = http.post("inboxes", json={"username": word()})
    assert (refused.status_code, refused.json()["code"]) == (403, "limit_exceeded")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"mailboxName": 12345}, "mailboxName"),
        ({"username": ["abc"]}, "username"),
        ({"displayName": "x" * 201}, "displayName"),
        ({"displayName": "a\nb"}, "displayName"),
        ({"displayName": {}}, "displayName"),
        ({"domain": 1}, "domain"),
        ({"podId": {}}, "podId"),
        ({"webhookUrl": 1}, "webhookUrl"),
        ({"externalId": "x" * 257}, "externalId"),
        ({"externalId": 4}, "externalId"),
        ([], "body"),
        ([{}] * 10_000, "body"),
        (7, "body"),
    ],
)
def test_what_an_inbox_is_not_made_of(organization: Organization, body: Any, field: str) -> None:
    refused = call(organization, "POST", "inboxes", body, status=400)
    assert (refused["error"], refused["field"]) == ("bad_request", field)
    assert call(organization, "GET", "inboxes")["total"] == 0


def test_a_long_display_name_fits_and_unknown_fields_do_no_harm(organization: Organization) -> None:
    body = {"displayName": "ü" * 200, "somethingElse": [1, 2, 3]}
    made = call(organization, "POST", "inboxes", body, status=201)
    assert made["displayName"] == "ü" * 200
