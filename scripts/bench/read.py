"""Reading through the API: list 20 and get one of many messages in one inbox, asked by wrk.

``python -m scripts.bench.read [--messages 100000] [--seconds 8]`` (needs ``apt install wrk``). The messages
are written straight into the index, so only what is answered from there is measured.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from gateway.mime.types import Address, ParsedMessage
from gateway.store import index, threads
from gateway.store.engine import Row, Store, Tx
from gateway.store.ids import derived_ulid, now_us
from scripts.bench.processes import processor_seconds
from scripts.bench.stand import gateway_in, heading, inboxes_of, say
from tests.gateway_process import GatewayProcess

GROUP = 500


def message(number: int, address: str, at: int) -> ParsedMessage:
    """A message as the parser would answer it."""
    text = f"Message {number}. " + "The quick brown fox jumps over the lazy dog. " * 40
    return ParsedMessage(
        message_id=f"<{number}@load.example>",
        in_reply_to=[],
        references=[],
        sender=Address(name=f"Person {number % 97}", email=f"p{number % 97}@load.example"),
        reply_to=[],
        to=[Address(name="", email=address)],
        cc=[],
        bcc=[],
        subject=f"Subject {number}",
        date=at,
        received=at,
        delivered_to=address,
        return_path=None,
        headers={"X-Mailer": "load"},
        text=text,
        html=None,
        extracted_text=text,
        extracted_html=None,
        preview=text[:200],
        attachments=[],
        size=4096,
        identity=f"{number:064x}",
        auto_submitted=False,
        has_received=True,
    )


def fill(data: Path, address: str, count: int) -> None:
    """Index ``count`` messages of an inbox. The folder's cursor stays, so the gateway takes them as read."""
    store = Store(f"sqlite:{data / 'postern.db'}")
    store.start()
    base = now_us() - count * 1_000_000

    def group(tx: Tx, first: int) -> None:
        inbox: Row | None = tx.row("SELECT * FROM inbox WHERE address = ?", address)
        assert inbox is not None
        folder = tx.value("SELECT id FROM folder WHERE inbox_id = ? AND role = 'inbox'", inbox["id"])
        assert folder is not None, "the inbox was not read yet"
        for number in range(first, min(first + GROUP, count)):
            at = base + number * 1_000_000
            ulid = derived_ulid(at, inbox["id"], str(number))
            thread = index.insert_message(
                tx, inbox, ulid, message(number, address, at), direction="inbound", status="received", at=at
            )
            index.set_labels(tx, inbox, ulid, ["received", "unread"])
            place = {"folder_id": folder, "uid": number + 1, "message_id": ulid, "inbox_id": inbox["id"]}
            tx.insert("location", place | {"flags": ""})
            threads.refresh(tx, thread, at)

    for first in range(0, count, GROUP):
        store.write_now(lambda tx, first=first: group(tx, first))
    store.close()


def wait_until_read(data: Path, address: str) -> None:
    """Wait for the gateway's first look at an inbox: it notes the folder there is."""
    query = "SELECT 1 FROM folder JOIN inbox ON inbox.id = inbox_id WHERE address = ? AND role = 'inbox'"
    end = time.monotonic() + 120
    with closing(sqlite3.connect(data / "postern.db")) as database:
        while not database.execute(query, (address,)).fetchone():
            if time.monotonic() > end:
                raise RuntimeError("the inbox was not read")
            time.sleep(0.2)


def wrk(gateway: GatewayProcess, path: str, seconds: int, what: str, connections: int = 10) -> None:
    """Ask for one path for some seconds."""
    used = processor_seconds(gateway.pid)
    began = time.monotonic()
    answer = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H",
         f"Authorization: {gateway.headers['Authorization']}", gateway.base_url + path],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    busy = (processor_seconds(gateway.pid) - used) / (time.monotonic() - began)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", answer)
    p50, p99 = (re.search(rf"^\s+{share}%\s+(\S+)", answer, re.MULTILINE) for share in (50, 99))
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", answer)
    if not (rate and p50 and p99):
        raise RuntimeError(answer)
    say(
        what,
        f"{float(rate[1]):.0f} req/s  p50 {p50[1]}  p99 {p99[1]}  gateway {busy:.0%} of a core"
        + (f"  FAILED {failed[1]}" if failed else ""),
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=100_000)
    options.add_argument("--seconds", type=int, default=8)
    wanted = options.parse_args()
    if not shutil.which("wrk"):
        sys.exit("this needs wrk: apt install wrk")
    heading("read")
    with gateway_in("embedded") as gateway:
        address = inboxes_of(gateway.organization, 1)[0]
        wait_until_read(gateway.data, address)
        gateway.stop()
        began = time.monotonic()
        fill(gateway.data, address, wanted.messages)
        say(f"{wanted.messages} messages written into the index", f"{time.monotonic() - began:.0f} s")
        gateway.start()
        time.sleep(2)
        listed = gateway.organization.call("GET", f"inboxes/{address}/messages?limit=20")
        assert listed["count"] == 20, listed["count"]
        one = listed["messages"][0]["message_id"]
        base = f"/api/v0/inboxes/{address}"
        wrk(gateway, "/health", wanted.seconds // 2, "GET /health (no key, no database), 10 connections")
        wrk(gateway, f"{base}/messages?limit=20", wanted.seconds, "list 20 messages, 10 connections")
        wrk(gateway, f"{base}/messages/{one}", wanted.seconds, "get one message, 10 connections")
        wrk(gateway, f"{base}/threads?limit=20", wanted.seconds, "list 20 threads, 10 connections")
        wrk(gateway, f"{base}/messages?limit=20", wanted.seconds // 2, "list 20 messages, 1 connection", 1)


if __name__ == "__main__":
    main()
