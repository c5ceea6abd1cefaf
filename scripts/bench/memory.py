"""Memory of the gateway while large mails come in and go out, all at once.

python scripts/bench/memory.py [--mails 10] [--sends 8] [--megabytes 24] [--only SMTP]
"""

from __future__ import annotations

import argparse
import base64
import os
import smtplib
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.bench.processes import command_line, family, resident
from scripts.bench.rig import gateway, show
from tests.support.gateway_process import GatewayProcess

MB = 1024 * 1024
Send = Callable[[httpx.Client, dict[str, Any], str, int], httpx.Response]


@dataclass
class Peak:
    """Resident octets: of the gateway's own process, and of it with its Python workers (without Dovecot)."""

    base: int = 0
    most: int = 0
    after: int = 0
    base_all: int = 0
    most_all: int = 0
    after_all: int = 0


@contextmanager
def watched(pid: int) -> Iterator[Peak]:
    """Look at the memory of a gateway fifty times a second inside the block."""
    found, stop = Peak(), threading.Event()
    found.base, found.base_all = _now(pid)

    def look() -> None:
        while not stop.wait(0.02):
            own, everything = _now(pid)
            found.most, found.most_all = max(found.most, own), max(found.most_all, everything)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()
        found.after, found.after_all = _now(pid)


def _now(pid: int) -> tuple[int, int]:
    workers = [one for one in family(pid) if one != pid and "python" in command_line(one)]
    own = resident(pid)
    return own, own + sum(map(resident, workers))


def lines(octets: int) -> bytes:
    """So many octets of base64 text of something that does not compress, in lines of 76."""
    text = base64.b64encode(os.urandom(octets * 3 // 4))
    return b"\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))


def mails_at_once(running: GatewayProcess, count: int, octets: int, to: str) -> None:
    """``count`` mails of ``octets`` by SMTP in parallel; returns when each is answered 250 and listed."""
    body = lines(octets - 2000)

    def one(number: int) -> None:
        head = (
            f"From: far@far.example\r\nTo: {to}\r\nSubject: large {number}\r\n"
            f"Message-ID: <{uuid.uuid4().hex}@far.example>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: application/octet-stream; name=large.bin\r\n"
            "Content-Disposition: attachment; filename=large.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        ).encode()
        with smtplib.SMTP("127.0.0.1", running.port("smtp"), timeout=300) as smtp:
            smtp.ehlo("far.example")
            smtp.mail("far@far.example")
            smtp.rcpt(to)
            smtp.putcmd("DATA")
            assert smtp.getreply()[0] == 354
            assert smtp.sock is not None
            for piece in (head, body, b"\r\n.\r\n"):
                smtp.sock.sendall(piece)
            code, words = smtp.getreply()
            assert code == 250, (code, words)

    with ThreadPoolExecutor(count) as threads:
        list(threads.map(one, range(count)))
    until_listed(running, to, count)


def until_listed(running: GatewayProcess, inbox: str, count: int, seconds: float = 300.0) -> None:
    """Wait until an inbox lists ``count`` received messages."""
    end = time.monotonic() + seconds
    with running.organization.client() as client:
        while time.monotonic() < end:
            listed = client.get(f"inboxes/{inbox}/messages", params={"limit": 100}).json()["messages"]
            if sum("received" in one["labels"] for one in listed) >= count:
                return
            time.sleep(0.2)
    raise TimeoutError(f"{inbox} does not list {count} messages")


def by_agentmail(client: httpx.Client, inbox: dict[str, Any], to: str, octets: int) -> httpx.Response:
    files = [{"filename": "a.bin", "content": base64.b64encode(os.urandom(octets)).decode()}]
    body = {"to": [to], "subject": "large", "text": "see the file", "attachments": files}
    return client.post(f"/api/v0/inboxes/{inbox['inbox_id']}/messages/send", json=body)


def by_openmail(client: httpx.Client, inbox: dict[str, Any], to: str, octets: int) -> httpx.Response:
    files = [{"filename": "a.bin", "data": base64.b64encode(os.urandom(octets)).decode()}]
    body = {"to": to, "subject": "large", "body": "see the file", "attachments": files}
    return client.post(
        f"/v1/inboxes/{inbox['inbox_id']}/send", json=body, headers={"Idempotency-Key": uuid.uuid4().hex}
    )


def by_openmail_form(client: httpx.Client, inbox: dict[str, Any], to: str, octets: int) -> httpx.Response:
    return client.post(
        f"/v1/inboxes/{inbox['inbox_id']}/send",
        data={"to": to, "subject": "large", "body": "see the file"},
        files={"attachments": ("a.bin", os.urandom(octets))},
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )


def by_mailboxkit(client: httpx.Client, inbox: dict[str, Any], to: str, octets: int) -> httpx.Response:
    files = [
        {"filename": f"{n}.bin", "content": base64.b64encode(os.urandom(octets // 3)).decode()}
        for n in range(3)
    ]
    body = {"to": to, "subject": "large", "text": "see the files", "attachments": files}
    return client.post(f"/api/v1/inboxes/{inbox['inbox_id']}/messages/send", json=body)


def by_mailboxkit_form(client: httpx.Client, inbox: dict[str, Any], to: str, octets: int) -> httpx.Response:
    return client.post(
        f"/api/v1/inboxes/{inbox['inbox_id']}/messages/send",
        data={"to[]": to, "subject": "large", "text": "see the files"},
        files=[("attachments[]", (f"{n}.bin", os.urandom(octets // 3))) for n in range(3)],
    )


WAYS: dict[str, Send] = {
    "agentmail, JSON": by_agentmail,
    "openmail, JSON": by_openmail,
    "openmail, form": by_openmail_form,
    "mailboxkit, JSON": by_mailboxkit,
    "mailboxkit, form": by_mailboxkit_form,
}


def sends_at_once(running: GatewayProcess, send: Send, count: int, octets: int) -> None:
    """``count`` sends with ``octets`` of files in parallel to an inbox here; returns when it lists them."""
    sender = running.organization.new_inbox()
    to = running.organization.new_inbox()["email"]

    def one(_: int) -> None:
        with httpx.Client(
            base_url=running.base_url, headers=running.headers, timeout=300, trust_env=False
        ) as client:
            answer = send(client, sender, to, octets)
            assert answer.is_success, f"{answer.status_code} {answer.text[:300]}"

    with ThreadPoolExecutor(count) as threads:
        list(threads.map(one, range(count)))
    until_listed(running, to, count)


def main() -> None:
    """Print a line a load: base, peak and what is left ten seconds later, in MB."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=10)
    parser.add_argument("--sends", type=int, default=8)
    parser.add_argument("--megabytes", type=int, default=24)
    parser.add_argument("--server", default="embedded")
    parser.add_argument("--only", default="", help="loads whose name holds this")
    options = parser.parse_args()
    loads: dict[str, Callable[[GatewayProcess], None]] = {
        f"{options.mails} mails of {options.megabytes + 1} MB by SMTP": lambda running: mails_at_once(
            running, options.mails, (options.megabytes + 1) * MB, running.organization.new_inbox()["email"]
        )
    }
    for name, way in WAYS.items():
        loads[f"{options.sends} sends of {options.megabytes} MB, {name}"] = partial(
            sends_at_once, send=way, count=options.sends, octets=options.megabytes * MB
        )
    for name, load in loads.items():
        if options.only not in name:
            continue
        with gateway(options.server) as running:
            running.organization.new_inbox()
            time.sleep(2)
            started = time.monotonic()
            with watched(running.pid) as peak:
                load(running)
                seconds = time.monotonic() - started
                time.sleep(10)
            own = f"{peak.base // MB} / {peak.most // MB} / {peak.after // MB}"
            everything = f"{peak.base_all // MB} / {peak.most_all // MB} / {peak.after_all // MB}"
            show(f"{name}: base / peak / after", own, f"MB; with workers {everything}; {seconds:.0f} s")


if __name__ == "__main__":
    main()
