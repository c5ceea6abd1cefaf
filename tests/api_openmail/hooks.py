"""A webhook endpoint as an OpenMail customer writes one: it verifies each post by the documented steps."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.api_openmail.calls import call
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until
from tests.support.webhook_endpoint import Endpoint, Post, webhook_endpoint

SENT = ("content-type", "x-event-id", "x-timestamp", "x-signature")


def valid(post: Post, secret: str) -> bool:
    """Seed 000's Python steps: the HMAC of ``timestamp.payload`` in hex; and the time must be recent."""
    payload = post.body.decode()
    timestamp = post.headers["x-timestamp"]
    expected = hmac.new(secret.encode(), f"{timestamp}.{payload}".encode(), hashlib.sha256).hexdigest()
    recent = abs(time.time() - int(timestamp)) < 300
    return recent and hmac.compare_digest(post.headers["x-signature"], expected)


@dataclass
class Hooks:
    """An organization with endpoints, and what its inboxes hear."""

    gateway: GatewayProcess
    organization: Organization
    _endpoints: list[Endpoint] = field(default_factory=list)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        return call(self.organization, method, path, body, **options)

    def inbox(self, **fields: Any) -> dict[str, Any]:
        """A new inbox, as ``POST /v1/inboxes`` answers it."""
        made: dict[str, Any] = self.call("POST", "inboxes", fields)
        return made

    def hear(self, inbox: dict[str, Any], subject: str, **more: Any) -> None:
        """Deliver a new_mail to an inbox."""
        deliver(self.gateway.port("smtp"), new_mail(inbox["address"], subject, **more), inbox["address"])


def about(endpoint: Endpoint, subject: str, count: int = 1, timeout: float = 20.0) -> list[Post]:
    """The posts of a message by its subject, when there are ``count``."""

    def found() -> list[Post]:
        return [one for one in list(endpoint.posts) if one.json.get("message", {}).get("subject") == subject]

    until(lambda: len(found()) >= count, timeout, f"{count} posts about {subject!r}; all: {endpoint.posts}")
    return found()


def named(endpoint: Endpoint, event: str, count: int = 1) -> list[Post]:
    """The posts of an event type, when there are ``count``."""

    def found() -> list[Post]:
        return [one for one in list(endpoint.posts) if one.json["event"] == event]

    until(lambda: len(found()) >= count, why=f"{count} {event}; all: {[one.json for one in endpoint.posts]}")
    return found()


@contextmanager
def account_hook(hooks: Hooks) -> Iterator[tuple[Endpoint, str]]:
    """A started endpoint that is the account's webhook, and its secret."""
    with webhook_endpoint() as endpoint:
        made = hooks.call("PUT", "webhook", {"url": endpoint.url})
        try:
            secret = made.get("webhookSecret") or hooks.call("POST", "webhook/rotate-secret")["webhookSecret"]
            yield endpoint, secret
        finally:
            hooks.call("DELETE", "webhook")
