"""Sending: API answer time and accepted sends a second under 10 connections, and arrival at a smarthost sink,
beside what Postfix alone relays in the same run (as root).

    python scripts/bench/outbound.py [--count 1000]
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

from mailserver.embedded.settings import Smarthost
from scripts.bench.rig import BODY, Far, bare, flood, gateway, mail_sink, milliseconds, show
from tests.support.gateway_process import GatewayProcess, Server

SENDER = "sender@postern.test"


async def _sends(
    running: GatewayProcess, inbox: str, prefix: str, count: int, domains: int
) -> tuple[float, list[float]]:
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
                    "subject": f"{prefix}-{number}",
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


async def relayed(count: int, domains: int) -> float:
    """Mails a second that Postfix alone relays to the sink, submitted with a login over 10 connections."""
    sink = Far(mail_sink)
    smarthost = Smarthost(host="127.0.0.1", port=sink.port, tls="none")
    recipients = [f"u{number}@d{number % domains}.test" for number in range(count)]
    async with bare("postfix_dovecot", [SENDER], smarthost=smarthost) as made:
        port = made.access().submission.port
        await asyncio.to_thread(flood, port, recipients, 20, "warm", login=SENDER)
        await asyncio.to_thread(sink.wait, 20)
        started = await asyncio.to_thread(flood, port, recipients, count, "mail", login=SENDER)
        times = await asyncio.to_thread(sink.wait, count + 20)
    sink.close()
    rate = count / (max(at[-1] for at in times.values()) - started)
    show(f"bare Postfix, {domains} domain(s): relayed", f"{rate:.0f}", "mails/s")
    return rate


def sending(server: Server, count: int, domains: int) -> float:
    """Sends through the API; answers how many a second came to the sink."""
    sink = Far(mail_sink)
    with gateway(server, mail__smarthost=f"127.0.0.1:{sink.port}", mail__smarthost_tls="none") as running:
        inbox = running.organization.new_inbox()["inbox_id"]
        asyncio.run(_sends(running, inbox, "warm", 20, domains))
        sink.wait(20)
        started, took = asyncio.run(_sends(running, inbox, "mail", count, domains))
        accepted = time.monotonic()
        times = sink.wait(count + 20, 180)
    sink.close()
    rate = count / (max(at[-1] for at in times.values()) - started)
    label = f"{server}, {domains} domain(s)"
    show(f"{label}: API send -> answer, 10 connections, p50 / p99", milliseconds(took), "ms")
    doubled = sum(len(at) - 1 for at in times.values())
    show(f"{label}: accepted / at the sink", f"{count / (accepted - started):.0f} / {rate:.0f}",
         f"mails/s, {doubled} doubled, 0 missing")  # fmt: skip
    return rate


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--count", type=int, default=1000)
    given = options.parse_args()
    root = os.geteuid() == 0
    servers: tuple[Server, ...] = ("embedded", "postfix_dovecot") if root else ("embedded",)
    for domains in (1, 100):
        alone = asyncio.run(relayed(given.count, domains)) if root else None
        for server in servers:
            rate = sending(server, given.count, domains)
            if alone is not None:
                show(f"ratio, {domains} domain(s): {server} / bare Postfix", f"{rate / alone:.2f}")


if __name__ == "__main__":
    main()
