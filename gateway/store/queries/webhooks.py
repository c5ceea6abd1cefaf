"""Statements about webhooks. What waits for them is in ``deliveries``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict, Unpack

from gateway.records.base import Secret
from gateway.records.ids import InboxId, KeyId, OrganizationId, PodId, WebhookId
from gateway.records.webhooks import AnsweringKey, Webhook, WebhookFilter
from gateway.store.listing import Listing, Window, page
from gateway.store.record_shape import plain
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_MARKS = 500
_KEY = "LEFT JOIN api_key ON api_key.id = webhook.key_id"
_NOTICE_DUE = "enabled = 0 AND disabled_reason IS NOT NULL AND off_mailed_at IS NULL"


class WebhookChanges(TypedDict, total=False):
    """Columns of a webhook that change."""

    url: str
    event_types_json: str
    inbox_ids_json: str
    pod_ids_json: str
    headers_json: Secret
    enabled: bool
    secret: Secret
    old_secret: Secret | None
    old_secret_until: int | None
    failing_since: int | None
    disabled_reason: str | None
    off_mailed_at: int | None
    key_id: KeyId | None
    updated_at: int


def _reach(scope: Scope, dialect: str) -> tuple[str, list[object]]:
    where, args = "organization_id = ? AND dialect = ?", list[object]([scope.organization, dialect])
    if scope.pod:
        where, args = f"{where} AND pod_id = ?", [*args, scope.pod]
    if scope.inbox:
        where, args = f"{where} AND inbox_id = ?", [*args, scope.inbox]
    return f"{where} AND test = 1" if scope.test else where, args


# --- of one organization ---


def webhook_of_dialect(tx: Tx, scope: Scope, dialect: str, ref: WebhookId | int | None) -> Webhook | None:
    """The organization's webhook of a dialect with this ULID, or with this number."""
    column = "number" if isinstance(ref, int) else "id"
    return sql(tx).one(
        Webhook,
        f"WHERE {column} = ? AND organization_id = ? AND dialect = ?",
        ref,
        scope.organization,
        dialect,
    )


def webhook_with_client_id(tx: Tx, scope: Scope, dialect: str, client_id: str, url: str) -> Webhook | None:
    """The webhook in reach that was made with this ``client_id`` and URL."""
    where, args = _reach(scope, dialect)
    return sql(tx).one(Webhook, f"WHERE {where} AND client_id = ? AND url = ?", *args, client_id, url)


def list_webhooks(
    tx: Tx, scope: Scope, dialect: str, window: Window, *, pod: PodId | None, inbox: InboxId | None
) -> Listing[Webhook]:
    """A dialect's webhooks that the key reaches, or of these those of one pod or inbox."""
    where, args = _reach(scope, dialect)
    if pod is not None:
        where, args = f"{where} AND pod_id = ?", [*args, pod]
    if inbox is not None:
        where, args = f"{where} AND inbox_id = ?", [*args, inbox]
    return page(tx, Webhook, where, args, window)


def webhook_count(tx: Tx, organization: OrganizationId) -> int:
    """How many webhooks an organization has, those that are switched off included, cleared ones not."""
    return int(
        sql(tx).value("SELECT count(*) FROM webhook WHERE organization_id = ? AND url <> ''", organization)
    )


def webhooks_of_owner(
    tx: Tx, organization: OrganizationId, dialect: str, pod_id: PodId | None, inbox_id: InboxId | None
) -> list[Webhook]:
    """The webhooks of a dialect that belong to an inbox, or to a pod, or (both None) to the organization itself."""
    where, args = "WHERE organization_id = ? AND dialect = ?", list[object]([organization, dialect])
    for column, value in (("pod_id", pod_id), ("inbox_id", inbox_id)):
        if value is None:
            where = f"{where} AND {column} IS NULL"
        else:
            where, args = f"{where} AND {column} = ?", [*args, value]
    return sql(tx).all(Webhook, where, *args)


def webhooks_of_organization(tx: Tx, organization: OrganizationId) -> list[Webhook]:
    """Every webhook of an organization, oldest first."""
    return sql(tx).all(Webhook, "WHERE organization_id = ? ORDER BY created_at", organization)


def webhook_urls_of_inboxes(tx: Tx, dialect: str, inbox_ids: Iterable[InboxId]) -> dict[InboxId, str]:
    """The URL of the enabled webhook of a dialect, by inbox, of those of ``inbox_ids`` that have one."""
    ids, urls = list(inbox_ids), dict[InboxId, str]()
    for at in range(0, len(ids), _MARKS):
        some = ids[at : at + _MARKS]
        marks = ", ".join("?" * len(some))
        for row in sql(tx).rows(
            f"SELECT inbox_id, url FROM webhook WHERE dialect = ? AND enabled = 1 AND inbox_id IN ({marks})",  # noqa: S608
            dialect,
            *some,
        ):
            urls[row["inbox_id"]] = row["url"]
    return urls


def filters_of_event(
    tx: Tx, organization: OrganizationId, inbox_id: InboxId | None
) -> list[tuple[WebhookFilter, AnsweringKey | None]]:
    """What the webhooks want that an event of an inbox (None: of none) may concern, each with its key if that is there.

    Those that are enabled, and those that the gateway switched off itself: they have a reason, and what happens waits
    for their return.
    """
    rest = (
        f"{_KEY} WHERE webhook.organization_id = ? AND "
        "(webhook.enabled = 1 OR webhook.disabled_reason IS NOT NULL) AND webhook.inbox_id "
    )
    kinds = (WebhookFilter, AnsweringKey)
    found = sql(tx).joined(kinds, f"{rest}IS NULL ORDER BY webhook.id", organization)
    if inbox_id:
        found += sql(tx).joined(kinds, f"{rest}= ? ORDER BY webhook.id", organization, inbox_id)
    return [(hook, key if key.id else None) for hook, key in found]


# --- of a key ---


def key_of_webhook(tx: Tx, webhook: Webhook) -> AnsweringKey | None:
    """The key that answers for a webhook, if it has one and that is there."""
    return sql(tx).one(AnsweringKey, "WHERE id = ?", webhook.key_id) if webhook.key_id else None


def filters_of_key(tx: Tx, key_id: KeyId) -> list[tuple[WebhookFilter, AnsweringKey | None]]:
    """What the webhooks of a key want, each with the key if it is there."""
    found = sql(tx).joined((WebhookFilter, AnsweringKey), f"{_KEY} WHERE webhook.key_id = ?", key_id)
    return [(hook, key if key.id else None) for hook, key in found]


def hand_to_organization(tx: Tx, key_id: KeyId) -> None:
    """Have the organization answer for the webhooks of a key."""
    sql(tx).run("UPDATE webhook SET key_id = NULL WHERE key_id = ?", key_id)


def enabled_webhooks_of_key(tx: Tx, key_id: KeyId) -> list[WebhookId]:
    """The ULIDs of a key's webhooks that are enabled."""
    query = "SELECT id FROM webhook WHERE key_id = ? AND enabled = 1"
    return [row["id"] for row in sql(tx).rows(query, key_id)]


# --- one that is known ---


def enabled_webhook(tx: Tx, webhook_id: WebhookId) -> Webhook | None:
    """A webhook by its ULID, while it is enabled."""
    return sql(tx).one(Webhook, "WHERE id = ? AND enabled = 1", webhook_id)


def has_webhook(tx: Tx, webhook_id: WebhookId) -> bool:
    """Whether a webhook is still there."""
    return sql(tx).value("SELECT 1 FROM webhook WHERE id = ?", webhook_id) is not None


def last_success(tx: Tx, webhook_id: WebhookId) -> int | None:
    """When a webhook last took a post (µs), as far as that was noted."""
    succeeded_at: int | None = sql(tx).value("SELECT succeeded_at FROM webhook WHERE id = ?", webhook_id)
    return succeeded_at


# --- of any organization ---


def unscoped_webhook_of_dialect(tx: Tx, webhook_id: WebhookId, dialect: str) -> Webhook | None:
    """A dialect's webhook by its ULID."""
    return sql(tx).one(Webhook, "WHERE id = ? AND dialect = ?", webhook_id, dialect)


def unscoped_troubled_webhooks(tx: Tx) -> list[Webhook]:
    """Those that were switched off for failing, and enabled ones that fail now."""
    return sql(tx).all(
        Webhook,
        "WHERE (enabled = 0 AND disabled_reason IS NOT NULL) OR (enabled = 1 AND failing_since IS NOT NULL)",
    )


def unscoped_webhooks_to_report(tx: Tx, most: int) -> list[Webhook]:
    """Those that the gateway switched off and nobody was written to about."""
    return sql(tx).all(Webhook, f"WHERE {_NOTICE_DUE} ORDER BY id LIMIT ?", most)


# --- changes ---


def add_webhook(tx: Tx, webhook: Webhook) -> bool:
    """Note a new webhook; False when one with its id is there."""
    return sql(tx).add(webhook, ignore=True) > 0


def change_webhook(tx: Tx, webhook_id: WebhookId, **changes: Unpack[WebhookChanges]) -> bool:
    """Change columns of a webhook; False when it is not there."""
    columns = {name: plain(value) for name, value in changes.items()}
    return sql(tx).update("webhook", "id", webhook_id, columns) > 0


def note_success(tx: Tx, webhook_id: WebhookId, at: int) -> None:
    """Note that a webhook took a post at ``at`` (µs), and fails no longer."""
    sql(tx).run("UPDATE webhook SET succeeded_at = ?, failing_since = NULL WHERE id = ?", at, webhook_id)


def note_failure(tx: Tx, webhook_id: WebhookId, at: int) -> None:
    """Note that a webhook refused a post at ``at`` (µs), unless it failed before."""
    sql(tx).run("UPDATE webhook SET failing_since = ? WHERE id = ? AND failing_since IS NULL", at, webhook_id)


def claim_notice(tx: Tx, webhook_id: WebhookId, at: int) -> bool:
    """Note that somebody is written to about a webhook that is switched off; False when that was done or it is on."""
    query = f"UPDATE webhook SET off_mailed_at = ? WHERE id = ? AND {_NOTICE_DUE}"  # noqa: S608
    return sql(tx).run(query, at, webhook_id) > 0


def remove_webhook(tx: Tx, webhook_id: WebhookId) -> None:
    """Delete a webhook, what waits for it and what was tried."""
    sql(tx).run("DELETE FROM webhook WHERE id = ?", webhook_id)
    sql(tx).run("DELETE FROM delivery WHERE webhook_id = ?", webhook_id)
    sql(tx).run("DELETE FROM attempt WHERE webhook_id = ?", webhook_id)


def remove_webhooks_of_pod(tx: Tx, pod_id: PodId) -> None:
    """Delete the webhooks that were made under a pod, and what waits for them."""
    sql(tx).run("DELETE FROM delivery WHERE webhook_id IN (SELECT id FROM webhook WHERE pod_id = ?)", pod_id)
    sql(tx).run("DELETE FROM webhook WHERE pod_id = ?", pod_id)


def remove_webhooks_of_inbox(tx: Tx, inbox_id: InboxId) -> None:
    """Delete the webhooks that were made under an inbox."""
    sql(tx).run("DELETE FROM webhook WHERE inbox_id = ?", inbox_id)
