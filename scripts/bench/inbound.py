"""Inbound mail: latency on an idle machine, and throughput beside the bare mail server's in the same run.

python scripts/bench/inbound.py [--count 1000] [--latency 100]
"""

from __future__ import annotations

import argparse
import asyncio
import imaplib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mailserver.provisioning import Provisioning
from scripts.bench.rig import Far, Line, bare, flood, gateway, mail, milliseconds, show, webhook_sink
from tests.support.gateway_process import GatewayProcess, Server

BOXES = [f"box{number}@postern.test" for number in range(50)]


def latency(server: Server, label: str, count: int, **settings: Any) -> None:
    """SMTP 250 to the webhook at the endpoint, one mail at a time."""
    sink = Far(webhook_sink)
    with gateway(server, **settings) as running:
        boxes = [running.organization.new_inbox()["email_address"] for _ in range(10)]
        _hook(running, sink)
        time.sleep(2.0)
        line, accepted = Line(running.port("smtp")), {}
        for number in range(count + 5):
            to = boxes[number % len(boxes)]
            line.send(to, mail(to, f"lat-{number}"))
            accepted[f"lat-{number}"] = time.monotonic()
            end = time.monotonic() + 10
            while sink.count() <= number and time.monotonic() < end:
                time.sleep(0.002)
            time.sleep(0.02)
        times = sink.wait(count + 5)
        line.close()
    sink.close()
    # the webhook may overtake the 250: the push comes before it
    values = [times[key][0] - at for key, at in accepted.items() if int(key.split("-")[1]) >= 5]
    show(f"latency idle, {label}: SMTP 250 -> webhook, p50 / p99", milliseconds(values), "ms")


def throughput(server: Server, count: int, boxes: int) -> float:
    """Mails a second, first connection to last webhook."""
    sink = Far(webhook_sink)
    with gateway(server) as running:
        names = [running.organization.new_inbox()["email_address"] for _ in range(boxes)]
        _hook(running, sink)
        flood(running.port("smtp"), names, 50, "warm")
        sink.wait(50)
        started = flood(running.port("smtp"), names, count, "mail")
        accepted = time.monotonic()
        times = sink.wait(count + 50)
    sink.close()
    last = max(at[0] for key, at in times.items() if key.startswith("mail"))
    doubled = sum(len(at) - 1 for at in times.values())
    rate = count / (last - started)
    show(f"{server}, {boxes} inbox(es): accepted / webhooks at the endpoint",
         f"{count / (accepted - started):.0f} / {rate:.0f}", f"mails/s, {doubled} doubled, 0 missing")  # fmt: skip
    return rate


def _hook(running: GatewayProcess, sink: Far) -> None:
    body = {"url": f"http://127.0.0.1:{sink.port}/hook", "event_types": ["message.received"]}
    running.organization.call("POST", "webhooks", json=body)


async def bare_rate(server: Server, count: int, boxes: int, lmtp: bool = False) -> float:
    """Mails a second of the mail server alone, first connection to last mail stored."""
    names = BOXES[:boxes]
    async with bare(server, names) as made:
        dovecot = made._dovecot
        assert dovecot is not None
        port: int | str = str(dovecot.config.lmtp_socket) if lmtp else made.access().smtp.port
        stored = await asyncio.to_thread(_measure, made, port, names, count, lmtp)
    show(f"bare {'Dovecot LMTP' if lmtp else server}, {boxes} inbox(es): stored", f"{stored:.0f}", "mails/s")
    return stored


def _measure(made: Provisioning, port: int | str, names: Sequence[str], count: int, lmtp: bool) -> float:
    flood(port, names, 50, "warm", lmtp)
    _stored(made, names, 50)
    started = flood(port, names, count, "mail", lmtp)
    _stored(made, names, count + 50)
    return count / (time.monotonic() - started)


def _stored(made: Provisioning, names: Sequence[str], wanted: int) -> None:
    held: dict[str, int] = {}
    clients = {}
    for name in names:
        login = made.imap_login(name)
        clients[name] = imaplib.IMAP4(login.endpoint.host, login.endpoint.port)
        clients[name].login(login.user, login.secret)
    per_box = {name: wanted // len(names) for name in names}
    end = time.monotonic() + 120
    while sum(held.values()) < wanted and time.monotonic() < end:
        for name, client in clients.items():
            if held.get(name, 0) < per_box[name]:
                _, answer = client.status("INBOX", "(MESSAGES)")
                held[name] = int(answer[0].split()[-1].rstrip(b")"))
        time.sleep(0.01)
    for client in clients.values():
        client.logout()
    if sum(held.values()) < wanted:
        raise SystemExit(f"only {sum(held.values())} of {wanted} stored")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--count", type=int, default=1000, help="mails of a throughput run (a multiple of 50)"
    )
    options.add_argument("--latency", type=int, default=100, help="mails of a latency run")
    given = options.parse_args()
    latency("embedded", "embedded", given.latency)
    latency("embedded", "embedded, IDLE alone", given.latency // 4, mail__push=False)
    root = os.geteuid() == 0
    if root:
        latency("postfix_dovecot", "behind Postfix", given.latency)
    direct = asyncio.run(bare_rate("embedded", given.count, 50, lmtp=True))
    for boxes in (50, 1):
        own = throughput("embedded", given.count, boxes)
        if root:
            alone = asyncio.run(bare_rate("postfix_dovecot", given.count, boxes))
            behind = throughput("postfix_dovecot", given.count, boxes)
            show(f"ratio, {boxes} inbox(es): behind Postfix / bare Postfix", f"{behind / alone:.2f}")
            show(f"ratio, {boxes} inbox(es): embedded / bare Postfix", f"{own / alone:.2f}")
        if boxes == 50:
            show("ratio, 50 inboxes: embedded / direct LMTP", f"{own / direct:.2f}")


if __name__ == "__main__":
    main()
