"""What other organizations' bad endpoints cost a neighbour: SMTP 250 -> its webhook, p50 / p99.

python scripts/bench/webhooks.py [--hooks 400] [--organizations 20] [--probes 100]

The endpoints of others hang, drip octets without end, or answer after four seconds; their inboxes get a mail a second.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from aiohttp import web

from scripts.bench.rig import gateway, milliseconds, show
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail


def serve(pipe: Connection) -> None:
    """The endpoints, in a process of their own: says its port, then of each post to /good the subject and the time."""

    async def good(request: web.Request) -> web.StreamResponse:
        pipe.send(((await request.json())["message"]["subject"], time.monotonic()))
        return web.Response()

    async def bad(request: web.Request) -> web.StreamResponse:
        await request.read()
        if request.path.startswith("/slow"):
            await asyncio.sleep(4)
            return web.Response()
        response = web.StreamResponse()
        if request.path.startswith("/drip"):
            await response.prepare(request)
        while request.transport is not None:
            await asyncio.sleep(0.2)
            if request.path.startswith("/drip"):
                with suppress(ConnectionResetError):
                    await response.write(b".")
        return response

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/good", good)
        app.router.add_post("/{kind}/{number}", bad)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


@contextmanager
def endpoints() -> Iterator[tuple[Connection, str]]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    process.start()
    try:
        yield here, f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--hooks", type=int, default=400, help="of one organization")
    options.add_argument(
        "--organizations", type=int, default=20, help="that share as many hooks five times over"
    )
    options.add_argument("--probes", type=int, default=100)
    given = options.parse_args()
    each = max(1, 5 * given.hooks // given.organizations)
    for title, kind, organizations, hooks in (
        ("nobody else", "hang", 0, 0),
        (f"one organization, {given.hooks} endpoints that hang", "hang", 1, given.hooks),
        (f"one organization, {given.hooks} endpoints that drip", "drip", 1, given.hooks),
        (f"one organization, {given.hooks} endpoints that take 4 s", "slow", 1, given.hooks),
        (
            f"{given.organizations} organizations, {each} endpoints each that hang",
            "hang",
            given.organizations,
            each,
        ),
    ):
        with gateway() as running, endpoints() as (pipe, url):
            show(
                title,
                milliseconds(_measured(running, pipe, url, kind, organizations, hooks, given.probes)),
                "ms",
            )


def _measured(
    running: GatewayProcess,
    pipe: Connection,
    url: str,
    kind: str,
    organizations: int,
    hooks: int,
    probes: int,
) -> list[float]:
    neighbour = running.new_organization()
    mine = neighbour.new_inbox()["email"]
    _hook(neighbour, f"{url}/good")
    theirs = []
    for _ in range(organizations):
        other = running.new_organization()
        theirs.append(other.new_inbox()["email"])
        for n in range(hooks):
            _hook(other, f"{url}/{kind}/{n}")
    smtp, stop = running.port("smtp"), threading.Event()

    def annoy() -> None:
        while not stop.wait(1.0):
            for one in theirs:
                deliver(smtp, new_mail(one, "more"), one)

    for one in theirs:
        deliver(smtp, new_mail(one, "first"), one)
    noise = threading.Thread(target=annoy)
    noise.start()
    took = []
    try:
        for n in range(probes):
            deliver(smtp, new_mail(mine, f"probe {n}"), mine)
            sent = time.monotonic()
            while True:
                subject, at = pipe.recv()
                if subject == f"probe {n}":
                    break
            took.append(max(at - sent, 0.0))
            time.sleep(0.2)
    finally:
        stop.set()
        noise.join()
    return took


def _hook(organization: Organization, url: str) -> None:
    organization.call("POST", "webhooks", json={"url": url, "event_types": ["message.received"]})


if __name__ == "__main__":
    main()
