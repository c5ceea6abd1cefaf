"""How fast ``postern rebuild`` makes the index anew: ``python -m scripts.bench.rebuild [--mails 5000]``."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sqlite3
import time
from contextlib import closing

from scripts.bench.stand import gateway_in, heading, inboxes_of, say
from scripts.bench.traffic import mail, send_all, token
from tests.gateway_process import GatewayProcess

INBOXES = 10


def indexed(gateway: GatewayProcess) -> set[str]:
    """Ids of all messages in the index."""
    with closing(sqlite3.connect(gateway.data / "postern.db")) as database:
        return {row[0] for row in database.execute("SELECT id FROM message")}


async def fill(gateway: GatewayProcess, mails: int) -> None:
    """Deliver the mails and wait until all are indexed."""
    addresses = inboxes_of(gateway.organization, INBOXES)
    run = secrets.token_hex(4)
    batch = [(addresses[n % INBOXES], mail(token(run, n), addresses[n % INBOXES])) for n in range(mails)]
    await send_all(gateway.port("smtp"), batch)
    for _ in range(240):
        if len(indexed(gateway)) >= mails:
            return
        await asyncio.sleep(0.5)
    raise RuntimeError("not all mails were indexed")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mails", type=int, default=5000)
    wanted = options.parse_args()
    heading("rebuild")
    with gateway_in("embedded") as gateway:
        asyncio.run(fill(gateway, wanted.mails))
        before = indexed(gateway)
        gateway.stop()
        began = time.monotonic()
        done = gateway.postern("rebuild", timeout=600)
        took = time.monotonic() - began
        if done.returncode:
            raise SystemExit(done.stderr)
        same = indexed(gateway) == before
        say(
            f"{wanted.mails} mails of 4 KB in {INBOXES} inboxes (command start included)",
            f"{len(before) / took:.0f} messages/s ({took:.1f} s), ids {'the same' if same else 'DIFFER'}",
        )


if __name__ == "__main__":
    main()
