"""What clients need passes both proxies: JSON, large bodies, streams, WebSockets, and their own addresses."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.proxies.proxy import KINDS, Proxy, proxy_missing, running_proxy
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.waiting import until
from tests.waiting.waits import Desk, a_desk

SPOOFED = "203.0.113.9"


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, Path]]:
    """A gateway that listens on a Unix socket beside its port, and logs its clients' addresses."""
    with tempfile.TemporaryDirectory(prefix="px-") as short:
        path = Path(short) / "http.sock"
        place = tmp_path_factory.mktemp("gateway")
        settings: dict[str, Any] = {
            "log__format": "json",
            "http__unix_socket": path,
            "limits__attachment_bytes": 1 << 25,
        }
        with running_gateway(place, **settings) as gateway:
            yield gateway, path


@pytest.fixture(scope="module", params=KINDS)
def proxy(
    request: pytest.FixtureRequest,
    listening: tuple[GatewayProcess, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    if missing := proxy_missing(request.param):
        pytest.skip(missing)
    with running_proxy(request.param, tmp_path_factory.mktemp(request.param), listening[1]) as running:
        yield running


@pytest.fixture
def desk(listening: tuple[GatewayProcess, Path], proxy: Proxy) -> Iterator[Desk]:
    """An organization whose calls go through the proxy."""
    with a_desk(listening[0]) as made:
        yield replace(made, organization=replace(made.organization, base_url=proxy.url))


def logged_client(gateway: GatewayProcess, path: str) -> str:
    """The address that the gateway logged with the request for ``path``."""

    def found() -> str | None:
        for line in gateway.log.splitlines():
            if path in line and '"client"' in line:
                return str(json.loads(line)["client"])
        return None

    return str(until(found, 20, f"a log line of {path}"))


def test_calls_and_thirty_megabytes_pass(desk: Desk) -> None:
    assert desk.organization.call("GET", f"inboxes/{desk.inbox['inbox_id']}")["email"] == desk.inbox["email"]
    content = base64.b64encode(b"\0" * 23_000_000).decode()
    body = {"to": ["a@b.test"], "attachments": [{"filename": "large.bin", "content": content}]}
    assert len(content) > 30_000_000
    draft = desk.organization.call("POST", f"inboxes/{desk.inbox['inbox_id']}/drafts", json=body)
    assert draft["attachments"][0]["size"] == 23_000_000


def test_a_wait_is_answered_and_a_stream_is_not_held_back(desk: Desk) -> None:
    (job,) = desk.start(timeout=50)
    with desk.stream() as events:
        desk.receive("through the proxy")
        assert job.result(30)["subject"] == "through the proxy"
        assert events.next()["subject"] == "through the proxy"


@pytest.mark.anyio
async def test_a_websocket_tells_of_mail(desk: Desk, proxy: Proxy) -> None:
    # Not websockets.sync: it reads and writes its one TLS connection in two threads, for which Python's ssl is not
    # made. On a busy machine about one connection in 300 lost what had arrived, behind nginx and Caddy alike.
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    async with (
        asyncio.timeout(90),
        connect(
            f"wss://localhost:{proxy.https}/api/v0",
            ssl=anybody,
            additional_headers=desk.organization.headers,
            open_timeout=30,
            proxy=None,
        ) as client,
    ):
        await client.send(json.dumps({"type": "subscribe", "inbox_ids": [desk.inbox["inbox_id"]]}))
        assert json.loads(await client.recv())["type"] == "subscribed"
        await asyncio.to_thread(desk.receive, "over a WebSocket")
        assert json.loads(await client.recv())["message"]["subject"] == "over a WebSocket"


@pytest.mark.parametrize("claimed", ["", SPOOFED, f"{SPOOFED}, 127.0.0.1", "unix"])
def test_the_clients_address_is_its_own(
    listening: tuple[GatewayProcess, Path], proxy: Proxy, claimed: str
) -> None:
    path = f"/api/v0/nothing-{proxy.kind}-{abs(hash(claimed))}"
    headers = (
        {"X-Forwarded-For": claimed, "Forwarded": f"for={SPOOFED}", "X-Real-IP": SPOOFED} if claimed else {}
    )
    transport = httpx.HTTPTransport(verify=False, local_address="127.0.0.7")
    with httpx.Client(transport=transport, trust_env=False) as client:
        assert client.get(proxy.url + path, headers=headers).status_code in (401, 404)
    assert logged_client(listening[0], path) == "127.0.0.7"


def test_nobody_else_is_believed(listening: tuple[GatewayProcess, Path]) -> None:
    gateway = listening[0]
    with httpx.Client(trust_env=False, verify=False) as client:
        client.get(f"{gateway.base_url}/api/v0/nothing-direct", headers={"X-Forwarded-For": SPOOFED})
    assert logged_client(gateway, "/api/v0/nothing-direct") == "127.0.0.1"


def test_http_goes_to_https_and_figures_stay_inside(proxy: Proxy) -> None:
    with httpx.Client(verify=False, trust_env=False) as client:
        moved = client.get(f"http://localhost:{proxy.http}/docs?a=b")
        assert moved.status_code == 308
        assert moved.headers["location"].startswith("https://localhost")
        assert moved.headers["location"].endswith("/docs?a=b")
        assert client.get(f"{proxy.url}/health").status_code == 200
        for inside in ("/metrics", "/ready"):
            assert client.get(proxy.url + inside).status_code == 404


@pytest.mark.parametrize(
    ("host", "path", "words"),
    [
        ("mta-sts.postern.test", "/.well-known/mta-sts.txt", "version: STSv1"),
        ("autoconfig.postern.test", "/mail/config-v1.1.xml", "<domain>postern.test</domain>"),
    ],
)
def test_what_a_domain_publishes_is_found_by_its_host(proxy: Proxy, host: str, path: str, words: str) -> None:
    with httpx.Client(verify=False, trust_env=False) as client:
        answer = client.get(proxy.url + path, headers={"Host": host}, extensions={"sni_hostname": host})
        assert answer.status_code == 200, answer.text
        assert words in answer.text
        elsewhere = client.get(proxy.url + path)
        assert words not in elsewhere.text
