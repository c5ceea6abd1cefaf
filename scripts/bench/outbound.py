"""Sending: API answer time and accepted sends a second under 10 connections, and arrival at a smarthost sink,
beside what Postfix alone relays in the same run (as root).

    python scripts/bench/outbound.py [--count 500]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.bench.rig import BODY, Far, gateway, mail_sink, milliseconds, show
from tests.gateway_process import GatewayProcess, Server


async def _sends(running: GatewayProcess, inbox: str, count: int, domains: int) -> tuple[float, list[float]]:
    """Send over 10 connections; answers when it began and how long each answer took."""
    todo, took = iter(range(count)), []
    url = f"{running.base_url}/api/v0/inboxes/{inbox}/messages/send"
    async with aiohttp.ClientSession(
        headers=running.headers, connector=aiohttp.TCPConnector(limit=10)
    ) as session:

        async def worker() -> None:
            for number in todo:
                body = {
                    "to": f"u{number}@d{number % domains}.test",
                    "subject": f"mail-{number}",
                    "text": BODY,
                }
                at = time.monotonic()
                async with session.post(url, json=body) as answer:
                    if answer.status != 200:
                        raise SystemExit(f"{answer.status} {await answer.text()}")
                    await answer.read()
                took.append(time.monotonic() - at)

        started = time.monotonic()
        await asyncio.gather(*(worker() for _ in range(10)))
    return started, took


def sending(server: Server, count: int, domains: int) -> None:
    sink = Far(mail_sink)
    with gateway(server, mail__smarthost=f"127.0.0.1:{sink.port}", mail__smarthost_tls="none") as running:
        inbox = running.organization.new_inbox()["inbox_id"]
        asyncio.run(_sends(running, inbox, 20, domains))
        sink.wait(20)
        started, took = asyncio.run(_sends(running, inbox, count, domains))
        accepted = time.monotonic()
        times = sink.wait(count, 180)
    sink.close()
    last = max(at[-1] for at in times.values())
    label = f"{server}, {domains} domain(s)"
    show(f"{label}: API send -> answer, 10 connections, p50 / p99", milliseconds(took), "ms")
    doubled = sum(len(at) - 1 for key, at in times.items() if int(key.split("-")[1]) >= 20)
    show(f"{label}: accepted / at the sink", f"{count / (accepted - started):.0f} / {count / (last - started):.0f}",
         f"mails/s, {doubled} doubled")  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--count", type=int, default=500)
    given = options.parse_args()
    for server in ("embedded", "postfix_dovecot") if os.geteuid() == 0 else ("embedded",):
        for domains in (1, 100):
            sending(server, given.count, domains)


if __name__ == "__main__":
    main()
