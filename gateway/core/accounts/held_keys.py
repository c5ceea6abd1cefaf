"""The keys of one holder: a pod's, an inbox's, or the account's own, which are narrowed to neither.

Unlike ``keys``, which shows all keys inside the caller's reach, a call here means the keys of that holder alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from gateway.core.accounts import keys
from gateway.core.context import Core
from gateway.core.errors import Conflict, NotFound
from gateway.core.lookup import find_inbox, find_pod, require, require_own_test
from gateway.events.reach import end_webhooks
from gateway.records.accounts import ApiKey, RevokedKey
from gateway.records.ids import KEY_ID, InboxId, PodId, now_us
from gateway.store.queries.keys import add_revoked_key, held_key, held_keys, is_revoked, remove_key
from gateway.store.queries.pods import unscoped_pod
from gateway.store.scope import Scope
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose keys are meant, by any id that names it: a pod, an inbox, or (neither) the account."""

    pod: str | None = None
    inbox: str | None = None


async def mint(
    core: Core,
    scope: Scope,
    holder: Holder,
    *,
    name: str | None,
    prefix: str,
    permissions: Sequence[str] | None = None,
    most: int | None = None,
) -> tuple[ApiKey, str]:
    """Make a key for ``holder``; answers it and the key itself, which is never shown again.

    ``permissions``: as far as the caller has them; None for all of those. ``most``: how many the holder may have.
    Raises NotFound, Forbidden; Conflict ``inbox_has_no_pod``; LimitReached ``api_key_limit_reached``.
    """
    home = await core.store.read(lambda tx: _home(tx, scope, holder))
    if holder.inbox is not None and home is None:
        raise Conflict(
            "the pod of this inbox is gone, so there is nothing its key could belong to",
            code="inbox_has_no_pod",
            fix="make a new inbox",
        )
    made, key = await keys.create(
        core,
        scope,
        name=name,
        pod=holder.pod,
        inbox=holder.inbox,
        permissions=None if permissions is None else [one for one in permissions if scope.allows(one)],
        prefix=prefix,
        most=most,
    )
    return replace(made, pod_id=home), key


async def held(core: Core, scope: Scope, holder: Holder) -> list[ApiKey]:
    """The holder's keys, newest first; an inbox's have the inbox's ``pod_id``. Raises NotFound, Forbidden."""
    require(scope, "api_key_read")

    def read(tx: Tx) -> list[ApiKey]:
        home, (pod, inbox) = _home(tx, scope, holder), _held_by(tx, scope, holder)
        return [replace(key, pod_id=home) for key in held_keys(tx, scope, pod=pod, inbox=inbox)]

    found = await core.store.read(read)
    return [replace(key, used_at=core.keys.used_at(key.id) or key.used_at) for key in found]


async def revoke(core: Core, scope: Scope, holder: Holder, ref: str, *, again: bool = False) -> None:
    """Revoke a key of ``holder``: refused from this moment on.

    Raises NotFound for what is no key of this holder; with ``again`` not for one revoked with ``again`` before.
    """
    require(scope, "api_key_delete")

    def write(tx: Tx) -> None:
        pod, inbox = _held_by(tx, scope, holder)
        wanted = KEY_ID.parse(ref)
        key = held_key(tx, scope, wanted, pod=pod, inbox=inbox)
        if key is not None:
            require_own_test(scope, [key], "API key")
            end_webhooks(tx, key)
        gone = key is not None and remove_key(tx, key.id)
        if gone and again and wanted:
            add_revoked_key(tx, RevokedKey(wanted, scope.organization, now_us()))
        if not gone and not (again and is_revoked(tx, scope, wanted)):
            raise NotFound(f"there is no API key {ref[:100]!r} here", fix="list the keys to see their ids")

    await core.store.write(write)
    core.keys.forget()


def _home(tx: Tx, scope: Scope, holder: Holder) -> PodId | None:
    """The ULID of the pod the holder is or is in; None for the account, or when the pod is gone."""
    if holder.inbox is not None:
        pod = unscoped_pod(tx, find_inbox(tx, scope, holder.inbox).pod_id)
        return None if pod is None else pod.id
    return None if holder.pod is None else find_pod(tx, scope, holder.pod).id


def _held_by(tx: Tx, scope: Scope, holder: Holder) -> tuple[PodId | None, InboxId | None]:
    """The ULIDs of the pod or the inbox that holds the keys; neither for the account."""
    if holder.inbox is not None:
        return None, find_inbox(tx, scope, holder.inbox).id
    return (None if holder.pod is None else find_pod(tx, scope, holder.pod).id), None
