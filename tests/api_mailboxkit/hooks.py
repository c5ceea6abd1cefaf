"""A webhook endpoint as a MailboxKit customer writes one: it verifies each post by the documented steps."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.api_mailboxkit.calls import call, made
from tests.support.gateway_process import Organization
from tests.support.waiting import until
from tests.support.webhook_endpoint import Endpoint, Post, webhook_endpoint


def valid(post: Post, secret: str, header: str = "x-mailboxkit-signature") -> bool:
    """Seed 003's Python steps: the HMAC-SHA256 of the raw body in hex, keyed with the secret's text."""
    expected = hmac.new(secret.encode(), post.body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, post.headers[header])


def own_stringify(post: Post) -> bool:
    """Whether the body is its own ``JSON.stringify(JSON.parse(body))`` (it holds no number but whole ones)."""
    return json.dumps(post.json, ensure_ascii=False, separators=(",", ":")).encode() == post.body


@dataclass
class Hook:
    """A subscribed endpoint."""

    organization: Organization
    endpoint: Endpoint
    id: int
    secret: str

    def heard(self, event: str, count: int = 1, **facts: Any) -> list[Post]:
        """The posts of an event, of those whose data has these facts, when there are ``count``."""

        def found() -> list[Post]:
            return [
                one
                for one in list(self.endpoint.posts)
                if one.json["event"] == event and facts.items() <= one.json["data"].items()
            ]

        until(
            lambda: len(found()) >= count,
            why=f"{count} {event}; all: {[p.json for p in self.endpoint.posts]}",
        )
        return found()

    def attempts(self, **query: Any) -> list[dict[str, Any]]:
        """The rows of its attempts."""
        rows: list[dict[str, Any]] = call(
            self.organization, "GET", f"webhooks/{self.id}/attempts", params=query
        )["data"]
        return rows


@contextmanager
def hooked(organization: Organization, *events: str) -> Iterator[Hook]:
    """A started endpoint that is told of these events."""
    with webhook_endpoint() as endpoint:
        row = made(organization, "webhooks", {"url": endpoint.url, "events": list(events)})
        try:
            yield Hook(organization, endpoint, row["id"], row["secret"])
        finally:
            call(organization, "DELETE", f"webhooks/{row['id']}")


def new_inbox(organization: Organization, name: str = "Support Agent") -> dict[str, Any]:
    """A new inbox, as ``POST /inboxes`` answers it."""
    inbox: dict[str, Any] = made(organization, "inboxes", {"name": name})
    return inbox
