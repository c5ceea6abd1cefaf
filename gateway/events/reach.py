"""Which permissions an event takes to be heard, and what a webhook may carry by the key that answers for it.

A webhook names the key that made it, or that set its URL or switched it on last, and carries what that key may read at
the moment something happens: it narrows with the key, and ends when the key is revoked. The exception is an
unrestricted key of the whole organization: such a key could have made others, so its webhooks are the organization's
and outlive it, or rotating a key would silence them.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.events.kinds import OPT_IN
from gateway.records.accounts import ApiKey
from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us
from gateway.store.json_columns import load

ENDED = "the API key that made it was revoked"
"""Why a webhook was switched off with its key."""

HELD = (
    "LEFT JOIN (SELECT id AS held_id, permissions_json AS held_permissions, expires_at AS held_until, "
    "pod_id AS held_pod, inbox_id AS held_inbox FROM api_key) AS holder ON holder.held_id = webhook.key_id "
)
"""Joins ``webhook`` with the key that made it, for :func:`may_carry`."""


def permissions_of(kind: str) -> Sequence[str]:
    """The permissions that hearing events of a type takes."""
    area = kind.partition(".")[0]
    if area in ("domain", "inbox", "pod", "webhook"):
        return (f"{area}_read",)
    if kind in OPT_IN:
        return ("message_read", f"label_{kind.rpartition('.')[2]}_read")
    return ("message_read",)


def may_carry(hook: Row, event: Row) -> bool:
    """Whether a webhook's row (joined with ``HELD``) may carry an event's row: its pod or inbox, its sandbox, its key.

    ``event``: type, pod_id, inbox_id, test.
    """
    if hook["test"] and not event["test"]:
        return False
    for inbox, pod in ((hook["inbox_id"], hook["pod_id"]), (hook["held_inbox"], hook["held_pod"])):
        if (inbox and inbox != event["inbox_id"]) or (pod and pod != event["pod_id"]):
            return False
    if hook["key_id"] is None:
        return True
    if hook["held_id"] and _unrestricted(hook["held_permissions"], hook["held_pod"], hook["held_inbox"]):
        return True
    if hook["held_id"] is None or (hook["held_until"] is not None and hook["held_until"] <= now_us()):
        return False
    granted = load(hook["held_permissions"])
    return granted is None or all(one in granted for one in permissions_of(event["type"]))


def _unrestricted(permissions_json: str | None, pod_id: str | None, inbox_id: str | None) -> bool:
    return load(permissions_json) is None and pod_id is None and inbox_id is None


def end_webhooks(tx: Tx, key: ApiKey) -> None:
    """Switch off the webhooks of a key that is revoked in this transaction, and drop what waits for them; those of an
    unrestricted key are the organization's from now on."""
    key_id = key.id
    if _unrestricted(key.permissions_json, key.pod_id, key.inbox_id) and not key.test:
        tx.run("UPDATE webhook SET key_id = NULL WHERE key_id = ?", key_id)
        return
    for row in tx.rows("SELECT id FROM webhook WHERE key_id = ? AND enabled = 1", key_id):
        tx.update(
            "webhook", "id", row["id"], {"enabled": 0, "disabled_reason": ENDED, "updated_at": now_us()}
        )
        tx.run("DELETE FROM delivery WHERE webhook_id = ? AND state = 'pending'", row["id"])


def waiting_beyond(tx: Tx, key_id: str) -> list[Row]:
    """What waits for the webhooks of a key and the key, as it stands now, may not read: seq, webhook_id, inbox_id."""
    rows = tx.rows(
        "SELECT event.seq, event.type, event.pod_id, event.inbox_id, event.test, delivery.webhook_id FROM delivery "
        "JOIN event ON event.seq = delivery.event_seq JOIN webhook ON webhook.id = delivery.webhook_id "
        "WHERE webhook.key_id = ? AND delivery.state = 'pending'",
        key_id,
    )
    hooks = {
        row["id"]: row
        for row in tx.rows(f"SELECT * FROM webhook {HELD}WHERE webhook.key_id = ?", key_id)  # noqa: S608
    }
    return [row for row in rows if not may_carry(hooks[row["webhook_id"]], row)]
