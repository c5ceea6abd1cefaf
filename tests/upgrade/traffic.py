"""Mail that flows without pause: from the internet to an inbox, and from the inbox by the API to the internet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage

import httpx

from tests.vps.conftest import Server

PERSON = "alice"
_PATIENCE = 120.0
_PAUSE = 0.3


@dataclass
class Traffic:
    """What was handed over so far: each entry a subject. Both lists only grow."""

    received: list[str] = field(default_factory=list)
    """Taken by the internet's Postfix for the inbox."""
    sent: list[str] = field(default_factory=list)
    """Taken by the API for alice."""
    repeats: list[str] = field(default_factory=list)
    """Each time the API did not take a request at once, and why."""


@contextmanager
def flowing(server: Server, inbox: str) -> Iterator[Traffic]:
    """Both streams run for the time of the block; one that gave up raises at its end."""
    traffic, stop = Traffic(), threading.Event()

    def each(work: Callable[[int], None]) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            work(number)
            stop.wait(_PAUSE)

    def from_the_world(number: int) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = f"{PERSON}@world.example", inbox, f"in {number}"
        mail["Message-ID"] = f"<in{number}@world.example>"
        mail.set_content(f"Number {number}.\n")
        server.internet.send(mail, f"{PERSON}@world.example", inbox)
        traffic.received.append(f"in {number}")

    def by_the_api(number: int) -> None:
        body = {"to": [f"{PERSON}@world.example"], "subject": f"out {number}", "text": f"Number {number}."}
        server.here(
            _until_taken, server, f"inboxes/{inbox}/messages/send", body, f"upgrade-{number}", traffic
        )
        traffic.sent.append(f"out {number}")

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(each, one) for one in (from_the_world, by_the_api)]
        try:
            yield traffic
        finally:
            stop.set()
        for one in running:
            one.result()


def _until_taken(server: Server, path: str, body: dict[str, object], key: str, traffic: Traffic) -> None:
    """As a careful program does: the same request with the same Idempotency-Key until it is answered with success."""
    limit = time.monotonic() + _PATIENCE
    while True:
        try:
            with server.client() as client:
                answer = client.post(path, json=body, headers={"Idempotency-Key": key})
            if answer.is_success:
                return
            why = f"{answer.status_code} {answer.text[:200]}"
        except httpx.TransportError as error:
            why = repr(error)
        traffic.repeats.append(f"{key}: {why}")
        assert time.monotonic() < limit, traffic.repeats[-3:]
        time.sleep(_PAUSE)
