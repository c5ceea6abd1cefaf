"""How many requests and how large, at /api/v1: told in headers, refused with 429 and 413."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.api.mailboxkit.limits import request_limits
from gateway.api.ratelimit import RequestLimits, rate_limit
from gateway.configuration import load_settings
from gateway.core.buckets import Days
from gateway.core.context import Core
from gateway.core.errors import TooMany
from gateway.core.key_ring import KeyRing
from gateway.records.ids import KeyId, OrganizationId
from gateway.store.scope import Scope
from tests.api_mailboxkit.calls import answer, call, client, made
from tests.api_mailboxkit.conftest import PER_DAY
from tests.support.gateway_process import GatewayProcess, Organization

MB = 1024 * 1024


def told(got: httpx.Response) -> tuple[int, int, int]:
    """Limit, remaining and reset."""
    limit, remaining, reset = (
        int(got.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset")
    )
    return limit, remaining, reset


def test_every_answer_to_a_key_tells_of_the_minute(organization: Organization) -> None:
    got = [
        answer(organization, "GET", "inboxes"),
        answer(organization, "POST", "inboxes", {}),
        answer(organization, "GET", "inboxes/none"),
        answer(organization, "GET", "no/such/path"),
        answer(organization, "PATCH", "inboxes"),
    ]
    assert [one.status_code for one in got] == [200, 422, 404, 404, 405]
    for one in got:
        limit, remaining, reset = told(one)
        assert limit == 1000
        assert 0 < remaining < 1000
        assert abs(reset - time.time()) < 3600
    assert told(got[1])[1] <= told(got[0])[1]


def test_without_a_key_nothing_is_told(organization: Organization) -> None:
    got = answer(organization, "GET", "inboxes", key="mbk_wrong")
    assert got.status_code == 401
    assert not [name for name in got.headers if name.startswith("x-ratelimit")]


def test_each_key_has_its_own_minute(organization: Organization) -> None:
    other = made(organization, "api_keys", {"name": "b"})["key"]
    for _ in range(5):
        answer(organization, "GET", "inboxes")
    assert told(answer(organization, "GET", "inboxes", key=other))[1] == 999


def test_a_day_has_an_exact_end(strict: GatewayProcess) -> None:
    organization = strict.new_organization()
    got = [answer(organization, "GET", "inboxes") for _ in range(PER_DAY + 2)]
    assert [one.status_code for one in got] == [200] * PER_DAY + [429] * 2
    assert [told(one)[:2] for one in got] == [
        (PER_DAY, max(0, PER_DAY - number)) for number in range(1, PER_DAY + 3)
    ]
    assert got[-1].json()["message"] == "Too Many Attempts."
    assert got[-1].json()["error"] == "rate_limited"
    assert 0 < int(got[-1].headers["Retry-After"]) <= 86_400
    call(strict.new_organization(), "GET", "inboxes")
    with organization.client() as http:  # other dialects have limits of their own
        assert http.get("inboxes").status_code == 200


def test_a_minute_has_an_end_and_refills_evenly() -> None:
    core, headers = SimpleNamespace(keys=KeyRing()), dict[str, str]()
    reach = Scope(OrganizationId("organization"), key_id=KeyId("key"))
    for left in range(5, -1, -1):
        rate_limit(cast(Core, core), reach, headers, RequestLimits(per_minute=6))
        assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("6", str(left))
    with pytest.raises(TooMany) as refused:
        rate_limit(cast(Core, core), reach, headers, RequestLimits(per_minute=6))
    assert 0 < refused.value.retry_after <= 10
    rate_limit(
        cast(Core, core),
        Scope(OrganizationId("organization"), key_id=KeyId("other")),
        headers,
        RequestLimits(per_minute=6),
    )


def test_without_limits_nothing_is_counted_or_told() -> None:
    headers: dict[str, str] = {}
    rate_limit(
        cast(Core, SimpleNamespace(keys=KeyRing())),
        Scope(OrganizationId("organization")),
        headers,
        RequestLimits(),
    )
    assert headers == {}


@pytest.mark.parametrize(
    ("everywhere", "here", "minute"),
    [(0, 1000, 1000), (60, 1000, 60), (5000, 1000, 1000), (60, 0, 60), (0, 0, 0)],
)
def test_the_lower_of_two_limits_holds(everywhere: int, here: int, minute: int) -> None:
    settings, _ = load_settings(
        overrides={"limits.requests_per_minute": everywhere, "mailboxkit.requests_per_minute": here},
        environ={},
    )
    assert request_limits(settings) == RequestLimits(minute, 50_000)


def test_a_new_day_begins_at_midnight() -> None:
    days, midnight = Days(), 20_000 * 86_400.0
    assert [days.take("a", 2, midnight - 10).allowed for _ in range(3)] == [True, True, False]
    assert days.take("a", 2, midnight - 10).wait == 10
    assert days.take("b", 2, midnight - 10).left == 1
    assert days.take("a", 2, midnight).left == 1


def resident(gateway: GatewayProcess) -> int:
    """Octets of memory that the gateway's process holds."""
    lines = Path(f"/proc/{gateway.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def head(organization: Organization, *more: str) -> bytes:
    lines = [
        "POST /api/v1/inboxes HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {organization.api_key}",
        "Content-Type: application/json",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def connect(organization: Organization) -> socket.socket:
    url = urlsplit(organization.base_url)
    assert url.hostname is not None
    return socket.create_connection((url.hostname, url.port or 80), timeout=60)


def status_of(connection: socket.socket) -> int:
    """The status of the answer; what follows is read to its end."""
    data = b""
    try:
        while more := connection.recv(65_536):
            data += more
    except ConnectionResetError:
        pass
    return int(data.split(b" ", 2)[1])


def test_a_json_body_of_70_mb_is_taken(strict: GatewayProcess) -> None:
    body = b'{"name": "large", "more": "' + b"A" * (70 * MB) + b'"}'
    with client(strict.new_organization(), timeout=120) as http:
        got = http.post("inboxes", content=body, headers={"Content-Type": "application/json"})
    assert got.status_code == 201, got.text


def test_100_mb_are_refused_before_they_are_sent(strict: GatewayProcess) -> None:
    organization = strict.new_organization()
    before = resident(strict)
    for _ in range(PER_DAY - 1):
        with connect(organization) as connection:
            connection.sendall(head(organization, f"Content-Length: {100 * MB}"))
            assert status_of(connection) == 413
    assert resident(strict) - before < 20 * MB


def refused_midway(organization: Organization) -> None:
    """Send 150 MB in chunks, until nobody reads them any more."""
    chunk = b"%x\r\n" % MB + b"A" * MB + b"\r\n"
    sent = 0
    with connect(organization) as connection:
        connection.sendall(head(organization, "Transfer-Encoding: chunked"))
        try:
            while sent < 150 * MB:
                connection.sendall(chunk)
                sent += MB
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert status_of(connection) == 413
    assert 80 * MB <= sent < 150 * MB


def test_100_mb_of_unknown_length_are_refused_and_forgotten(strict: GatewayProcess) -> None:
    organization = strict.new_organization()
    refused_midway(organization)  # what was freed stays with the process, for the next one
    before = resident(strict)
    for _ in range(4):
        refused_midway(organization)
    assert resident(strict) - before < 80 * MB  # one body's worth; were they kept it would be four
    call(organization, "GET", "inboxes")
