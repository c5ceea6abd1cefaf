"""Sends between inboxes while things are killed, and what must be true of them afterwards."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx

from tests.processes.fleet import Fleet, Member
from tests.support.waiting import until


class Sends:
    """Sends from each inbox to the next, by a client that repeats what failed, with its key, at the next process."""

    def __init__(self, gateways: Fleet, members: Sequence[Member], key: str, count: int = 4) -> None:
        self.gateways, self.members, self.key = gateways, list(members), key
        self.inboxes: list[dict[str, Any]] = [
            members[0].call("POST", "/v1/inboxes", key, json={"mailboxName": f"box{n}"}) for n in range(count)
        ]
        self.over = threading.Event()
        self.accepted: list[tuple[str, str, str, str]] = []  # (from, to, subject, message id)

    @contextmanager
    def going(self, threads: int = 2) -> Iterator[None]:
        """Send as long as the block runs."""
        with ThreadPoolExecutor(threads) as pool:
            jobs = [pool.submit(self._send_on, n) for n in range(threads)]
            for one in jobs:
                one.add_done_callback(lambda _: self.over.set())
            try:
                yield
            finally:
                self.over.set()
            for one in jobs:
                one.result(120)

    def more(self, count: int) -> None:
        """Wait until that many more were accepted."""
        wanted = len(self.accepted) + count
        until(lambda: len(self.accepted) >= wanted or self.over.is_set(), 90, "sends are accepted")

    def _send_on(self, which: int) -> None:
        for n in itertools.count():
            if self.over.is_set():
                return
            one, other = (self.inboxes[(n + k) % len(self.inboxes)] for k in (0, 1 + which))
            self._send(one, other["address"], f"out-{which}-{n:04}", n)

    def _send(self, inbox: dict[str, Any], to: str, subject: str, turn: int) -> None:
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": str(uuid.uuid4())}
        body = {"to": to, "subject": subject, "body": "text"}
        end = time.monotonic() + 90
        turn %= len(self.members)
        for member in itertools.cycle(self.members[turn:] + self.members[:turn]):
            try:
                answer = httpx.post(
                    f"{member.base_url}/v1/inboxes/{inbox['id']}/send",
                    json=body, headers=headers, timeout=40, trust_env=False,
                )  # fmt: skip
                if answer.status_code == 200:
                    made = answer.json()["messageId"]
                    self.accepted.append((inbox["address"], to, subject, made))
                    return
                assert answer.status_code == 503, f"{answer.status_code} {answer.text}"
            except httpx.TransportError:
                pass
            assert time.monotonic() < end, f"{subject} was not accepted"
            time.sleep(0.05)

    def settled(self, seconds: float = 60.0) -> None:
        """Every send is settled, well before any claim would end by itself."""
        until(
            lambda: not self.gateways.rows("SELECT id FROM outbox WHERE state <> 'done'"),
            seconds,
            "every send is settled",
        )

    def each_once(self) -> None:
        """One copy of each at its recipient and in Sent, by what the folders hold."""
        wanted = Counter((to, "inbox", subject) for _, to, subject, _ in self.accepted)
        wanted += Counter((one, "sent", subject) for one, _, subject, _ in self.accepted)

        def places() -> Counter[tuple[str, str, str]]:
            rows = self.gateways.rows(
                "SELECT inbox.address, folder.role, message.subject FROM location "
                "JOIN message ON message.id = location.message_id "
                "JOIN folder ON folder.id = location.folder_id "
                "JOIN inbox ON inbox.id = location.inbox_id"
            )
            return Counter((row["address"], row["role"], row["subject"]) for row in rows)

        until(lambda: sum(places().values()) >= sum(wanted.values()), 60, "every copy is indexed")
        held = places()
        assert held == wanted, f"too many: {held - wanted}; too few: {wanted - held}"
        states = self.gateways.rows("SELECT DISTINCT state FROM outbox_recipient")
        assert {row["state"] for row in states} == {"delivered"}
