"""Mail going out through the API, beside what Postfix alone relays in the same run.

``python -m scripts.bench.send [--mails 1000] [--only embedded|postfix_dovecot]``. A loopback SMTP sink is the
smarthost of all.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import time
from functools import partial

import aiohttp

from scripts.bench.bare import PASSWORD
from scripts.bench.stand import bare_server, gateway_in, gather_all, heading, inboxes_of, say, spread
from scripts.bench.traffic import SmtpSink, mail, send_all, token
from tests.gateway_process import Server

INBOXES = 10


def _recipients(mails: int, domains: int) -> list[str]:
    return [f"person-{number}@domain-{number % domains}.example" for number in range(mails)]


async def relayed_by_postfix(sink: SmtpSink, mails: int, domains: int) -> float:
    """Mails per second that Postfix relays to the sink, submitted with a login over 10 connections."""
    run = secrets.token_hex(4)
    names = [token(run, number) for number in range(mails)]
    recipients = _recipients(mails, domains)
    with bare_server("postfix_dovecot", 1, sink.port) as bare:
        sender = bare.facts["addresses"][0]
        batch = [(to, mail(name, to)) for to, name in zip(recipients, names, strict=True)]
        started = time.monotonic()
        await send_all(bare.facts["submission"], batch, login=(sender, PASSWORD), sender=sender)
        return mails / (await sink.all_of(names) - started)


async def through_api(server: Server, sink: SmtpSink, mails: int, bars: dict[int, float]) -> None:
    relay = {"mail__smarthost": f"127.0.0.1:{sink.port}", "mail__smarthost_tls": "none"}
    with gateway_in(server, **relay) as gateway:
        addresses = inboxes_of(gateway.organization, INBOXES)
        await asyncio.sleep(3)
        connector = aiohttp.TCPConnector(limit=10)
        async with aiohttp.ClientSession(
            gateway.base_url, headers=gateway.headers, connector=connector
        ) as client:
            for domains, bar in bars.items():
                run = secrets.token_hex(4)
                names = [token(run, number) for number in range(mails)]
                answered: list[float] = []

                async def send(number: int, to: str, name: str, answered: list[float] = answered) -> None:
                    body = {"to": [to], "subject": name, "text": "A line of text for the sink.\n" * 120}
                    path = f"/api/v0/inboxes/{addresses[number % INBOXES]}/messages/send"
                    began = time.monotonic()
                    async with client.post(path, json=body) as answer:
                        text = await answer.text()
                        if answer.status >= 300:
                            raise RuntimeError(f"{answer.status} {text}")
                    answered.append(time.monotonic() - began)

                jobs = [
                    partial(send, number, to, name)
                    for number, (to, name) in enumerate(zip(_recipients(mails, domains), names, strict=True))
                ]
                started = time.monotonic()
                took = await gather_all(jobs, 10)
                rate = mails / (await sink.all_of(names) - started)
                await asyncio.sleep(1)
                say(
                    f"{server}: {mails} sends to {domains} domain(s), 10 connections",
                    f"answer {spread(answered)}; {mails / took:.0f}/s accepted, {rate:.0f}/s at the sink; "
                    f"missing {sink.missing(names)}, doubled {sink.doubled(names)}",
                )
                say("ratio to bare Postfix", f"{rate / bar:.0%}")


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mails", type=int, default=1000)
    options.add_argument("--only", choices=["embedded", "postfix_dovecot"])
    wanted = options.parse_args()
    heading("send")
    async with SmtpSink() as sink:
        bars = {}
        for domains in (100, 1):
            bars[domains] = await relayed_by_postfix(sink, wanted.mails, domains)
            say(f"bare Postfix: relayed to {domains} domain(s)", f"{bars[domains]:.0f}/s")
        servers: list[Server] = ["embedded", "postfix_dovecot"]
        for server in servers:
            if wanted.only in (None, server):
                await through_api(server, sink, wanted.mails, bars)


if __name__ == "__main__":
    asyncio.run(main())
