"""Reading: list 20 of many messages and get one, from a second process.

    python scripts/bench/reads.py [--messages 100000] [--seconds 5]

The index is filled straight through the store, while the gateway is down: what is measured is reading.
The rows are marked as test mail, so that the sweep does not take them for mail that vanished.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import msgspec

from gateway.records.ids import MESSAGE_ID
from gateway.store.queries.inboxes import unscoped_inbox_at

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.bench.processes import processor_seconds, resident
from scripts.bench.rig import gateway, mail, milliseconds, show

START = 1_750_000_000_000_000


def fill(database: Path, address: str, count: int) -> float:
    """Index ``count`` messages in one inbox; answers messages a second."""
    from gateway.mime.parse import parse
    from gateway.store import index, threads
    from gateway.store.engine import Store
    from gateway.store.transaction import Tx

    parsed = parse(mail(address, "template"))
    store = Store(f"sqlite:{database}")
    store.start()
    began = time.monotonic()
    for base in range(0, count, 1000):

        def write(tx: Tx, base: int = base) -> None:
            inbox = unscoped_inbox_at(tx, address)
            assert inbox is not None
            for number in range(base, min(base + 1000, count)):
                at = START + number * 1_000_000
                one = msgspec.structs.replace(
                    parsed, subject=f"mail {number}", message_id=f"<{number}@abroad.test>"
                )
                ulid = MESSAGE_ID.derived(at, "bench", str(number))
                placed = index.insert_message(
                    tx, inbox, ulid, one, direction="inbound", status="received", at=at, test=True
                )
                index.set_labels(tx, inbox, ulid, ("received", "unread"))
                threads.refresh(tx, placed.thread_id, at)

        store.write_now(write)
    store.close()
    return count / (time.monotonic() - began)


def reader(url: str, headers: dict[str, str], seconds: float, connections: int, pipe: Connection) -> None:
    """GET ``url`` over and over (in a process of its own); sends the seconds each took."""

    async def run() -> list[float]:
        took: list[float] = []
        async with aiohttp.ClientSession(
            headers=headers, connector=aiohttp.TCPConnector(limit=connections)
        ) as session:
            end = time.monotonic() + seconds

            async def worker() -> None:
                while (at := time.monotonic()) < end:
                    async with session.get(url) as answer:
                        if answer.status != 200:
                            raise SystemExit(f"{answer.status} {await answer.text()}")
                        await answer.read()
                    took.append(time.monotonic() - at)

            await asyncio.gather(*(worker() for _ in range(connections)))
        return took

    pipe.send(asyncio.run(run()))


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--messages", type=int, default=100_000)
    options.add_argument("--seconds", type=float, default=5.0)
    given = options.parse_args()
    with gateway(sync__catch_up_seconds=3600) as running:
        address = running.organization.new_inbox()["email_address"]
        running.stop()
        rate = fill(running.data / "postern.db", address, given.messages)
        show(f"indexing through the store, {given.messages} messages", f"{rate:.0f}", "messages/s")
        running.start()
        base = f"{running.base_url}/api/v0/inboxes/{address}/messages"
        page = running.organization.call("GET", f"/inboxes/{address}/messages")
        one = page["messages"][10]["message_id"]
        context = multiprocessing.get_context("spawn")
        for label, url in (
            ("list 20", base),
            ("list 20, label unread", f"{base}?labels=unread"),
            ("get one", f"{base}/{one}"),
        ):
            ours, theirs = context.Pipe()
            used = processor_seconds(running.pid)
            process = context.Process(target=reader, args=(url, running.headers, given.seconds, 10, theirs))
            process.start()
            took = ours.recv()
            process.join()
            used = processor_seconds(running.pid) - used
            show(f"{label} of {given.messages}: requests/s", f"{len(took) / given.seconds:.0f}",
                 f"{milliseconds(took)}ms; {len(took) / used:.0f} per processor second")  # fmt: skip
        show("gateway's resident memory", f"{resident(running.pid) / 1e6:.0f}", "MB")


if __name__ == "__main__":
    main()
