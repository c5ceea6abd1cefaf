"""Mail coming in: latency when idle, throughput beside the bare mail server in the same run.

``python -m scripts.bench.receive [--mails 2000] [--only embedded|postfix|idle]``
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import time

from scripts.bench.stand import bare_server, gateway_in, heading, inboxes_of, say, spread
from scripts.bench.traffic import SmtpClient, WebhookSink, mail, send_all, token
from tests.gateway_process import GatewayProcess, Server

INBOXES = 50


async def latency(gateway: GatewayProcess, sink: WebhookSink, address: str, mails: int, what: str) -> None:
    """SMTP 250 to webhook, one mail at a time, with pauses."""
    run = secrets.token_hex(4)
    client = await SmtpClient.connect(gateway.port("smtp"))
    taken: list[float] = []
    for number in range(mails + 10):
        name = token(run, number)
        accepted = await client.send(address, mail(name, address))
        await sink.all_of([name], 30)
        taken.append(sink.first[name] - accepted)
        await asyncio.sleep(random.uniform(0.01, 0.06))
    await client.close()
    say(f"{what}: SMTP 250 to webhook, idle, {mails} mails", spread(taken[10:]))


async def through_gateway(
    gateway: GatewayProcess, sink: WebhookSink, addresses: list[str], mails: int, what: str
) -> float:
    """Mails per second until every webhook came."""
    run = secrets.token_hex(4)
    names = [token(run, number) for number in range(mails)]
    batch = [
        (addresses[n % len(addresses)], mail(name, addresses[n % len(addresses)]))
        for n, name in enumerate(names)
    ]
    started = time.monotonic()
    accepted = await send_all(gateway.port("smtp"), batch)
    last = await sink.all_of(names)
    await asyncio.sleep(1.5)  # for doubles
    waited = [sink.first[name] - accepted[n] for n, name in enumerate(names) if name in sink.first]
    rate = (mails - sink.missing(names)) / (last - started)
    say(
        what,
        f"{rate:.0f}/s at the webhook, {mails / (max(accepted.values()) - started):.0f}/s accepted; "
        f"250 to webhook {spread(waited)}; missing {sink.missing(names)}, doubled {sink.doubled(names)}",
    )
    return rate


async def without_gateway(server: Server, mails: int) -> tuple[float, float]:
    """Mails per second until all are stored, into many mailboxes and into one."""
    rates = []
    with bare_server(server, INBOXES) as bare:
        done = 0
        for addresses in (bare.facts["addresses"], bare.facts["addresses"][:1]):
            run = secrets.token_hex(4)
            batch = [
                (one, mail(token(run, n), one))
                for n, one in ((n, addresses[n % len(addresses)]) for n in range(mails))
            ]
            started = time.monotonic()
            await send_all(bare.facts["smtp"], batch)
            done += mails
            rates.append(mails / (await bare.stored(done) - started))
    return rates[0], rates[1]


async def on_server(server: Server, mails: int) -> None:
    many, single = await without_gateway(server, mails)
    say(f"bare {server}: stored, {INBOXES} mailboxes / one", f"{many:.0f}/s / {single:.0f}/s")
    with gateway_in(server) as gateway:
        async with WebhookSink() as sink:
            organization = gateway.organization
            hook = {"url": sink.url, "event_types": ["message.received"]}
            organization.call("POST", "webhooks", json=hook)
            addresses = inboxes_of(organization, INBOXES)
            await asyncio.sleep(3)
            await latency(gateway, sink, addresses[0], 200, server)
            what = f"{server}: {mails} mails of 4 KB, 10 connections, {INBOXES} inboxes"
            rate = await through_gateway(gateway, sink, addresses, mails, what)
            say("ratio to bare", f"{rate / many:.0%}")
            what = f"{server}: the same into one inbox"
            rate = await through_gateway(gateway, sink, addresses[1:2], mails, what)
            say("ratio to bare", f"{rate / single:.0%}")


async def idle_alone() -> None:
    with gateway_in("embedded", mail__push=False) as gateway:
        async with WebhookSink() as sink:
            organization = gateway.organization
            organization.call("POST", "webhooks", json={"url": sink.url, "event_types": ["message.received"]})
            addresses = inboxes_of(organization, 3)
            await asyncio.sleep(5)
            await latency(gateway, sink, addresses[0], 30, "IDLE alone (push off)")


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mails", type=int, default=2000)
    options.add_argument("--only", choices=["embedded", "postfix", "idle"])
    wanted = options.parse_args()
    heading("receive")
    if wanted.only in (None, "embedded"):
        await on_server("embedded", wanted.mails)
    if wanted.only in (None, "postfix"):
        await on_server("postfix_dovecot", wanted.mails)
    if wanted.only in (None, "idle"):
        await idle_alone()


if __name__ == "__main__":
    asyncio.run(main())
