"""Statements about API keys."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypedDict, Unpack

from gateway.records.accounts import ApiKey, RevokedKey
from gateway.records.ids import InboxId, KeyId, PodId
from gateway.store.listing import Listing, Window, page
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx


class KeyChanges(TypedDict, total=False):
    """Columns of a key that change."""

    name: str | None
    permissions_json: str | None
    used_at: int
    updated_at: int


# --- of one organization ---


def key_with_id(tx: Tx, scope: Scope, key_id: KeyId | None) -> ApiKey | None:
    """The organization's key with this ULID."""
    return sql(tx).one(ApiKey, "WHERE id = ? AND organization_id = ?", key_id, scope.organization)


def key_with_number(tx: Tx, scope: Scope, number: int) -> ApiKey | None:
    """The organization's key with this number."""
    return sql(tx).one(ApiKey, "WHERE number = ? AND organization_id = ?", number, scope.organization)


def list_keys(
    tx: Tx, scope: Scope, window: Window, *, pod: PodId | None, inbox: InboxId | None
) -> Listing[ApiKey]:
    """The keys inside the reach of the key that asks, newest first; those of one pod or inbox when it is named."""
    where, args = "organization_id = ?", list[object]([scope.organization])
    for column, value in (("pod_id", scope.pod), ("inbox_id", scope.inbox)):
        if value:
            where, args = f"{where} AND {column} = ?", [*args, value]
    if scope.test:
        where += " AND test = 1"
    for column, value in (("pod_id", pod), ("inbox_id", inbox)):
        if value is not None:
            where, args = f"{where} AND {column} = ?", [*args, value]
    return page(tx, ApiKey, where, args, window)


def held_keys(tx: Tx, scope: Scope, *, pod: PodId | None, inbox: InboxId | None) -> list[ApiKey]:
    """The keys of one holder, newest first: of an inbox, of a pod itself, or (neither) of the organization itself."""
    where, args = _held(scope, pod, inbox)
    if scope.test:
        where += " AND test = 1"
    return sql(tx).all(ApiKey, f"WHERE {where} ORDER BY created_at DESC, id DESC", *args)


def held_key(
    tx: Tx, scope: Scope, key_id: KeyId | None, *, pod: PodId | None, inbox: InboxId | None
) -> ApiKey | None:
    """A key of one holder as in :func:`held_keys`, by its ULID."""
    where, args = _held(scope, pod, inbox)
    return sql(tx).one(ApiKey, f"WHERE {where} AND id = ?", *args, key_id)


def _held(scope: Scope, pod: PodId | None, inbox: InboxId | None) -> tuple[str, list[object]]:
    where = "organization_id = ?"
    if inbox is not None:
        return f"{where} AND inbox_id = ?", [scope.organization, inbox]
    if pod is not None:
        return f"{where} AND inbox_id IS NULL AND pod_id = ?", [scope.organization, pod]
    return f"{where} AND inbox_id IS NULL AND pod_id IS NULL", [scope.organization]


def key_end(tx: Tx, key_id: KeyId | None) -> int | None:
    """When a key expires (µs); None for one that does not, or is gone."""
    end: int | None = sql(tx).value("SELECT expires_at FROM api_key WHERE id = ?", key_id)
    return end


def count_inbox_keys(tx: Tx, inbox_id: InboxId, now: int) -> int:
    """How many keys of an inbox are in force. Who else counts them waits for the end of this transaction."""
    _lock(tx, "inbox", inbox_id)
    query = "SELECT count(*) FROM api_key WHERE inbox_id = ? AND (expires_at IS NULL OR expires_at > ?)"
    return int(sql(tx).value(query, inbox_id, now))


def count_pod_keys(tx: Tx, pod_id: PodId | None, now: int) -> int:
    """How many keys of a pod, and of no inbox, are in force. Who else counts them waits, as for an inbox's."""
    _lock(tx, "pod", pod_id)
    query = (
        "SELECT count(*) FROM api_key WHERE pod_id = ? AND inbox_id IS NULL "
        "AND (expires_at IS NULL OR expires_at > ?)"
    )
    return int(sql(tx).value(query, pod_id, now))


def _lock(tx: Tx, table: str, row_id: str | None) -> None:
    if tx.postgres:  # two at once would count the same; SQLite has one writer
        sql(tx).run(f"SELECT 1 FROM {table} WHERE id = ? FOR UPDATE", row_id)  # noqa: S608


def is_revoked(tx: Tx, scope: Scope, key_id: KeyId | None) -> bool:
    """Whether the organization had this key and revoked it."""
    query = "SELECT 1 FROM revoked_key WHERE id = ? AND organization_id = ?"
    return sql(tx).value(query, key_id, scope.organization) is not None


# --- of any organization ---


def unscoped_key_with_hash(tx: Tx, digest: str) -> ApiKey | None:
    """The key whose hex SHA-256 this is."""
    return sql(tx).one(ApiKey, "WHERE hash = ?", digest)


def unscoped_keys_with_hashes(tx: Tx, digests: Collection[str]) -> list[ApiKey]:
    """The keys whose hex SHA-256 is among these."""
    return sql(tx).all(ApiKey, f"WHERE hash IN ({', '.join('?' * len(digests))})", *digests)


def unscoped_any_key(tx: Tx) -> bool:
    """Whether there is a key."""
    return sql(tx).value("SELECT 1 FROM api_key LIMIT 1") is not None


def unscoped_any_user_key(tx: Tx) -> bool:
    """Whether there is a key that is not the operator's."""
    return sql(tx).value("SELECT 1 FROM api_key WHERE operator = 0 LIMIT 1") is not None


# --- changes ---


def add_key(tx: Tx, key: ApiKey) -> None:
    """Note a new key."""
    sql(tx).add(key)


def change_key(tx: Tx, key_id: KeyId, **changes: Unpack[KeyChanges]) -> None:
    """Change columns of a key."""
    sql(tx).update("api_key", "id", key_id, dict(changes))


def remove_key(tx: Tx, key_id: KeyId) -> bool:
    """Delete a key; False when it is gone."""
    return sql(tx).run("DELETE FROM api_key WHERE id = ?", key_id) > 0


def remove_pod_keys(tx: Tx, pod_id: PodId) -> None:
    """Delete the keys of a pod and of its inboxes."""
    sql(tx).run("DELETE FROM api_key WHERE pod_id = ?", pod_id)


def remove_inbox_keys(tx: Tx, inbox_id: InboxId) -> None:
    """Delete the keys of an inbox."""
    sql(tx).run("DELETE FROM api_key WHERE inbox_id = ?", inbox_id)


def add_revoked_key(tx: Tx, key: RevokedKey) -> None:
    """Note that an organization revoked a key."""
    sql(tx).add(key)
