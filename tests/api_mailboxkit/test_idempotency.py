"""Idempotency-Key on any POST of /api/v1: done once, answered each time, secrets sealed, failures not kept."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from gateway.core.sealed import Unreadable, seal, unseal
from gateway.records.ids import now_us
from gateway.store.sql import sql
from tests.api_mailboxkit.calls import answer, call, made
from tests.support.gateway_process import GatewayProcess, Organization

REPLAYED = "x-idempotent-replayed"
MINUTE_US = 60_000_000


def post(
    organization: Organization, path: str, body: Any, idempotency_key: str, *, key: str | None = None
) -> httpx.Response:
    return answer(organization, "POST", path, body, key=key, headers={"Idempotency-Key": idempotency_key})


def same(first: httpx.Response, *others: httpx.Response) -> None:
    """The others repeat what the first said."""
    assert REPLAYED not in first.headers
    for one in others:
        assert (one.status_code, one.content) == (first.status_code, first.content)
        assert one.headers[REPLAYED] == "true"
        assert one.headers["content-type"] == first.headers["content-type"]


def change(gateway: GatewayProcess, query: str, *args: object) -> None:
    """Change rows of the running gateway's database, as time or a crash would."""
    assert gateway.database(lambda tx: sql(tx).run(query, *args)) == 1


def crashed(gateway: GatewayProcess) -> None:
    """The latest request is one whose answer was not kept any more: the gateway died first, two minutes ago."""
    change(
        gateway,
        "UPDATE idempotency SET state = 'running', status = NULL, body = NULL, created_at = ? "
        "WHERE id = (SELECT max(id) FROM idempotency)",
        now_us() - 2 * MINUTE_US,
    )


def fresh(body: dict[str, Any]) -> dict[str, Any]:
    """The same with a name of its own for NEW."""
    drawn = f"n{uuid.uuid4().hex[:10]}"
    return {
        name: value.replace("NEW", drawn) if isinstance(value, str) else value for name, value in body.items()
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("inboxes", {"name": "a"}),
        ("inboxes", {"name": "a", "email": "NEW@postern.test"}),
        ("api_keys", {"name": "a"}),
        ("domains", {"name": "NEW.example"}),
        ("webhooks", {"url": "https://example.com/NEW", "events": ["message.received"]}),
    ],
)
def test_a_repeat_is_answered_as_before_and_does_nothing(
    organization: Organization, path: str, body: dict[str, Any]
) -> None:
    body = fresh(body)
    before = call(organization, "GET", path)["meta"]["total"]
    key = str(uuid.uuid4())
    first, *others = [post(organization, path, body, key) for _ in range(3)]
    assert first.status_code == 201
    same(first, *others)
    assert call(organization, "GET", path)["meta"]["total"] == before + 1


def test_another_body_is_answered_as_the_first(organization: Organization) -> None:
    first = post(organization, "inboxes", {"name": "first"}, "one-key")
    same(first, post(organization, "inboxes", {"name": "second"}, "one-key"))
    assert [one["name"] for one in call(organization, "GET", "inboxes")["data"]] == ["first"]


def test_of_repeats_at_the_same_time_one_runs(organization: Organization) -> None:
    email = f"race-{uuid.uuid4().hex[:8]}@postern.test"
    with ThreadPoolExecutor(6) as pool:
        jobs = [
            pool.submit(post, organization, "inboxes", {"name": "a", "email": email}, "race")
            for _ in range(6)
        ]
        got = sorted((job.result() for job in jobs), key=lambda one: REPLAYED in one.headers)
    assert got[0].status_code == 201
    same(*got)


def test_parallel_retries_send_one_mail(organization: Organization) -> None:
    inbox = made(organization, "inboxes", {"name": "a"})
    body = {"to": [inbox["email"]], "subject": "once", "text": "t"}
    path = f"inboxes/{inbox['id']}/messages/send"
    with ThreadPoolExecutor(5) as pool:
        jobs = [pool.submit(post, organization, path, body, "send") for _ in range(5)]
        got = sorted((job.result() for job in jobs), key=lambda one: REPLAYED in one.headers)
    assert got[0].status_code == 201
    same(*got)
    # the same inbox in another spelling is the same operation
    same(got[0], post(organization, f"inboxes/{inbox['ulid']}/messages/send", body, "send"))
    assert [one["id"] for one in sent_by(organization, inbox)] == [got[0].json()["data"]["id"]]


def test_a_repeated_form_has_another_boundary(organization: Organization) -> None:
    inbox = made(organization, "inboxes", {"name": "a"})
    fields = {"to[0]": inbox["email"], "subject": "form", "text": "t"}
    got = [
        answer(
            organization,
            "POST",
            f"inboxes/{inbox['id']}/messages/send",
            headers={"Idempotency-Key": "form"},
            data=fields,
            files={"attachments[0]": ("a.txt", b"A" * 200_000, "text/plain")},
        )
        for _ in range(2)
    ]
    assert got[0].status_code == 201, got[0].text
    same(*got)
    assert len(sent_by(organization, inbox)) == 1


def sent_by(organization: Organization, inbox: dict[str, Any]) -> list[dict[str, Any]]:
    """What the inbox holds of its own making."""
    rows = call(organization, "GET", f"inboxes/{inbox['id']}/messages?per_page=100")["data"]
    return [one for one in rows if one["status"] != "received"]


def test_a_key_belongs_to_the_api_key(organization: Organization) -> None:
    other = made(organization, "api_keys", {"name": "other"})["key"]
    first = post(organization, "inboxes", {"name": "a"}, "shared")
    second = post(organization, "inboxes", {"name": "a"}, "shared", key=other)
    assert REPLAYED not in second.headers
    assert first.json()["data"]["id"] != second.json()["data"]["id"]


def test_a_key_belongs_to_one_operation(organization: Organization) -> None:
    post(organization, "inboxes", {"name": "a"}, "shared")
    second = post(organization, "api_keys", {"name": "a"}, "shared")
    assert second.json()["data"]["key"].startswith("mbk_live_")


def test_a_refusal_is_not_kept(organization: Organization) -> None:
    wrong = post(organization, "inboxes", {"name": "a", "email": "a@elsewhere.example"}, "retry")
    assert wrong.status_code == 422
    missing = post(organization, "domains/7/verify", None, "retry")
    assert missing.status_code == 404
    right = post(organization, "inboxes", {"name": "a"}, "retry")
    assert right.status_code == 201
    same(right, post(organization, "inboxes", {"name": "a"}, "retry"))
    for status in (wrong, missing):
        assert REPLAYED not in status.headers


def test_reading_and_deleting_take_no_notice(organization: Organization) -> None:
    inbox = made(organization, "inboxes", {"name": "a"})
    path, headers = f"inboxes/{inbox['id']}", {"Idempotency-Key": "k"}
    for method, status in (("GET", 200), ("GET", 200), ("DELETE", 204), ("DELETE", 404), ("GET", 404)):
        got = answer(organization, method, path, headers=headers)
        assert got.status_code == status
        assert REPLAYED not in got.headers


def test_registering_takes_no_notice(gateway: GatewayProcess) -> None:
    stranger = Organization("", "mbk_none", gateway.base_url)
    body = {"name": "a", "owner_email": f"{uuid.uuid4().hex}@a.example"}
    one, two = (post(stranger, "register", body, "same") for _ in range(2))
    assert one.json()["api_key"] != two.json()["api_key"]


@pytest.mark.parametrize("key", ["a b", "unique-request-id-abc123", "x" * 400, "order/1?2#3", "{}"])
def test_any_text_is_a_key(organization: Organization, key: str) -> None:
    same(*(post(organization, "api_keys", {"name": "a"}, key) for _ in range(2)))


def test_an_empty_key_is_none(organization: Organization) -> None:
    one, two = (post(organization, "inboxes", {"name": "a"}, "") for _ in range(2))
    assert one.json()["data"]["id"] != two.json()["data"]["id"]


def test_a_kept_secret_cannot_be_read_in_the_database(
    gateway: GatewayProcess, organization: Organization
) -> None:
    key = post(organization, "api_keys", {"name": "sealed"}, "k").json()["data"]["key"]
    again = post(organization, "api_keys", {"name": "sealed"}, "k")
    assert again.json()["data"]["key"] == key
    assert again.headers["Cache-Control"] == "no-store"
    for file in gateway.data.glob("postern.db*"):
        assert key.encode() not in file.read_bytes(), file.name


def test_a_key_is_free_again_after_a_day(gateway: GatewayProcess, organization: Organization) -> None:
    first = post(organization, "inboxes", {"name": "a"}, "daily")
    latest = "id = (SELECT max(id) FROM idempotency)"
    change(gateway, f"UPDATE idempotency SET created_at = ? WHERE {latest}", now_us() - 24 * 61 * MINUTE_US)
    second = post(organization, "inboxes", {"name": "a"}, "daily")
    assert REPLAYED not in second.headers
    assert first.json()["data"]["id"] != second.json()["data"]["id"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("inboxes", {"name": "a"}),
        ("inboxes", {"name": "a", "email": "NEW@postern.test"}),
        ("domains", {"name": "NEW.example"}),
        ("webhooks", {"url": "https://example.com/NEW", "events": ["message.received"]}),
    ],
)
def test_after_a_crash_the_repeat_finds_what_was_made(
    gateway: GatewayProcess, organization: Organization, path: str, body: dict[str, Any]
) -> None:
    body = fresh(body)
    first = post(organization, path, body, "crash")
    for _ in range(2):
        crashed(gateway)
        again = post(organization, path, body, "crash")
        assert (again.status_code, again.json()) == (201, first.json())
        assert REPLAYED not in again.headers
    same(first, post(organization, path, body, "crash"))
    assert call(organization, "GET", path)["meta"]["total"] == 1


def test_what_is_sealed_opens_with_its_secret_only() -> None:
    sealed = seal(b"s" * 32, "mbk_live_ü")
    assert "mbk_live" not in sealed
    assert seal(b"s" * 32, "mbk_live_ü") != sealed
    assert unseal(b"s" * 32, sealed) == "mbk_live_ü"
    for secret, text in ((b"t" * 32, sealed), (b"s" * 32, sealed[:-4] + "AAA="), (b"s" * 32, "plain")):
        with pytest.raises(Unreadable):
            unseal(secret, text)
