"""An entry of a message's history, and what the sources read it from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from gateway.records.ids import EventId, KeyId, ReviewId, WebhookId
from gateway.records.inboxes import Inbox
from gateway.records.mail import Mail
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

MOST = 2000
"""Entries of one source at the most."""

Kind = Literal[
    "accepted",
    "filed",
    "received",
    "held",
    "approved",
    "review_rejected",
    "review_expired",
    "queued",
    "deferred",
    "handed_over",
    "delivered",
    "bounced",
    "in_doubt",
    "rejected",
    "risky",
    "opened",
    "complained",
    "thread_merged",
    "held_back",
    "label_added",
    "label_removed",
    "moved",
    "read",
    "unread",
    "webhook",
]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened at ``at`` (µs), in words and as facts. Facts that an entry does not have are None."""

    at: int
    kind: Kind
    text: str
    # who asked
    key_id: KeyId | None = None
    # the mail server that handed it in, and what ours found out about the sender
    server: str | None = None
    client: str | None = None
    client_ip: str | None = None
    protocol: str | None = None
    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    # a person's decision
    review_id: ReviewId | None = None
    reasons: list[str] | None = None
    decided_by: str | None = None  # key_ULID, or a reviewer's address
    reason: str | None = None
    # a recipient and the reply of its server
    recipients: int | None = None
    recipient: str | None = None
    source: str | None = None  # attempt, report, operator
    attempt: int | None = None
    code: int | None = None
    status: str | None = None
    reply: str | None = None
    remote: str | None = None
    next_attempt_at: int | None = None  # µs
    # labels and folders
    label: str | None = None
    folder: str | None = None
    # a webhook and the event it was posted
    event_id: EventId | None = None
    event_type: str | None = None
    webhook_id: WebhookId | None = None
    host: str | None = None
    result: str | None = None  # taken, waiting, failed
    tries: int | None = None
    http_status: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The message whose history is read, by whom."""

    scope: Scope
    inbox: Inbox
    mail: Mail


Source = Callable[[Tx, Subject], Iterator[Entry]]
"""Yields entries of one kind of rows, at most ``MOST``."""
