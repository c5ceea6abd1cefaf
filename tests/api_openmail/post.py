"""Mail in these tests: inboxes of one organization, sends through ``/v1``, letters from outside, mail read back
over IMAP as a person would.
"""

from __future__ import annotations

import email
import email.policy
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import httpx

from tests.api_openmail.calls import call, client
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail, person, sees
from tests.support.waiting import until


def word(prefix: str = "w") -> str:
    """A word no other test uses."""
    return f"{prefix}{uuid.uuid4().hex[:10]}"


@dataclass
class Post:
    """The post office of one test."""

    gateway: GatewayProcess
    organization: Organization
    _access: dict[str, dict[str, Any]] = field(default_factory=dict)

    def inbox(self, **fields: Any) -> dict[str, Any]:
        """A new inbox, as ``/v1`` shows it."""
        made: dict[str, Any] = self.call("POST", "inboxes", {"mailboxName": word("box"), **fields})
        return made

    def send(
        self,
        inbox: dict[str, Any],
        body: dict[str, Any],
        key: str | None = None,
        *,
        status: int = 200,
        **options: Any,
    ) -> Any:
        """A send as JSON with a fresh key; answers the JSON of the answer."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self.call(
            "POST", f"inboxes/{inbox['id']}/send", body, headers=headers, status=status, **options
        )

    def form(
        self,
        inbox: dict[str, Any],
        fields: dict[str, Any],
        files: list[tuple[str, tuple[str, bytes, str]]] | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        """A send as multipart/form-data."""
        parts: list[tuple[str, Any]] = []
        for name, value in fields.items():
            parts += [(name, (None, one)) for one in (value if isinstance(value, list) else [value])]
        with client(self.organization) as http:
            return http.post(
                f"inboxes/{inbox['id']}/send",
                files=[*parts, *(files or [])],
                headers={"Idempotency-Key": key or str(uuid.uuid4())},
            )

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        return call(self.organization, method, path, body, **options)

    def deliver(
        self, mail: EmailMessage | bytes, *recipients: str, envelope_sender: str = "ann@abroad.test"
    ) -> None:
        """Hand a new_mail to the gateway's mail server, as the world does."""
        deliver(self.gateway.port("smtp"), mail, *recipients, sender=envelope_sender)

    def letter(
        self, inbox: dict[str, Any], subject: str, text: str = "Hello there.\n", **more: Any
    ) -> EmailMessage:
        """Deliver a plain new_mail to an inbox, and wait until it is listed; answers the letter."""
        before = self.total(inbox)
        mail = new_mail(inbox["address"], subject, text, **more)
        self.deliver(mail, inbox["address"])
        until(lambda: self.total(inbox) > before, why=f"{subject!r} is listed")
        return mail

    def total(self, inbox: dict[str, Any]) -> int:
        return int(self.call("GET", f"inboxes/{inbox['id']}/messages?limit=1")["total"])

    def messages(self, inbox: dict[str, Any], count: int = 0, query: str = "") -> list[dict[str, Any]]:
        """The messages of an inbox, newest first, once there are ``count``."""
        if count:
            until(lambda: self.total(inbox) >= count, why=f"{count} messages in {inbox['address']}")
        found: list[dict[str, Any]] = self.call("GET", f"inboxes/{inbox['id']}/messages{query}")["data"]
        return found

    def threads(self, inbox: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", f"inboxes/{inbox['id']}/threads{query}")["data"]
        return found

    def thread(self, thread_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"threads/{thread_id}/messages")
        return found

    def is_read(self, thread_id: str) -> bool:
        return bool(self.thread(thread_id)["isRead"])

    @contextmanager
    def person(self, inbox: dict[str, Any]) -> Iterator[Any]:
        """A person's IMAP client on an inbox."""
        address = inbox["address"]
        if address not in self._access:
            self._access[address] = self.organization.call("POST", f"/inboxes/{address}/credentials")
        access = self._access[address]
        with person("127.0.0.1", access["imap"]["port"], address, access["password"]) as imap:
            yield imap

    def mail(self, inbox: dict[str, Any], *criteria: str, folder: str = "INBOX") -> EmailMessage:
        """The one mail in a folder that matches an IMAP SEARCH, as it stands there; waits for it."""
        with self.person(inbox) as imap:
            numbers = until(lambda: sees(imap, folder, *criteria), why=f"{criteria} in {folder}")
            assert len(numbers) == 1, numbers
            _, rows = imap.fetch(numbers[0].decode(), "(BODY.PEEK[])")
        # beside the mail, the server may tell that its flags were changed just now (RFC 9051 §7.5.2)
        octets = next(row[1] for row in rows if isinstance(row, tuple))
        return email.message_from_bytes(octets, policy=email.policy.default)

    def flags(self, inbox: dict[str, Any], *criteria: str, folder: str = "INBOX") -> str:
        """The flags of the one mail that matches, in lower case."""
        with self.person(inbox) as imap:
            numbers = sees(imap, folder, *criteria)
            assert len(numbers) == 1, numbers
            _, rows = imap.fetch(numbers[0].decode(), "(FLAGS)")
        return bytes(rows[-1]).decode().lower()
