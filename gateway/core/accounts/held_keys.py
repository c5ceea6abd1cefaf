"""The keys of one holder: a pod's, an inbox's, or the account's own, which are narrowed to neither.

Unlike ``keys``, which shows all keys inside the caller's reach, a call here means the keys of that holder alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.accounts import keys
from gateway.core.context import Core
from gateway.core.errors import Conflict, NotFound
from gateway.core.lookup import find_inbox, find_pod, require, require_own_test
from gateway.events.reach import end_webhooks
from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us, parse_id
from gateway.store.scope import Scope


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
) -> tuple[Row, str]:
    """Make a key for ``holder``; answers its row and the key itself, which is never shown again.

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
    row, key = await keys.create(
        core,
        scope,
        name=name,
        pod=holder.pod,
        inbox=holder.inbox,
        permissions=None if permissions is None else [one for one in permissions if scope.allows(one)],
        prefix=prefix,
        most=most,
    )
    return {**row, "pod_id": home}, key


async def held(core: Core, scope: Scope, holder: Holder) -> list[Row]:
    """The holder's keys, newest first; an inbox's have the inbox's ``pod_id``. Raises NotFound, Forbidden."""
    require(scope, "api_key_read")

    def read(tx: Tx) -> list[Row]:
        home, (where, args) = _home(tx, scope, holder), _held_by(tx, scope, holder)
        where = f"{where} AND test = 1" if scope.test else where
        rows = tx.rows(f"SELECT * FROM api_key WHERE {where} ORDER BY created_at DESC, id DESC", *args)  # noqa: S608
        return [{**row, "pod_id": home} for row in rows]

    rows = await core.store.read(read)
    return [{**row, "used_at": core.keys.used_at(row["id"]) or row["used_at"]} for row in rows]


async def revoke(core: Core, scope: Scope, holder: Holder, ref: str, *, again: bool = False) -> None:
    """Revoke a key of ``holder``: refused from this moment on.

    Raises NotFound for what is no key of this holder; with ``again`` not for one revoked with ``again`` before.
    """
    require(scope, "api_key_delete")

    def write(tx: Tx) -> None:
        where, args = _held_by(tx, scope, holder)
        wanted = parse_id("key", ref) or ""
        row = tx.row(f"SELECT * FROM api_key WHERE {where} AND id = ?", *args, wanted)  # noqa: S608
        if row is not None:
            require_own_test(scope, [row], "API key")
            end_webhooks(tx, row)
        gone = row is not None and tx.run("DELETE FROM api_key WHERE id = ?", row["id"])
        if gone and again:
            tx.insert(
                "revoked_key",
                {"id": wanted, "organization_id": scope.organization, "revoked_at": now_us()},
            )
        if not gone and not (again and _revoked(tx, scope, wanted)):
            raise NotFound(f"there is no API key {ref[:100]!r} here", fix="list the keys to see their ids")

    await core.store.write(write)
    core.keys.forget()


def _revoked(tx: Tx, scope: Scope, key_id: str) -> bool:
    return bool(
        tx.value("SELECT 1 FROM revoked_key WHERE id = ? AND organization_id = ?", key_id, scope.organization)
    )


def _home(tx: Tx, scope: Scope, holder: Holder) -> str | None:
    """The ULID of the pod the holder is or stands in; None for the account, or when the pod is gone."""
    if holder.inbox is not None:
        inbox = find_inbox(tx, scope, holder.inbox)
        found: str | None = tx.value("SELECT id FROM pod WHERE id = ?", inbox.pod_id)
        return found
    return None if holder.pod is None else str(find_pod(tx, scope, holder.pod)["id"])


def _held_by(tx: Tx, scope: Scope, holder: Holder) -> tuple[str, list[object]]:
    """SQL condition and parameters of the holder's keys."""
    where, args = "organization_id = ?", [scope.organization]
    if holder.inbox is not None:
        return f"{where} AND inbox_id = ?", [*args, find_inbox(tx, scope, holder.inbox).id]
    if holder.pod is not None:
        return f"{where} AND inbox_id IS NULL AND pod_id = ?", [*args, find_pod(tx, scope, holder.pod)["id"]]
    return f"{where} AND inbox_id IS NULL AND pod_id IS NULL", list(args)
