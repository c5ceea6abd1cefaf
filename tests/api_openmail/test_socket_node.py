"""Agents' own WebSocket loops, in Node (``ws``) and in Python (``websockets``), against a running gateway: they hear
mail, outlive restarts without a gap or a double, and stop when their key is revoked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.api_openmail.calls import call
from tests.support.gateway_process import GatewayProcess, Organization, running_gateway
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint

HERE = Path(__file__).parent / "node"
NODE = shutil.which("node") or ""

without_node = pytest.mark.skipif(
    not NODE or not (HERE / "node_modules" / "ws").exists(),
    reason="node, or what npm installs in tests/api_openmail/node, is missing (scripts/test gets it)",
)


@pytest.fixture(scope="module")
def own_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that may be restarted."""
    with running_gateway(tmp_path_factory.mktemp("own_gateway"), webhooks__retry_scale=0.01) as running:
        yield running


class Listener:
    """What an agent tells of itself, in order."""

    def __init__(self) -> None:
        self.facts: list[dict[str, Any]] = []
        self._news: queue.Queue[dict[str, Any]] = queue.Queue()

    def tell(self, fact: dict[str, Any]) -> None:
        self.facts.append(fact)
        self._news.put(fact)

    def wait(self, **wanted: Any) -> None:
        """Wait for a fact that holds these."""
        while not wanted.items() <= self._news.get(timeout=30).items():
            pass

    @property
    def heard(self) -> list[str]:
        return [one["heard"] for one in self.facts if "heard" in one]


@contextlib.contextmanager
def in_node(url: str, key: str) -> Iterator[Listener]:
    listener = Listener()
    facts = json.dumps({"url": url, "key": key})
    with subprocess.Popen(
        [NODE, str(HERE / "listen.mjs")],
        stdout=subprocess.PIPE,
        env={**os.environ, "POSTERN_FACTS": facts},
    ) as process:
        assert process.stdout is not None
        lines = process.stdout

        def read() -> None:
            for line in lines:
                listener.tell(json.loads(line))
            listener.tell({"exit": process.wait()})

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield listener
        finally:
            process.kill()
            reader.join(10)


@contextlib.contextmanager
def in_python(url: str, key: str) -> Iterator[Listener]:
    listener = Listener()

    async def loop() -> None:
        last: str | None = None
        while True:
            try:
                async with connect(url, additional_headers={"Authorization": f"Bearer {key}"}) as socket:
                    await socket.send(json.dumps({"type": "subscribe", "last_event_id": last}))
                    async for raw in socket:
                        frame = json.loads(raw)
                        if frame.get("event") == "message.received":
                            last = frame["event_id"]
                            facts = {"inbox": frame["inbox_id"], "from": frame["message"]["from"]}
                            listener.tell({"heard": frame["message"]["subject"], **facts})
                        else:
                            listener.tell({"told": frame["type"]})
                listener.tell({"closed": socket.close_code})
            except (WebSocketException, OSError) as error:
                code = getattr(getattr(error, "rcvd", None), "code", None)
                if code is not None:
                    listener.tell({"closed": code})
                if code == 4001:
                    listener.tell({"exit": 0})
                    return
                await asyncio.sleep(0.1)

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(main())

    async def main() -> None:
        job = asyncio.current_task()
        assert job is not None
        running = asyncio.get_running_loop()
        stop.append(lambda: running.call_soon_threadsafe(job.cancel))
        ready.set()
        await loop()

    stop: list[Any] = []
    ready = threading.Event()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield listener
    finally:
        with contextlib.suppress(RuntimeError):  # it has ended
            stop[0]()
        thread.join(10)


AGENTS = [pytest.param(in_node, id="node", marks=without_node), pytest.param(in_python, id="python")]


def socket_url(organization: Organization) -> str:
    return organization.base_url.replace("http", "ws", 1) + "/v1/ws"


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_hears_across_restarts_without_gap_or_double(
    own_gateway: GatewayProcess, agent: Any
) -> None:
    organization = own_gateway.new_organization()
    inbox = call(organization, "POST", "inboxes", {})
    port = own_gateway.port("smtp")
    with agent(socket_url(organization), organization.api_key) as listener:
        listener.wait(told="subscribed")
        deliver(port, new_mail(inbox["address"], "0"), inbox["address"])
        listener.wait(heard="0", inbox=inbox["id"], **{"from": "ann@abroad.test"})
        for n in range(1, 13):
            deliver(port, new_mail(inbox["address"], str(n)), inbox["address"])
        own_gateway.restart()  # amid what is on its way
        for n in range(13, 20):
            deliver(port, new_mail(inbox["address"], str(n)), inbox["address"])
        listener.wait(closed=1001)
        listener.wait(told="subscribed")
        deliver(port, new_mail(inbox["address"], "20"), inbox["address"])
        listener.wait(heard="20")
        until(lambda: len(listener.heard) >= 21, why="every mail is heard")
        assert sorted(listener.heard, key=int) == [str(n) for n in range(21)]


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_stops_when_its_key_is_revoked(own_gateway: GatewayProcess, agent: Any) -> None:
    organization = own_gateway.new_organization()
    inbox = call(organization, "POST", "inboxes", {})
    key = call(organization, "POST", f"inboxes/{inbox['id']}/api-keys", {})
    with agent(socket_url(organization), key["token"]) as listener:
        listener.wait(told="subscribed")
        call(organization, "DELETE", f"inboxes/{inbox['id']}/api-keys/{key['id']}")
        listener.wait(told="error")
        listener.wait(closed=4001)
        listener.wait(exit=0)


def test_deleting_an_inbox_ends_the_sockets_of_its_keys(own_gateway: GatewayProcess) -> None:
    organization = own_gateway.new_organization()
    inbox = call(organization, "POST", "inboxes", {})
    key = call(organization, "POST", f"inboxes/{inbox['id']}/api-keys", {})
    with in_python(socket_url(organization), key["token"]) as listener:
        listener.wait(told="subscribed")
        call(organization, "DELETE", f"inboxes/{inbox['id']}")
        listener.wait(closed=4001)


def test_one_channel(own_gateway: GatewayProcess) -> None:
    """B8: with an agent on the socket the webhook is silent; without one it is called; both can be replayed."""
    organization = own_gateway.new_organization()
    inbox = call(organization, "POST", "inboxes", {})
    port = own_gateway.port("smtp")
    with webhook_endpoint() as endpoint:
        call(organization, "PATCH", f"inboxes/{inbox['id']}", {"webhookUrl": endpoint.url})
        with in_python(socket_url(organization), organization.api_key) as listener:
            listener.wait(told="subscribed")
            deliver(port, new_mail(inbox["address"], "by socket"), inbox["address"])
            listener.wait(heard="by socket")
        until(lambda: _open_sockets(own_gateway) == 0, why="the gateway saw the agent go")
        deliver(port, new_mail(inbox["address"], "by webhook"), inbox["address"])
        until(lambda: endpoint.posts, why="the webhook is called")
        assert [one.json["message"]["subject"] for one in endpoint.posts] == ["by webhook"]


def _open_sockets(own_gateway: GatewayProcess) -> float:
    lines = httpx.get(f"{own_gateway.base_url}/metrics", timeout=10, trust_env=False).text.splitlines()
    return sum(float(one.rsplit(" ", 1)[1]) for one in lines if "sockets" in one and not one.startswith("#"))
