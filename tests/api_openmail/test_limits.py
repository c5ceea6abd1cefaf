"""How much may be sent and created: exact under concurrency, told in headers (contract §10)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.configuration import BadSettings, load_settings
from gateway.settings import OPENMAIL_LIMITS, Settings
from tests.api_openmail.calls import call, client
from tests.api_openmail.mailing import accepted, change, send, send_at_once, stranger, told
from tests.support.gateway_process import GatewayProcess, running_gateway

BURST, SHARE, CREATIONS = 5, 7, 4


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running_gateway(
        tmp_path_factory.mktemp("limited"),
        limits__sends_per_minute=BURST,
        limits__organization_sends_per_day=SHARE,
        limits__inboxes_per_day=CREATIONS,
        limits__requests_per_minute=100_000,
    ) as running:
        yield running


def refused(answer: httpx.Response, scope: str, limit: int) -> dict[str, Any]:
    """A 429 that says all it should; answers its body."""
    body: dict[str, Any] = answer.json()
    assert answer.status_code == 429, answer.text
    assert (body["error"], body["scope"]) == ("rate_limit_exceeded", scope)
    assert told(answer) | {"reset": 0} == {"limit": limit, "remaining": 0, "reset": 0}
    wait = int(answer.headers["retry-after"])
    assert wait >= 1
    assert abs(told(answer)["reset"] - time.time() - wait) < 30
    return body


def test_of_sends_at_once_exactly_the_burst_is_taken(limited: GatewayProcess) -> None:
    organization = limited.new_organization()
    inbox = organization.new_inbox()["inbox_id"]
    answers = send_at_once(organization, [(inbox, stranger()) for _ in range(BURST + 6)])
    taken = accepted(answers)
    assert len(taken) == BURST
    # the tightest limit is told: of 5 a minute and 7 a day, the former
    assert sorted(told(one)["remaining"] for one in taken) == list(range(BURST))
    assert {told(one)["limit"] for one in taken} == {BURST}
    for one in answers:
        if one.status_code == 429:
            refused(one, "burst", BURST)
            assert int(one.headers["retry-after"]) <= 61
    # what was refused does not count: a minute later there is room again
    change(limited, "UPDATE outbox SET created_at = created_at - 61000000")
    assert send(organization, inbox, stranger()).status_code == 200


def test_the_organizations_share_holds_over_inboxes_and_outlives_them(limited: GatewayProcess) -> None:
    organization = limited.new_organization()
    one, two, three = (organization.new_inbox()["inbox_id"] for _ in range(3))
    answers = send_at_once(organization, [(box, stranger()) for box in (one, two) for _ in range(BURST)])
    assert len(accepted(answers)) == SHARE
    for answer in answers:
        if answer.status_code == 429:
            refused(answer, "global", SHARE)
    organization.call("DELETE", f"/inboxes/{one}")
    refused(send(organization, three, stranger()), "global", SHARE)
    change(limited, "UPDATE tally SET day = day - 1")
    assert send(organization, three, stranger()).status_code == 200


def test_an_old_answer_is_repeated_when_nothing_is_left(limited: GatewayProcess) -> None:
    organization = limited.new_organization()
    inbox, to = organization.new_inbox()["inbox_id"], stranger()
    mail = {"to": to, "subject": "Hello", "body": "A line."}
    with client(organization) as http:
        first = http.post(f"inboxes/{inbox}/send", json=mail, headers={"Idempotency-Key": "once"})
        send_at_once(organization, [(inbox, stranger()) for _ in range(BURST)])
        again = http.post(f"inboxes/{inbox}/send", json=mail, headers={"Idempotency-Key": "once"})
        late = http.post(f"inboxes/{inbox}/send", json=mail, headers={"Idempotency-Key": "late"})
        assert first.status_code == again.status_code == 200
        assert again.json() == first.json()
        refused(late, "burst", BURST)
        # the refusal is no outcome: the same key sends once there is room
        change(limited, "UPDATE outbox SET created_at = created_at - 61000000")
        late = http.post(f"inboxes/{inbox}/send", json=mail, headers={"Idempotency-Key": "late"})
        assert late.status_code == 200


def test_of_creations_at_once_exactly_the_days_are_made(limited: GatewayProcess) -> None:
    organization = limited.new_organization()

    def create(_: int) -> httpx.Response:
        with client(organization) as http:
            return http.post("inboxes", json={})

    with ThreadPoolExecutor(CREATIONS + 3) as pool:
        answers = list(pool.map(create, range(CREATIONS + 3)))
    assert sorted(one.status_code for one in answers) == [201] * CREATIONS + [429] * 3
    refused(next(one for one in answers if one.status_code == 429), "daily", CREATIONS)
    # deleting does not give the quota back
    made = next(one.json()["id"] for one in answers if one.status_code == 201)
    call(organization, "DELETE", f"inboxes/{made}", status=204)
    refused(create(0), "daily", CREATIONS)


def test_every_dialect_tells_of_the_limits(limited: GatewayProcess) -> None:
    organization = limited.new_organization()
    inbox = organization.new_inbox()["inbox_id"]
    with organization.client() as http:
        for left in range(BURST - 1, -1, -1):
            answer = http.post(f"inboxes/{inbox}/messages/send", json={"to": stranger(), "text": "t"})
            assert answer.status_code == 200
            assert told(answer) | {"reset": 0} == {"limit": BURST, "remaining": left, "reset": 0}
        answer = http.post(f"inboxes/{inbox}/messages/send", json={"to": stranger(), "text": "t"})
        assert (answer.status_code, answer.json()["name"]) == (429, "RateLimitError")
        assert told(answer)["remaining"] == 0
        assert int(answer.headers["retry-after"]) <= 61


def test_without_limits_no_header_speaks_of_them(gateway: GatewayProcess) -> None:
    organization = gateway.new_organization()
    answer = send(organization, organization.new_inbox()["inbox_id"], stranger())
    assert answer.status_code == 200
    assert told(answer) == {}


def test_the_openmail_profile_fills_what_is_not_set(tmp_path: Path) -> None:
    file = tmp_path / "postern.toml"
    file.write_text('[limits]\nprofile = "openmail"\nsends_per_day = 1000\n', "utf-8")
    settings, origin = load_settings(file, environ={"POSTERN_LIMITS_WEBSOCKETS": "50"})
    limits = settings.limits
    assert (limits.sends_per_minute, origin["limits.sends_per_minute"]) == (10, "profile")
    assert (limits.sends_per_day, origin["limits.sends_per_day"]) == (1000, "file")
    assert (limits.websockets, origin["limits.websockets"]) == (50, "environment")
    assert (limits.cold_new_inbox, limits.cold_inbox) == (20, 200)
    assert (limits.cold_new_organization, limits.cold_organization) == (150, 500)
    assert (limits.inboxes_per_day, limits.websocket_messages) == (100, 30)
    for name in OPENMAIL_LIMITS.keys() - {"limits.sends_per_day", "limits.websockets"}:
        assert origin[name] == "profile"


def test_without_the_profile_nothing_is_limited(tmp_path: Path) -> None:
    settings, origin = load_settings(environ={})
    assert settings.limits == Settings().limits
    unlimited = [name for name in OPENMAIL_LIMITS if name != "limits.websockets"]
    assert not any(getattr(settings.limits, name.partition(".")[2]) for name in unlimited)
    assert {origin[name] for name in OPENMAIL_LIMITS} == {"default"}
    with pytest.raises(BadSettings, match="profile"):
        load_settings(environ={"POSTERN_LIMITS_PROFILE": "gmail"})
