"""What the number of inboxes costs: the same gateway with 10, 1,000 and 10,000 of them.

python scripts/bench/inboxes.py [--numbers 10,1000,10000] [--server embedded|postfix_dovecot] [--seconds 10]

For each number: how fast inboxes are made, a start of the gateway with so many and its first look at each, then its
memory and idle processor time, SMTP 250 to webhook one mail at a time (to inboxes drawn at random), mails a second
into 50 random ones, listing the inboxes, and API send to its answer.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.bench.processes import family, processor_seconds, resident
from scripts.bench.rig import Far, Line, flood, gateway, mail, milliseconds, show, webhook_sink
from tests.support.gateway_process import GatewayProcess

MAKERS = 4


def make(running: GatewayProcess, wanted: int, names: list[str]) -> None:
    """Inboxes over the API, some at a time, until there are ``wanted``."""
    missing = wanted - len(names)
    if missing <= 0:
        return
    started = time.monotonic()
    with running.organization.client() as client, ThreadPoolExecutor(MAKERS) as pool:

        def one(number: int) -> str:
            answer = client.post("inboxes", json={"username": f"box{number}"})
            answer.raise_for_status()
            return str(answer.json()["email_address"])

        names += pool.map(one, range(len(names), wanted))
    show(
        f"{wanted:>6}: inboxes made, {MAKERS} at a time",
        f"{missing / (time.monotonic() - started):.0f}",
        "/s",
    )


def settled(running: GatewayProcess, number: int) -> None:
    """A start with so many, and how long until each of them was looked at once: until little is done any more."""
    started = time.monotonic()
    running.restart()
    answering = time.monotonic()
    show(f"{number:>6}: stop and start", f"{answering - started:.1f}", "s")
    calm = answering
    while time.monotonic() - calm < 6 and time.monotonic() - answering < 600:
        before = processor_seconds(running.pid)
        time.sleep(1)
        if processor_seconds(running.pid) - before > 0.2:
            calm = time.monotonic()
    show(f"{number:>6}: then every inbox looked at once", f"{calm - answering:.0f}", "s")


def at_rest(running: GatewayProcess, number: int, seconds: float) -> None:
    """Memory, and processor time with nothing to do."""
    everyone = family(running.pid)
    before = {one: processor_seconds(one) for one in everyone}
    time.sleep(seconds)
    own = (processor_seconds(running.pid) - before[running.pid]) / seconds
    rest = sum(processor_seconds(one) - before[one] for one in everyone if one != running.pid) / seconds
    children = sum(resident(one) for one in everyone if one != running.pid)
    show(
        f"{number:>6}: memory, gateway / its children",
        f"{resident(running.pid) / 1e6:.0f} / {children / 1e6:.0f}",
        "MB",
    )
    show(
        f"{number:>6}: idle processor time, gateway / its children",
        f"{own * 100:.1f} / {rest * 100:.1f}",
        "% of a core",
    )


def arrival(running: GatewayProcess, number: int, names: list[str], sink: Far, seen: int) -> int:
    """SMTP 250 to webhook, then a burst into 50 inboxes. Answers how many webhooks came in all."""
    line, accepted = Line(running.port("smtp")), {}
    for count in range(55):
        key, to = f"lat-{number}-{count}", random.choice(names)
        line.send(to, mail(to, key))
        accepted[key] = time.monotonic()
        end = time.monotonic() + 10
        while sink.count() <= seen + count and time.monotonic() < end:
            time.sleep(0.002)
    line.close()
    seen += 55
    times = sink.wait(seen)
    values = [times[key][0] - at for key, at in accepted.items()][5:]
    show(f"{number:>6}: SMTP 250 -> webhook, p50 / p99", milliseconds(values), "ms")
    chosen = random.sample(names, min(50, len(names)))
    started = flood(running.port("smtp"), chosen, 500, f"mail{number}")
    seen += 500
    times = sink.wait(seen)
    last = max(at[0] for key, at in times.items() if key.startswith(f"mail{number}-"))
    show(
        f"{number:>6}: mails into {len(chosen)} of them, to the webhook",
        f"{500 / (last - started):.0f}",
        "/s",
    )
    return seen


def asked(running: GatewayProcess, number: int, names: list[str]) -> None:
    """Listing 20 inboxes, and sending from one, over the API."""
    with running.organization.client() as client:
        calls: dict[str, Callable[[], httpx.Response]] = {
            "list of 20 inboxes": lambda: client.get("inboxes", params={"limit": 20}),
            "send to its answer": lambda: client.post(
                f"inboxes/{random.choice(names)}/messages/send",
                json={"to": [random.choice(names)], "subject": "a send", "text": "Hello."},
            ),
        }
        for what, call in calls.items():
            values = []
            for _ in range(60):
                started = time.monotonic()
                call().raise_for_status()
                values.append(time.monotonic() - started)
            show(f"{number:>6}: {what}, p50 / p99", milliseconds(values[10:]), "ms")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--numbers", default="10,1000,10000")
    options.add_argument("--server", choices=("embedded", "postfix_dovecot"), default="embedded")
    options.add_argument("--seconds", type=float, default=10.0)
    given = options.parse_args()
    random.seed(1)
    names: list[str] = []
    sink, seen = Far(webhook_sink), 0
    with gateway(given.server) as running:
        body = {"url": f"http://127.0.0.1:{sink.port}/hook", "event_types": ["message.received"]}
        running.organization.call("POST", "webhooks", json=body)
        for number in (int(one) for one in given.numbers.split(",")):
            make(running, number, names)
            settled(running, number)
            at_rest(running, number, given.seconds)
            seen = arrival(running, number, names, sink, seen)
            asked(running, number, names)
            time.sleep(2)
            seen = sink.count()
    sink.close()


if __name__ == "__main__":
    main()
