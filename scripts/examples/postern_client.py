"""A small client for Postern in MailboxKit's protocol, of the standard library alone: copy it into your agent.

mail = Postern()                                  # POSTERN_URL, POSTERN_KEY, POSTERN_INBOX
mail.send("ann@example.com", "Invoice 7", "Did it arrive?")
answer = mail.wait_for(sender="ann@example.com")  # only what came after that send
mail.reply(answer["id"], "Thank you!")
"""

from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.request
import uuid
from typing import Any
from urllib.parse import quote, urlencode

LONGEST_WAIT = 300
"""Seconds that one request may wait; longer waits are several requests."""


class PosternError(Exception):
    """What Postern refused: ``status`` and its words. ``retry_after``: seconds, where it says so."""

    def __init__(self, status: int, words: str, retry_after: float = 0) -> None:
        super().__init__(f"{status}: {words}")
        self.status = status
        self.retry_after = retry_after


class Postern:
    """One inbox of a Postern. ``inbox``: any id or its address; by default the first one of the key."""

    def __init__(
        self, url: str | None = None, key: str | None = None, inbox: str | int | None = None
    ) -> None:
        self._url = (url or os.environ.get("POSTERN_URL") or "http://127.0.0.1:8025").rstrip("/") + "/api/v1"
        self._key = key or os.environ["POSTERN_KEY"]
        inbox = inbox or os.environ.get("POSTERN_INBOX")
        row = self.call("GET", f"/inboxes/{_part(inbox)}")["data"] if inbox else self._first()
        self.inbox: int = row["id"]
        self.address: str = row["email"]
        newest = self.messages(per_page=1)
        # what ``wait_for`` counts from: a reply that is faster than the wait for it must not be missed
        self._since: str = newest[0]["ulid"] if newest else row["created_at"]

    def send(self, to: str | list[str], subject: str, text: str = "", **more: Any) -> dict[str, Any]:
        """Send an email; ``more``: html, cc, bcc, attachments, … Answers it with its ``id``."""
        body = {"to": [to] if isinstance(to, str) else to, "subject": subject, "text": text, **more}
        return self._sent("send", body)

    def reply(self, message_id: int | str, text: str, **more: Any) -> dict[str, Any]:
        """Answer a message, in its thread."""
        return self._sent(f"{_part(message_id)}/reply", {"text": text, **more})

    def messages(self, **query: Any) -> list[dict[str, Any]]:
        """Messages received and sent, newest first; ``page`` and ``per_page`` as in the API."""
        rows: list[dict[str, Any]] = self.call("GET", f"/inboxes/{self.inbox}/messages", query)["data"]
        return rows

    def read(self, message_id: int | str) -> dict[str, Any]:
        """One message whole."""
        return dict(self.call("GET", f"/inboxes/{self.inbox}/messages/{_part(message_id)}")["data"])

    def wait_for(
        self,
        *,
        sender: str | None = None,
        subject: str | re.Pattern[str] | None = None,
        text: str | None = None,
        since: str | int | None = None,
        timeout: float = 60,
    ) -> dict[str, Any]:
        """The next message received that matches, with ``extracted``: a one-time code and link, where it has them.

        Counts from the last send, the last message waited for, or this object's making, whichever is latest, unless
        ``since`` says another. Raises TimeoutError after ``timeout`` seconds.
        """
        pattern = f"/{subject.pattern}/" if isinstance(subject, re.Pattern) else subject
        wanted = {"from": sender, "subject": pattern, "text": text, "since": since or self._since}
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            seconds = max(1, min(int(left), LONGEST_WAIT))
            query = {**wanted, "timeout": seconds}
            try:
                found = self.call("GET", f"/inboxes/{self.inbox}/messages/wait", query, seconds + 30)
            except PosternError as error:
                if error.status not in (429, 503):
                    raise
                time.sleep(min(error.retry_after or 1, max(left, 0)))  # it restarts, or is busy
                continue
            if found["data"]:
                self._since = found["data"]["ulid"]
                return dict(found["data"])
        raise TimeoutError(f"no such message came within {timeout:g} seconds")

    def call(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        timeout: float = 60,
        body: dict[str, Any] | None = None,
    ) -> Any:
        """One request below ``/api/v1``. Raises PosternError."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        request = urllib.request.Request(
            f"{self._url}{path}" + (f"?{urlencode(given)}" if given else ""),
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
        )
        if body is not None:
            request.add_header("Idempotency-Key", str(uuid.uuid4()))
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise PosternError(
                    error.code, error.read().decode(), float(error.headers.get("Retry-After") or 0)
                ) from None

    def _sent(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        sent: dict[str, Any] = self.call("POST", f"/inboxes/{self.inbox}/messages/{path}", body=body)["data"]
        self._since = sent["ulid"]
        return sent

    def _first(self) -> dict[str, Any]:
        rows: list[dict[str, Any]] = self.call("GET", "/inboxes", {"per_page": 1})["data"]
        if not rows:
            raise LookupError("this key has no inbox yet: make one, with POST /inboxes")
        return rows[0]


def _part(value: object) -> str:
    return quote(str(value), safe="")


if __name__ == "__main__":
    mail = Postern()
    print(f"Write to {mail.address} within a minute.")
    came = mail.wait_for()
    print(f"{came['from_email']}: {came['subject']}\n{came['extracted_text']}")
