"""Three processes on one PostgreSQL and one mail server, killed in turn under traffic: no loss, no double."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections import Counter, defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from tests.processes.fleet import Fleet, Member, fleet
from tests.support.mails import deliver, new_mail
from tests.support.postgres_server import PostgresCluster
from tests.support.waiting import until
from tests.support.webhook_endpoint import Endpoint, webhook_endpoint

INBOXES = 5


class Traffic:
    """Mail from outside and sends among the inboxes, until it is told to stop."""

    def __init__(
        self, gateways: Fleet, members: list[Member], key: str, inboxes: list[dict[str, Any]]
    ) -> None:
        self.gateways, self.members, self.key, self.inboxes = gateways, members, key, inboxes
        self.over = threading.Event()
        self._jobs: list[Future[None]] = []
        self.delivered: list[tuple[str, str]] = []  # (address, subject)
        self.sent: list[tuple[str, str, str]] = []  # (from, to, subject)

    def run(self) -> None:
        with ThreadPoolExecutor(3) as pool:
            for one in (pool.submit(self._outside), pool.submit(self._sends, 0), pool.submit(self._sends, 1)):
                one.add_done_callback(lambda _: self.over.set())
                self._jobs.append(one)
        for one in self._jobs:
            one.result()

    def goes_on(self, more: int) -> None:
        """Wait for some more sends, and mail."""
        sent, delivered = len(self.sent) + more, len(self.delivered) + more
        until(
            lambda: (len(self.sent) >= sent and len(self.delivered) >= delivered) or self.over.is_set(),
            40,
            "traffic goes on",
        )

    def _outside(self) -> None:
        for n in itertools.count():
            if self.over.is_set():
                return
            to = self.inboxes[n % INBOXES]["address"]
            deliver(self.gateways.smtp_port, new_mail(to, f"in-{n:04}"), to)
            self.delivered.append((to, f"in-{n:04}"))
            time.sleep(0.12)

    def _sends(self, which: int) -> None:
        for n in itertools.count():
            if self.over.is_set():
                return
            one, other = self.inboxes[n % INBOXES], self.inboxes[(n + 1 + which) % INBOXES]
            subject = f"out-{which}-{n:04}"
            self._send(one, other["address"], subject, n + which)
            self.sent.append((one["address"], other["address"], subject))
            time.sleep(0.15)

    def _send(self, inbox: dict[str, Any], to: str, subject: str, turn: int) -> None:
        """As a client that a load balancer serves: what fails is repeated, with its key, at the next process."""
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": str(uuid.uuid4())}
        body = {"to": to, "subject": subject, "body": "text"}
        end = time.monotonic() + 40
        for member in itertools.cycle(self.members[turn % 3 :] + self.members[: turn % 3]):
            try:
                answer = httpx.post(
                    f"{member.base_url}/v1/inboxes/{inbox['id']}/send",
                    json=body, headers=headers, timeout=40, trust_env=False,
                )  # fmt: skip
                if answer.status_code == 200:
                    return
                assert answer.status_code == 503, f"{answer.status_code} {answer.text}"
            except httpx.TransportError:
                pass
            assert time.monotonic() < end, f"{subject} was not accepted"
            time.sleep(0.05)


def _made(gateways: Fleet, members: list[Member], hook: Endpoint) -> tuple[str, list[dict[str, Any]]]:
    _, key = gateways.key()
    inboxes = []
    for n in range(INBOXES):
        made = members[n % 3].call("POST", "/v1/inboxes", key, json={"mailboxName": f"box{n}"})
        inboxes.append(made)
    members[0].call(
        "POST", "/api/v0/webhooks", key, json={"url": hook.url, "event_types": ["message.received"]}
    )
    return key, inboxes


def test_three_processes_killed_in_turn_lose_and_double_nothing(
    postgres: PostgresCluster, tmp_path: Path
) -> None:
    with webhook_endpoint() as hook, fleet(postgres, tmp_path, webhooks__retry_scale=0.01) as gateways:
        mail = gateways.member("mail", "mail")
        members = [gateways.member(f"gateway-{n}") for n in range(3)]
        mail.begin()
        mail.wait()
        for one in members:
            one.begin()
        for one in members:
            one.wait()
        key, inboxes = _made(gateways, members, hook)
        traffic = Traffic(gateways, members, key, inboxes)
        with ThreadPoolExecutor(1) as pool:
            going = pool.submit(traffic.run)
            try:
                for one in members:
                    traffic.goes_on(4)
                    one.kill()
                    traffic.goes_on(4)
                    one.begin()
                    one.wait()
            finally:
                traffic.over.set()
            going.result(60)
        assert gateways.rows("SELECT 1 FROM process WHERE roles = ''") == [], "all have taken their part"

        wanted = Counter(traffic.delivered) + Counter((to, subject) for _, to, subject in traffic.sent)
        held = (
            "SELECT inbox.address, message.subject, message.direction FROM message "
            "JOIN inbox ON inbox.id = message.inbox_id"
        )

        def received() -> bool:
            rows = [row for row in gateways.rows(held) if row["direction"] == "inbound"]
            return len(rows) >= sum(wanted.values())

        until(received, 40, "every mail is indexed")
        until(
            lambda: not gateways.rows("SELECT 1 FROM outbox WHERE state <> 'done'"),
            40,
            "every send is settled",
        )
        until(
            lambda: len({one.id for one in hook.posts}) >= sum(wanted.values()), 40, "every event is posted"
        )
        until(
            lambda: not gateways.rows("SELECT 1 FROM delivery WHERE state = 'pending'"),
            20,
            "deliveries are settled",
        )
        rows = gateways.rows(held)
        inbound = Counter((row["address"], row["subject"]) for row in rows if row["direction"] == "inbound")
        assert inbound == wanted, "each mail is indexed once"
        outbound = Counter((row["address"], row["subject"]) for row in rows if row["direction"] == "outbound")
        assert outbound == Counter((one, subject) for one, _, subject in traffic.sent), (
            "each send is made once"
        )
        for address, folder in itertools.product([one["address"] for one in inboxes], ("inbox", "sent")):
            stands = gateways.rows(
                "SELECT message.subject FROM location JOIN message ON message.id = location.message_id "
                "JOIN folder ON folder.id = location.folder_id JOIN inbox ON inbox.id = location.inbox_id "
                "WHERE inbox.address = ? AND folder.role = ?",
                address,
                folder,
            )
            doubled = {
                subject: n for subject, n in Counter(row["subject"] for row in stands).items() if n > 1
            }
            assert not doubled, f"{folder} of {address} holds {doubled}"

        assert len(wanted) > 40, "there was traffic"

        # webhooks: each event arrived; first arrivals of an inbox are in the order of its log
        log = gateways.rows("SELECT id, inbox_id FROM event WHERE type = 'message.received' ORDER BY seq")
        order: dict[str, list[str]] = defaultdict(list)
        for row in log:
            order[row["inbox_id"]].append(f"evt_{row['id']}")
        arrived = list(dict.fromkeys(one.id for one in hook.posts))
        assert set(arrived) == {one for ids in order.values() for one in ids}
        for ids in order.values():
            mine = set(ids)
            assert [one for one in arrived if one in mine] == ids
