"""A webhook, what is to be delivered to it, and what was tried."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from gateway.records.base import Record, Secret
from gateway.records.ids import WEBHOOK_ID, EventId, InboxId, KeyId, OrganizationId, PodId, WebhookId

DeliveryState = Literal["pending", "done", "failed"]


_names = msgspec.json.Decoder(list[str]).decode
_inboxes = msgspec.json.Decoder(list[InboxId]).decode
_pods = msgspec.json.Decoder(list[PodId]).decode
_headers = msgspec.json.Decoder(dict[str, str]).decode


class WebhookFilter(Record, frozen=True):
    """Which events a webhook wants. Times are microseconds since the epoch (UTC)."""

    table: ClassVar[str] = "webhook"

    id: WebhookId  # ULID; the public id is wh_ULID
    organization_id: OrganizationId
    pod_id: PodId | None  # made under /pods/{id}
    inbox_id: InboxId | None  # made under /inboxes/{id}
    dialect: str
    event_types_json: str
    inbox_ids_json: str
    pod_ids_json: str
    key_id: KeyId | None  # who answers for it (``events.reach``); None: the organization
    test: bool  # made by a sandbox key: it carries test events only

    @property
    def event_types(self) -> list[str]:
        """The types it names; empty for all that its dialect sends by default."""
        return [] if self.event_types_json == "[]" else _names(self.event_types_json)

    @property
    def inbox_ids(self) -> list[InboxId]:
        """The inboxes it is narrowed to (ULIDs)."""
        return [] if self.inbox_ids_json == "[]" else _inboxes(self.inbox_ids_json)

    @property
    def pod_ids(self) -> list[PodId]:
        """The pods it is narrowed to (ULIDs)."""
        return [] if self.pod_ids_json == "[]" else _pods(self.pod_ids_json)

    @property
    def public_id(self) -> str:
        """``wh_ULID``."""
        return WEBHOOK_ID.public(self.id)


class Webhook(WebhookFilter, frozen=True):
    """Where an organization's events are posted, and how that goes."""

    number: int  # the id of the dialects that count
    name: str | None
    url: str  # empty: it was cleared, and the row keeps the secret
    headers_json: Secret
    enabled: bool
    client_id: str | None
    secret: Secret
    old_secret: Secret | None
    old_secret_until: int | None
    failing_since: int | None
    succeeded_at: int | None
    disabled_reason: str | None  # why the gateway switched it off: what happens meanwhile waits for it
    created_at: int
    updated_at: int
    off_mailed_at: int | None  # when somebody was written to that it is switched off

    @property
    def headers(self) -> dict[str, str]:
        """Its owner's extra headers, which go with every post; their values are secrets."""
        return _headers(self.headers_json.reveal() or "{}")


class AnsweringKey(Record, frozen=True):
    """What the API key that answers for a webhook may read. Times are microseconds since the epoch (UTC)."""

    table: ClassVar[str] = "api_key"

    id: KeyId
    permissions_json: str | None  # None: all
    expires_at: int | None
    pod_id: PodId | None
    inbox_id: InboxId | None

    @property
    def permissions(self) -> list[str] | None:
        """The names of what it is granted; None for all."""
        return None if self.permissions_json is None else _names(self.permissions_json)

    @property
    def unrestricted(self) -> bool:
        """Whether it reaches all of its organization and may do everything there."""
        return self.permissions_json is None and self.pod_id is None and self.inbox_id is None


class Delivery(Record, frozen=True):
    """One event on its way to one webhook. Times are microseconds since the epoch (UTC)."""

    table: ClassVar[str] = "delivery"

    id: int
    event_seq: int
    webhook_id: WebhookId
    inbox_id: InboxId | None
    lane: str  # keeps the order of a webhook and an inbox (``events.delivery_queue``)
    state: DeliveryState
    attempts: int
    first_failed_at: int | None
    next_at: int
    created_at: int
    organization_id: OrganizationId  # the webhook's: whose share of the posts it takes
    tried_at: int | None  # the last try
    planned_at: int | None  # when the schedule tries it again; ``next_at`` may be earlier


class Attempt(Record, frozen=True):
    """One try to post an event, written with its outcome."""

    table: ClassVar[str] = "attempt"

    id: int
    delivery_id: int | None  # None: a test, which is tried once
    event_id: EventId  # ULID
    webhook_id: WebhookId
    number: int
    url: str
    status: int | None
    response: str | None
    error: str | None
    duration_ms: int | None
    created_at: int  # µs
