"""Which permissions an event takes, and what a webhook may carry by the key that answers for it.

A webhook names the key that made it, or that set its URL or switched it on last, and carries what that key may read at
the moment something happens: it narrows with the key, and ends when the key is revoked. The exception is an
unrestricted key of the whole organization: such a key could have made others, so its webhooks are the organization's
and outlive it, or rotating a key would silence them.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.records.accounts import ApiKey
from gateway.records.event_types import EVENT_TYPES
from gateway.records.events import EventHead
from gateway.records.ids import KeyId, now_us
from gateway.records.webhooks import AnsweringKey, Delivery, WebhookFilter
from gateway.store.queries.deliveries import drop_pending, pending_of_key
from gateway.store.queries.webhooks import (
    change_webhook,
    enabled_webhooks_of_key,
    filters_of_key,
    hand_to_organization,
)
from gateway.store.transaction import Tx

ENDED = "the API key that made it was revoked"
"""Why a webhook was switched off with its key."""


def permissions_of(kind: str) -> Sequence[str]:
    """The permissions that a key needs to get events of a type."""
    known = EVENT_TYPES.get(kind)
    return known.permissions if known else ("message_read",)


def may_carry(hook: WebhookFilter, key: AnsweringKey | None, event: EventHead) -> bool:
    """Whether a webhook may carry an event: its pod or inbox, its sandbox, its key.

    ``key``: the one that answers for it; None when it has none or that is gone.
    """
    if hook.test and not event.test:
        return False
    for inbox, pod in ((hook.inbox_id, hook.pod_id), (key and key.inbox_id, key and key.pod_id)):
        if (inbox and inbox != event.inbox_id) or (pod and pod != event.pod_id):
            return False
    if hook.key_id is None:
        return True
    if key is None:
        return False
    if key.unrestricted:
        return True
    if key.expires_at is not None and key.expires_at <= now_us():
        return False
    granted = key.permissions
    return granted is None or all(one in granted for one in permissions_of(event.type))


def end_webhooks(tx: Tx, key: ApiKey) -> None:
    """Switch off the webhooks of a key that is revoked in this transaction, and drop what waits for them; those of an
    unrestricted key are the organization's from now on."""
    whole = key.permissions_json is None and key.pod_id is None and key.inbox_id is None
    if whole and not key.test:
        hand_to_organization(tx, key.id)
        return
    for webhook_id in enabled_webhooks_of_key(tx, key.id):
        change_webhook(tx, webhook_id, enabled=False, disabled_reason=ENDED, updated_at=now_us())
        drop_pending(tx, webhook_id)


def waiting_beyond(tx: Tx, key_id: KeyId) -> list[Delivery]:
    """What waits for the webhooks of a key and the key may not read now."""
    waiting = pending_of_key(tx, key_id)
    filters = {hook.id: (hook, key) for hook, key in filters_of_key(tx, key_id)}
    return [delivery for delivery, event in waiting if not may_carry(*filters[delivery.webhook_id], event)]
