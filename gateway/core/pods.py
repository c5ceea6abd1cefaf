"""Pods: groups of inboxes within an organization. Each organization has one default pod, which stays."""

from __future__ import annotations

from gateway.core.context import Core
from gateway.core.errors import Conflict, Forbidden
from gateway.core.inboxes import find_pod
from gateway.core.listing import Listing, Window
from gateway.core.lookup import require
from gateway.core.paged import clean_text, page_of
from gateway.store.engine import Row, Tx
from gateway.store.ids import new_ulid, now_us
from gateway.store.scope import Scope


async def create(
    core: Core, scope: Scope, *, name: str | None = None, client_id: str | None = None
) -> tuple[Row, bool]:
    """Make a pod; the same ``client_id`` answers the pod there is."""
    require(scope, "pod_create")
    if scope.pod or scope.inbox:
        raise Forbidden("only a key of the organization can make pods", fix="use a wider key")
    name, client_id = clean_text(name, "name"), clean_text(client_id, "client_id") or None

    def write(tx: Tx) -> tuple[Row, bool]:
        if client_id:
            held = tx.row(
                "SELECT * FROM pod WHERE organization_id = ? AND client_id = ?", scope.organization, client_id
            )
            if held is not None:
                return held, False
        now, ulid = now_us(), new_ulid()
        row = {
            "id": ulid,
            "organization_id": scope.organization,
            "name": name or f"pod {ulid[-6:]}",
            "client_id": client_id,
            "is_default": 0,
            "created_at": now,
            "updated_at": now,
        }
        tx.insert("pod", row)
        return row, True

    return await core.store.write(write)


async def get(core: Core, scope: Scope, ref: str) -> Row:
    """A pod's row. Raises NotFound, Forbidden."""
    require(scope, "pod_read")
    return await core.store.read(lambda tx: find_pod(tx, scope, ref))


async def list_pods(core: Core, scope: Scope, window: Window) -> Listing:
    """The pods inside the reach."""
    require(scope, "pod_read")
    where, args = "organization_id = ?", [scope.organization]
    if scope.pod:
        where, args = f"{where} AND id = ?", [*args, scope.pod]
    return await core.store.read(lambda tx: page_of(tx, "pod", where, args, window))


async def update(core: Core, scope: Scope, ref: str, name: str | None) -> Row:
    """Rename a pod."""
    require(scope, "pod_update")

    def write(tx: Tx) -> Row:
        row = find_pod(tx, scope, ref)
        columns = {"name": clean_text(name, "name") or row["name"], "updated_at": now_us()}
        tx.update("pod", "id", row["id"], columns)
        return {**row, **columns}

    return await core.store.write(write)


async def delete(core: Core, scope: Scope, ref: str) -> None:
    """Delete an empty pod, with its keys, hooks and rules. Raises Conflict for the default or a used one."""
    require(scope, "pod_delete")

    def write(tx: Tx) -> None:
        row = find_pod(tx, scope, ref)
        if row["is_default"]:
            raise Conflict("the default pod stays", code="default_pod", fix="delete another pod")
        for table, words in (("inbox", "inboxes"), ("domain", "domains")):
            if tx.value(f"SELECT 1 FROM {table} WHERE pod_id = ? LIMIT 1", row["id"]):  # noqa: S608
                raise Conflict(f"the pod has {words}", code="pod_in_use", fix=f"delete its {words} first")
        tx.run("DELETE FROM api_key WHERE pod_id = ?", row["id"])
        tx.run(
            "DELETE FROM delivery WHERE webhook_id IN (SELECT id FROM webhook WHERE pod_id = ?)", row["id"]
        )
        tx.run("DELETE FROM webhook WHERE pod_id = ?", row["id"])
        tx.run("DELETE FROM list_entry WHERE pod_id = ?", row["id"])
        tx.run("DELETE FROM pod WHERE id = ?", row["id"])

    await core.store.write(write)
    core.keys.forget()
