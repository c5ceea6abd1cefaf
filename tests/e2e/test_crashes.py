"""kill -9 in the middle of things: what was accepted is there once, and its webhook came."""

from __future__ import annotations

import contextlib
import os
import signal
import smtplib
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.mails import deliver, new_mail
from tests.support.own_gateway import OwnGateway, missing, start_gateway
from tests.support.waiting import until
from tests.support.webhook_endpoint import Endpoint, webhook_endpoint

SERVERS = ["embedded", pytest.param("postfix_dovecot", marks=pytest.mark.root)]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(params=SERVERS)
def own_gateway(request: pytest.FixtureRequest) -> Iterator[OwnGateway]:
    """A gateway that a test may kill."""
    reason = missing(request.param)
    if reason:
        pytest.skip(reason)
    with start_gateway(request.param) as made:
        yield made


class Burst:
    """Mails over several connections, and what became of each: ``accepted`` got its 250, ``unsure`` an error."""

    def __init__(self, port: int, recipients: list[str], count: int, connections: int) -> None:
        self.accepted: set[str] = set()
        self.unsure: set[str] = set()
        self._port, self._recipients = port, recipients
        self._todo = iter(range(count))
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(connections)]

    def start(self) -> None:
        for one in self._threads:
            one.start()

    def join(self) -> None:
        for one in self._threads:
            one.join(200)
            assert not one.is_alive()

    def _next(self) -> int | None:
        with self._lock:
            return next(self._todo, None)

    def _run(self) -> None:
        smtp: smtplib.SMTP | None = None
        while (number := self._next()) is not None:
            to = self._recipients[number % len(self._recipients)]
            mail = new_mail(to, f"burst {number}", message_id=f"<{uuid.uuid4()}@abroad.test>")
            raw, sent = mail.as_bytes(), False
            while not sent:
                try:
                    if smtp is None:
                        smtp = smtplib.SMTP("127.0.0.1", self._port, local_hostname="abroad.test", timeout=60)
                        smtp.ehlo()
                    smtp.mail("ann@abroad.test")
                    if smtp.rcpt(to)[0] != 250:
                        raise smtplib.SMTPServerDisconnected("not now")
                except (OSError, smtplib.SMTPException):  # before the data: certainly not accepted
                    if smtp is not None:
                        smtp.close()
                    smtp = None
                    time.sleep(0.1)
                    continue
                sent = True
                try:
                    code, _ = smtp.data(raw)
                except (OSError, smtplib.SMTPException):
                    smtp.close()
                    code, smtp = 0, None
                (self.accepted if code == 250 else self.unsure).add(f"burst {number}")
        if smtp is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                smtp.quit()


def ids_by_subject(endpoint: Endpoint) -> dict[str, set[str]]:
    """The webhook ids that came for each subject."""
    found: dict[str, set[str]] = defaultdict(set)
    for post in endpoint.of("message.received"):
        found[post.json["message"]["subject"]].add(post.id)
    return found


def test_killed_twice_in_a_burst_of_500(own_gateway: OwnGateway) -> None:
    inboxes = [own_gateway.new_inbox()["email_address"] for _ in range(5)]
    with webhook_endpoint() as endpoint:
        own_gateway.post("/webhooks", {"url": endpoint.url, "event_types": ["message.received"]})
        burst = Burst(own_gateway.smtp_port, inboxes, 500, 10)
        burst.start()
        for part in (120, 300):
            until(lambda part=part: len(burst.accepted) >= part, 60, "the burst goes on", 0.002)
            own_gateway.crash()
            own_gateway.start()
        burst.join()
        assert len(burst.accepted) >= 450
        until(lambda: burst.accepted <= set(ids_by_subject(endpoint)), 60, "a webhook for each accepted mail")
        rows = [row for address in inboxes for row in own_gateway.messages(address)]
        shown = Counter(row["subject"] for row in rows)
        lost = burst.accepted - set(shown)
        assert not lost, f"{len(lost)} lost: {sorted(lost)[:5]}"
        # a mail whose 250 was never heard may be there, once
        assert set(shown) <= burst.accepted | burst.unsure
        assert not [subject for subject, times in shown.items() if times > 1]
        ids = ids_by_subject(endpoint)
        assert not [subject for subject, held in ids.items() if len(held) > 1], "two events for one mail"
        assert len({row["message_id"] for row in rows}) == len(rows)


def test_killed_in_the_middle_of_200_sends(own_gateway: OwnGateway) -> None:
    sender, friends = own_gateway.new_inbox(), [own_gateway.new_inbox()["email_address"] for _ in range(4)]
    answers: dict[int, str] = {}
    url = f"{own_gateway.base}/api/v0/inboxes/{sender['inbox_id']}/messages/send"

    def send(number: int) -> None:
        body = {"to": friends[number % 4], "subject": f"send {number}", "text": "t"}
        headers = {**own_gateway.headers, "Idempotency-Key": f"send-{number}"}
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                answer = httpx.post(url, json=body, headers=headers, timeout=30, trust_env=False)
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            if answer.status_code == 200:
                answers[number] = answer.json()["message_id"]
                return
            assert answer.status_code in (409, 503), f"{answer.status_code} {answer.text}"
            time.sleep(0.1)

    with ThreadPoolExecutor(10) as pool:
        jobs = [pool.submit(send, number) for number in range(200)]
        for part in (50, 120):
            until(lambda part=part: len(answers) >= part, 60, "the sends go on", 0.002)
            own_gateway.crash()
            own_gateway.start()
        for job in jobs:
            job.result()
    assert len(set(answers.values())) == 200

    def arrived() -> Counter[str]:
        return Counter(row["subject"] for address in friends for row in own_gateway.messages(address))

    until(lambda: len(arrived()) == 200, 60, "all at their recipients", 0.5)
    time.sleep(1.0)  # a second copy would come now
    assert set(arrived().values()) == {1}
    copies = Counter(row["subject"] for row in own_gateway.messages(sender["inbox_id"]))
    assert set(copies.values()) == {1}
    assert len(copies) == 200


def test_sigterm_ends_everything(own_gateway: OwnGateway) -> None:
    inbox = own_gateway.new_inbox()
    address = inbox["email_address"]
    with webhook_endpoint() as endpoint:
        own_gateway.post("/webhooks", {"url": endpoint.url, "event_types": ["message.received"]})
        burst = Burst(own_gateway.smtp_port, [address], 100, 4)
        burst.start()
        until(lambda: len(burst.accepted) >= 30, 60, "the burst goes on", 0.002)
        try:
            own_gateway.stop()  # fails when a process is left, or after STOP_SECONDS
        finally:
            own_gateway.start()
            burst.join()
        until(lambda: burst.accepted <= set(ids_by_subject(endpoint)), 60, "a webhook for each accepted mail")
        shown = Counter(row["subject"] for row in own_gateway.messages(address))
        assert burst.accepted <= set(shown)
        assert set(shown.values()) == {1}


def test_dead_mailbox_server_is_said_and_healed(own_gateway: OwnGateway) -> None:
    address = own_gateway.new_inbox()["email_address"]
    deliver(own_gateway.smtp_port, new_mail(address, "before"), address)
    (message,) = until(lambda: own_gateway.messages(address), why="the mail")
    with own_gateway.api as client:
        link = client.get(f"inboxes/{address}/messages/{message['message_id']}/raw").json()["download_url"]
        assert httpx.get(link).status_code == 200
        refusals: list[httpx.Response] = []

        def healed() -> bool:
            answer = httpx.get(link, timeout=30)
            if answer.status_code != 200:
                refusals.append(answer)
                lists = [
                    client.get(f"inboxes/{address}/{kind}").status_code for kind in ("messages", "threads")
                ]
                assert lists == [200, 200]
            return answer.status_code == 200

        for pid in _dovecots(own_gateway):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 40
        while not (healed() and refusals):
            assert time.monotonic() < end, "neither refused nor healed"
            time.sleep(0.02)
        for answer in refusals:
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) >= 1
    deliver(own_gateway.smtp_port, new_mail(address, "after"), address)
    until(lambda: len(own_gateway.messages(address)) == 2, 40, "mail after the repair")


def _dovecots(own_gateway: OwnGateway) -> list[int]:
    """The Dovecot processes below the gateway."""
    found = []
    for pid in own_gateway.children():
        with contextlib.suppress(OSError):
            if b"dovecot" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    assert found, "a Dovecot under the gateway"
    return found
