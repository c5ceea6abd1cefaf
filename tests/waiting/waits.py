"""Waiting in tests: each dialect's path and wrapping, waits in threads, mail from outside, and a reader of SSE."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until

DIALECTS = ("agentmail", "openmail", "mailboxkit")
_PREFIX = {"agentmail": "/api/v0", "openmail": "/v1", "mailboxkit": "/api/v1"}
_WRAP = {"agentmail": "message", "openmail": "message", "mailboxkit": "data"}
_ID = {"agentmail": "message_id", "openmail": "id", "mailboxkit": "ulid"}


def ulid_of(message: dict[str, Any], dialect: str = "agentmail") -> str:
    """The message's ULID, however the dialect writes its id."""
    return str(message[_ID[dialect]]).removeprefix("msg_").lower()


@dataclass
class Desk:
    """An organization with one inbox, and threads that wait at it."""

    gateway: GatewayProcess
    organization: Organization
    inbox: dict[str, Any]
    threads: ThreadPoolExecutor

    def path(self, dialect: str = "agentmail") -> str:
        return f"{_PREFIX[dialect]}/inboxes/{self.inbox['inbox_id']}/messages/wait"

    def client(self, key: str | None = None) -> httpx.Client:
        return httpx.Client(
            base_url=self.organization.base_url,
            headers={"Authorization": f"Bearer {key or self.organization.api_key}"},
            timeout=60,
            trust_env=False,
            verify=False,
        )

    def ask(self, dialect: str = "agentmail", *, key: str | None = None, **query: Any) -> httpx.Response:
        """The answer to one wait. ``sender`` is the parameter ``from``."""
        with self.client(key) as http:
            return http.get(self.path(dialect), params=_named(query))

    def wait(self, dialect: str = "agentmail", **query: Any) -> Any:
        """The message that a wait answers, None for none."""
        got = self.ask(dialect, **query)
        assert got.status_code == 200, got.text
        assert list(got.json()) == [_WRAP[dialect]]
        return got.json()[_WRAP[dialect]]

    def start(self, dialect: str = "agentmail", *, count: int = 1, **query: Any) -> list[Future[Any]]:
        """``count`` waits more, each in a thread; answers when the gateway holds them all."""
        held = self.open + count
        jobs = [self.threads.submit(self.wait, dialect, **query) for _ in range(count)]
        until(lambda: self.open >= held or any(one.done() for one in jobs), why=f"{held} waits open")
        return jobs

    @property
    def open(self) -> int:
        """Waits for mail that the gateway holds open now, for all organizations."""
        with httpx.Client(trust_env=False, verify=False) as http:
            text = http.get(f"{self.gateway.base_url}/metrics").text
        (line,) = (one for one in text.splitlines() if one.startswith("postern_waits "))
        return int(float(line.split()[1]))

    def receive(self, subject: str = "Hello", text: str = "A line.\n", **more: Any) -> None:
        """A new_mail from outside, taken by the mail server."""
        mail = new_mail(self.inbox["email"], subject, text, **more)
        deliver(self.gateway.port("smtp"), mail, self.inbox["email"])

    def listed(self, count: int) -> list[Any]:
        """The inbox's messages, newest first, once there are ``count``."""
        path = f"inboxes/{self.inbox['inbox_id']}/messages"
        return until(
            lambda: (found := self.organization.call("GET", path)["messages"])[count - 1 :] and found,
            why=f"{count} messages",
        )

    @contextmanager
    def stream(self, dialect: str = "agentmail", last: str | None = None, **query: Any) -> Iterator[Events]:
        """An open event stream."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        with (
            self.client() as http,
            http.stream("GET", self.path(dialect), params=_named(query), headers=headers) as got,
        ):
            assert got.status_code == 200, got.read()
            assert got.headers["content-type"].startswith("text/event-stream")
            events = Events(got.iter_lines())  # held here: httpx ends a stream that nobody reads any more
            yield events


class Events:
    """What an EventSource keeps of a stream."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.last_id = ""
        self._read_block()  # the greeting

    def next(self) -> Any:
        """The data of the next event; comments are passed over."""
        while True:
            fields = self._read_block()
            if "data" in fields:
                assert fields["event"] == "message.received"
                return json.loads(fields["data"])

    def rest(self) -> list[str]:
        """Whatever comes before the stream ends."""
        return [one for one in self._lines if one and not one.startswith(":")]

    def _read_block(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line:
                break
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            raise AssertionError("the stream has ended")
        self.last_id = fields.get("id", self.last_id)
        return fields


def _named(query: dict[str, Any]) -> dict[str, Any]:
    return {"from" if name == "sender" else name: value for name, value in query.items()}


@contextmanager
def a_desk(gateway: GatewayProcess, threads: int = 8) -> Iterator[Desk]:
    """A fresh organization with an inbox."""
    organization = gateway.new_organization()
    inbox = organization.new_inbox(f"wait-{secrets.token_hex(5)}")
    with ThreadPoolExecutor(threads) as pool:
        made = Desk(gateway, organization, inbox, pool)
        until(lambda: made.open == 0, why="those who waited before are still there")
        yield made
