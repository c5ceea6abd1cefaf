"""API keys: made once, shown once, kept as a hash."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TypedDict

from msgspec.structs import replace

from gateway.core.context import Core
from gateway.core.errors import Forbidden, Invalid, LimitReached, NotFound
from gateway.core.key_ring import hash_of
from gateway.core.lookup import find_inbox, find_pod, require, require_own_test
from gateway.core.text import clean_text
from gateway.events.delivery_queue import in_order, withdraw
from gateway.events.reach import end_webhooks, waiting_beyond
from gateway.records.accounts import ApiKey
from gateway.records.ids import KEY_ID, InboxId, KeyId, OrganizationId, PodId, now_us, number_in, number_of
from gateway.store.json_columns import dump
from gateway.store.listing import Listing, Window
from gateway.store.queries import keys as key_queries
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MAX_PERMISSIONS = 100
AGENTMAIL = "inai_"
"""How the keys of AgentMail's dialect begin."""


def new_secret(prefix: str = AGENTMAIL) -> str:
    """A fresh key: the prefix and 43 characters of base 62 (256 bits); AgentMail's have ``_`` after the fourth."""
    drawn = "".join(secrets.choice(_DIGITS) for _ in range(43))
    return f"{prefix}{drawn[:4]}_{drawn[4:]}" if prefix == AGENTMAIL else prefix + drawn


def new_key(
    key: str,
    organization: OrganizationId,
    *,
    name: str | None,
    pod: PodId | None = None,
    inbox: InboxId | None = None,
    permissions: list[str] | None = None,
    test: bool = False,
    expires_at: int | None = None,
    prefix: str = AGENTMAIL,
    operator: bool = False,
) -> ApiKey:
    """The record of a new key. ``operator``: see ``Scope``; only ``bootstrap`` makes such a one."""
    ulid, now = KEY_ID.new(), now_us()
    return ApiKey(
        id=ulid,
        number=number_of(ulid),
        organization_id=organization,
        pod_id=pod,
        inbox_id=inbox,
        name=name,
        prefix=key[: len(prefix) + (5 if prefix == AGENTMAIL else 4)],
        last4=key[-4:],
        hash=hash_of(key),
        permissions_json=None if permissions is None else dump(sorted(set(permissions))),
        test=test,
        operator=operator,
        expires_at=expires_at,
        used_at=None,
        created_at=now,
        updated_at=now,
    )


async def create(
    core: Core,
    scope: Scope,
    *,
    name: str | None,
    pod: str | None = None,
    inbox: str | None = None,
    permissions: list[str] | None = None,
    expires_at: int | None = None,
    prefix: str = AGENTMAIL,
    test: bool = False,
    most: int | None = None,
) -> tuple[ApiKey, str]:
    """Make a key inside the caller's reach; answers it and the key itself, which is never shown again.

    A key can grant no more than the key that makes it, and for no longer. ``most``: how many a pod, or an inbox, may
    have in force; raises LimitReached ``api_key_limit_reached``.
    """
    require(scope, "api_key_create")
    name = clean_text(name, "name")
    if expires_at is not None and expires_at <= now_us():
        raise Invalid("expires_at has passed already", field="expires_at", fix="give a time in the future")
    granted = check_permissions(scope, permissions)
    key = new_secret(prefix)

    def write(tx: Tx) -> ApiKey:
        pod_id = find_pod(tx, scope, pod).id if pod is not None else scope.pod
        inbox_id = find_inbox(tx, scope, inbox).id if inbox is not None else scope.inbox
        made = new_key(
            key,
            scope.organization,
            name=name,
            pod=pod_id,
            inbox=inbox_id,
            permissions=granted,
            test=test or scope.test,
            expires_at=_within_own(tx, scope, expires_at),
            prefix=prefix,
        )
        if most is not None:
            _check_count(tx, pod_id, inbox_id, most)
        key_queries.add_key(tx, made)
        return made

    return await core.store.write(write), key


def _within_own(tx: Tx, scope: Scope, expires_at: int | None) -> int | None:
    """When a new key ends: with the key that makes it at the latest. Raises Forbidden for a later time asked for."""
    own = key_queries.key_end(tx, scope.key_id)
    if own is None or (expires_at is not None and expires_at <= own):
        return expires_at
    if expires_at is not None:
        raise Forbidden(
            "a key cannot outlive the key that makes it",
            field="expires_at",
            fix="give an earlier time, leave it out, or use a key that does not expire",
        )
    return own


def _check_count(tx: Tx, pod_id: PodId | None, inbox_id: InboxId | None, most: int) -> None:
    if inbox_id:
        owner, held = "inbox", key_queries.count_inbox_keys(tx, inbox_id, now_us())
    else:
        owner, held = "pod", key_queries.count_pod_keys(tx, pod_id, now_us())
    if held >= most:
        raise LimitReached(
            f"this {owner} has its {most} API keys", code="api_key_limit_reached", fix="revoke one first"
        )


async def list_keys(
    core: Core, scope: Scope, window: Window, *, pod: str | None = None, inbox: str | None = None
) -> Listing[ApiKey]:
    """The keys inside the reach, newest first."""
    require(scope, "api_key_read")

    def read(tx: Tx) -> Listing[ApiKey]:
        pod_id = None if pod is None else find_pod(tx, scope, pod).id
        inbox_id = None if inbox is None else find_inbox(tx, scope, inbox).id
        return key_queries.list_keys(tx, scope, window, pod=pod_id, inbox=inbox_id)

    listing = await core.store.read(read)
    rows = [_with_use(core, key) for key in listing.rows]
    return Listing(rows, listing.total, listing.next)


def _with_use(core: Core, key: ApiKey) -> ApiKey:
    """The key with its last use as far as this process knows it, which is ahead of the database."""
    return replace(key, used_at=core.keys.used_at(key.id) or key.used_at)


async def get(
    core: Core, scope: Scope, ref: str, *, pod: str | None = None, inbox: str | None = None
) -> ApiKey:
    """A key. ``pod``, ``inbox``: it must be a key of that one. Raises NotFound, Forbidden."""
    require(scope, "api_key_read")
    return _with_use(
        core, await core.store.read(lambda tx: find_key_under(tx, scope, ref, pod=pod, inbox=inbox))
    )


class KeyUpdate(TypedDict, total=False):
    """What :func:`update` changes; what is left out stays."""

    name: str | None
    permissions: list[str] | None


async def update(
    core: Core,
    scope: Scope,
    ref: str,
    changes: KeyUpdate,
    *,
    pod: str | None = None,
    inbox: str | None = None,
) -> ApiKey:
    """Change ``name`` or ``permissions``; ``pod``, ``inbox`` as in :func:`get`.

    What waits for the key's webhooks and it may not read any more is withdrawn.
    """
    require(scope, "api_key_update")
    columns = key_queries.KeyChanges(updated_at=now_us())
    if "name" in changes:
        columns["name"] = clean_text(changes["name"], "name")
    if "permissions" in changes:
        granted = check_permissions(scope, changes["permissions"])
        columns["permissions_json"] = None if granted is None else dump(granted)

    def write(tx: Tx) -> ApiKey:
        key = find_key_under(tx, scope, ref, pod=pod, inbox=inbox)
        key_queries.change_key(tx, key.id, **columns)
        if "permissions" in changes:
            _hold_back(tx, scope, key.id)
        return replace(key, **columns)

    key = await core.store.write(write)
    core.keys.forget()
    return key


def _hold_back(tx: Tx, scope: Scope, key_id: KeyId) -> None:
    """A key may read less now, and so do its webhooks: withdraw what they would not carry any more."""
    beyond = waiting_beyond(tx, key_id)
    for inbox_id in sorted({one.inbox_id or InboxId("") for one in beyond}):
        in_order(tx, scope.organization, inbox_id or None)
    for one in beyond:
        withdraw(tx, one.event_seq, one.webhook_id)


async def delete(
    core: Core, scope: Scope, ref: str, *, pod: str | None = None, inbox: str | None = None
) -> None:
    """Revoke a key: refused from this moment on, and so are its webhooks (``events.reach``). ``pod``, ``inbox`` as in
    :func:`get`."""
    require(scope, "api_key_delete")
    await core.store.write(partial(_delete, scope=scope, ref=ref, pod=pod, inbox=inbox))
    core.keys.forget()


def _delete(tx: Tx, scope: Scope, ref: str, pod: str | None, inbox: str | None) -> None:
    key = find_key_under(tx, scope, ref, pod=pod, inbox=inbox)
    end_webhooks(tx, key)
    key_queries.remove_key(tx, key.id)


def find_key(tx: Tx, scope: Scope, ref: str) -> ApiKey:
    """A key by ``key_…``, ULID or number inside the reach. Raises NotFound, Forbidden."""
    number = number_in(ref)
    if number is None:
        key = key_queries.key_with_id(tx, scope, KEY_ID.parse(ref))
    else:
        key = key_queries.key_with_number(tx, scope, number)
    if key is None:
        raise NotFound(f"there is no API key {ref[:100]!r}", fix="GET /api-keys lists the keys")
    if (scope.pod and key.pod_id != scope.pod) or (scope.inbox and key.inbox_id != scope.inbox):
        raise Forbidden("this API key does not reach that one", fix="use a key of the organization")
    require_own_test(scope, [key], "API key")
    return key


def find_key_under(tx: Tx, scope: Scope, ref: str, *, pod: str | None, inbox: str | None) -> ApiKey:
    """The same, looked for among the keys of a pod or an inbox when one is named."""
    key = find_key(tx, scope, ref)
    of_pod = pod is None or key.pod_id == find_pod(tx, scope, pod).id
    of_inbox = inbox is None or key.inbox_id == find_inbox(tx, scope, inbox).id
    if not (of_pod and of_inbox):
        raise NotFound(f"there is no API key {ref[:100]!r} here", fix="list the keys to see their ids")
    return key


def check_permissions(scope: Scope, permissions: list[str] | None) -> list[str] | None:
    """The names granted; None for all. Raises Forbidden when the caller does not hold one of them."""
    if permissions is None:
        return None if scope.permissions is None else sorted(scope.permissions)
    if len(permissions) > MAX_PERMISSIONS or any(len(one) > 64 for one in permissions):
        raise Invalid("permissions names too many or too long things", field="permissions")
    for one in permissions:
        if not scope.allows(one):
            raise Forbidden(
                f"this API key lacks the permission {one} and cannot grant it",
                field="permissions",
                fix="leave it out, or use a key that has it",
            )
    return sorted(set(permissions))
