"""Each metric changes when its thing happens, on a real gateway; and what is documented is what is exposed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from aiosmtpd.controller import Controller
from websockets.sync.client import connect

from tests.monitoring.names import ELSEWHERE, ROOT, exposed_in, names_in, scraped, value
from tests.processes.fleet import fleet
from tests.support.databases import on_postgres
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.mails import deliver, new_mail
from tests.support.ports import keep_port
from tests.support.postgres_server import PostgresCluster
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint

MANUAL = "docs/monitoring.md"
SERIES = ("_total", "_info", "_bucket", "_count", "_sum")


class Relay:
    """Takes what it is given; holds it for as long as ``held``, and refuses ``refuse@``."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.held.set()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("refuse"):
            return "550 5.1.1 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        while not self.held.is_set():  # noqa: ASYNC110 - it is set in another thread
            await asyncio.sleep(0.05)
        return "250 2.0.0 taken"


class World:
    def __init__(self, gateway: GatewayProcess, relay: Relay) -> None:
        self.gateway, self.relay = gateway, relay
        self.home = gateway.new_organization()
        self.inbox = self.home.new_inbox()
        self.path = f"inboxes/{self.inbox['inbox_id']}/messages"

    def send(self, to: str) -> None:
        self.home.call("POST", f"{self.path}/send", json={"to": [to], "subject": "s", "text": "t"})

    def now(self, name: str, **labels: str) -> float:
        return value(scraped(self.gateway), name, **labels)

    def rises(self, name: str, by: float = 1, since: float = 0, **labels: str) -> None:
        until(lambda: self.now(name, **labels) >= since + by, 60, f"{name} {labels} above {since}", 0.2)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    relay = Relay()
    controller = Controller(relay, hostname="127.0.0.1", port=(port := keep_port()))
    controller.start()
    try:
        with running_gateway(
            tmp_path_factory.mktemp("world"),
            mail__smarthost=f"127.0.0.1:{port}",
            mail__smarthost_tls="none",
            outbox__concurrency=1,
            webhooks__retry_scale=0.01,
        ) as gateway:
            yield World(gateway, relay)
    finally:
        relay.held.set()
        controller.stop()


def test_a_counter_is_there_from_the_start(world: World) -> None:
    text = scraped(world.gateway)
    for name, label, values in (
        ("postern_messages_total", "direction", ("inbound", "outbound")),
        ("postern_sends_total", "outcome", ("sent", "delivered", "bounced")),
        ("postern_webhook_attempts_total", "outcome", ("delivered", "failed")),
    ):
        for one in values:
            assert f'{name}{{{label}="{one}"}} ' in text


def test_which_postern(world: World) -> None:
    assert world.now("postern_build_info") == 1


def test_messages(world: World) -> None:
    came, went = (world.now("postern_messages_total", direction=one) for one in ("inbound", "outbound"))
    to = world.inbox["email"]
    deliver(world.gateway.port("smtp"), new_mail(to), to)
    world.rises("postern_messages_total", since=came, direction="inbound")
    world.send("someone@far.test")
    world.rises("postern_messages_total", since=went, direction="outbound")


def test_sends(world: World) -> None:
    before = {one: world.now("postern_sends_total", outcome=one) for one in ("sent", "delivered", "bounced")}
    world.send("someone@far.test")
    world.send(world.inbox["email"])
    world.send("refuse@far.test")
    for one, since in before.items():
        world.rises("postern_sends_total", since=since, outcome=one)


def test_webhook_posts(world: World) -> None:
    with webhook_endpoint() as hook:
        hook.answer = lambda post: 500 if len(hook.posts) == 1 else 200
        good, bad = (
            world.now("postern_webhook_attempts_total", outcome=one) for one in ("delivered", "failed")
        )
        made = world.home.call(
            "POST", "webhooks", json={"url": hook.url, "event_types": ["message.received"]}
        )
        to = world.inbox["email"]
        deliver(world.gateway.port("smtp"), new_mail(to), to)
        world.rises("postern_webhook_attempts_total", since=bad, outcome="failed")
        world.rises("postern_webhook_attempts_total", since=good, outcome="delivered")
        world.home.call("DELETE", f"webhooks/{made['webhook_id']}")


def test_what_waits_for_an_endpoint(world: World) -> None:
    with webhook_endpoint() as hook:
        hook.answer = lambda post: (503, {"Retry-After": "3600"})
        made = world.home.call(
            "POST", "webhooks", json={"url": hook.url, "event_types": ["message.received"]}
        )
        to = world.inbox["email"]
        deliver(world.gateway.port("smtp"), new_mail(to), to)
        world.rises("postern_webhooks_waiting")
        world.home.call("DELETE", f"webhooks/{made['webhook_id']}")
        until(lambda: world.now("postern_webhooks_waiting") == 0, 60)


def test_requests(world: World) -> None:
    answered = world.now("postern_http_requests_total", status="404")
    timed = world.now("postern_http_request_seconds_count")
    assert (
        httpx.get(f"{world.home.base_url}/api/v0/inboxes/none", headers=world.home.headers).status_code == 404
    )
    assert world.now("postern_http_requests_total", status="404") == answered + 1
    assert world.now("postern_http_request_seconds_count") > timed


def test_open_sockets_and_waits(world: World) -> None:
    url = world.gateway.base_url.replace("http", "ws") + "/v1/ws"
    before = world.now("postern_websockets")
    with connect(url, additional_headers=world.home.headers, proxy=None):
        world.rises("postern_websockets", since=before)
    until(lambda: world.now("postern_websockets") == before)
    waiter = threading.Thread(
        target=world.home.call, args=("GET", f"{world.path}/wait?timeout=3&subject={uuid.uuid4().hex}")
    )
    waiter.start()
    world.rises("postern_waits")
    waiter.join()
    assert world.now("postern_waits") == 0


def test_what_the_outbox_holds(world: World) -> None:
    """One send takes the only place of ``outbox.concurrency``; the next is due and waits."""
    world.relay.held.clear()
    try:
        world.send("one@far.test")
        world.send("two@elsewhere.test")
        world.rises("postern_outbox_waiting", by=2)
        world.rises("postern_outbox_age_seconds")
    finally:
        world.relay.held.set()
    until(lambda: world.now("postern_outbox_waiting") == 0, 60)
    until(lambda: world.now("postern_outbox_age_seconds") == 0, 60)


def test_a_notification_that_is_not_answered(world: World) -> None:
    """Mail arrives while nothing can be indexed."""
    to = world.inbox["email"]
    with index_held(world.gateway):
        deliver(world.gateway.port("smtp"), new_mail(to), to)
        world.rises("postern_sync_lag_seconds")
    until(lambda: world.now("postern_sync_lag_seconds") == 0, 60)


@contextmanager
def index_held(gateway: GatewayProcess) -> Iterator[None]:
    """While the database lets nobody write messages."""
    if on_postgres():
        with psycopg.connect(gateway.environment()["POSTERN_DATABASE_URL"]) as db:
            db.execute("LOCK TABLE message IN EXCLUSIVE MODE")
            yield
            db.rollback()
    else:
        with closing(sqlite3.connect(gateway.data / "postern.db", isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("ROLLBACK")


def test_a_part_that_is_down(world: World) -> None:
    assert world.now("postern_part_up", part="database") == 1
    until(lambda: world.now("postern_part_up", part="dovecot") == 1, 60)
    stopped = [
        pid for pid in world.gateway.children() if b"dovecot" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: 'part="dovecot"} 0.0' in scraped(world.gateway), 90)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    until(lambda: world.now("postern_part_up", part="dovecot") == 1, 90)


def test_what_is_documented_is_what_is_exposed(world: World) -> None:
    told = {base(name) for name in names_in((ROOT / MANUAL).read_text("utf-8"))}
    there = {base(name) for name in exposed_in(world.gateway)}
    assert sorted(told - there) == [], "documented, and not exposed"
    table = {base(name) for name in names_in(_metrics())}
    assert sorted(there - table) == [], "exposed, and not documented"
    assert table >= ELSEWHERE
    help_of_all = scraped(world.gateway)
    assert all(f"# HELP {name}" in help_of_all for name in exposed_in(world.gateway) - ELSEWHERE)


def test_labels_are_documented_as_they_are(world: World) -> None:
    text = scraped(world.gateway)
    for name, labels in _labels(_metrics()).items():
        found = next(line for line in text.splitlines() if line.startswith(f"{name}{{"))
        for one in labels:
            assert f'{one}="' in found, f"{name} has no label {one}"


def _labels(text: str) -> dict[str, list[str]]:
    return {found[1]: found[2].split(",") for found in re.finditer(r"`(postern_\w+){([\w,]+)}`", text)}


def _metrics() -> str:
    """The part of the manual that is about metrics."""
    return (ROOT / MANUAL).read_text("utf-8").partition("## Metrics\n")[2].partition("\n## ")[0]


def base(name: str) -> str:
    for end in SERIES:
        name = name.removesuffix(end)
    return name


def test_each_process_counts_what_it_does(postgres: PostgresCluster, tmp_path: Path) -> None:
    """Where roles are split, all of them are to be asked."""
    with fleet(postgres, tmp_path, webhooks__retry_scale=0.01) as gateways, webhook_endpoint() as hook:
        front, back = (
            gateways.member("front", "api,mail"),
            gateways.member("back", "sync,outbox,events"),
        )
        front.begin()
        front.wait()
        back.begin()
        back.wait()
        _, key = gateways.key()
        inbox = front.call("POST", "/api/v0/inboxes", key, json={"username": f"b{uuid.uuid4().hex[:8]}"})
        hooked = {"url": hook.url, "event_types": ["message.received"]}
        front.call("POST", "/api/v0/webhooks", key, json=hooked)
        body = {"to": [inbox["email"]], "subject": "s", "text": "t"}
        front.call("POST", f"/api/v0/inboxes/{inbox['inbox_id']}/messages/send", key, json=body)

        def counted(member: Any, name: str, **labels: str) -> float:
            return value(httpx.get(f"{member.base_url}/metrics", trust_env=False).text, name, **labels)

        for name, labels in (
            ("postern_messages_total", {"direction": "inbound"}),
            ("postern_sends_total", {"outcome": "delivered"}),
            ("postern_webhook_attempts_total", {"outcome": "delivered"}),
        ):
            until(lambda name=name, labels=labels: counted(back, name, **labels) >= 1, 60, name)
            assert counted(front, name, **labels) == 0
        until(lambda: counted(front, "postern_messages_total", direction="outbound") >= 1, 60)
        assert counted(front, "postern_http_requests_total") >= 3
