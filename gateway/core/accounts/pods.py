"""Pods: groups of inboxes within an organization. Each organization has one default pod, which stays."""

from __future__ import annotations

from gateway.core.context import Core
from gateway.core.errors import Conflict, Forbidden
from gateway.core.lookup import find_pod, require
from gateway.core.paging import clean_text, page_of
from gateway.store.engine import NotUnique, Row, Tx
from gateway.store.ids import new_ulid, now_us
from gateway.store.listing import Listing, Window
from gateway.store.scope import Scope

_CONTENTS = (("inbox", "inboxes", "pod_not_empty"), ("domain", "domains", "pod_has_domains"))


async def create(
    core: Core, scope: Scope, *, name: str | None = None, client_id: str | None = None
) -> tuple[Row, bool]:
    """Make a pod; answers its row and whether it is new: the same ``client_id`` answers the pod there is."""
    require(scope, "pod_create")
    if scope.pod or scope.inbox:
        raise Forbidden("only a key of the organization can make pods", fix="use a wider key")
    name, client_id = clean_text(name, "name") or None, clean_text(client_id, "client_id") or None

    def write(tx: Tx) -> tuple[Row, bool]:
        if client_id:
            held = _held(tx, scope, client_id)
            if held is not None:
                return held, False
        now = now_us()
        row = {
            "id": new_ulid(),
            "organization_id": scope.organization,
            "name": name,
            "client_id": client_id,
            "is_default": 0,
            "created_at": now,
            "updated_at": now,
        }
        tx.insert("pod", row)
        return row, True

    try:
        return await core.store.write(write)
    except NotUnique:  # PostgreSQL: another request made it between the look and the insert
        return await core.store.write(write)


def _held(tx: Tx, scope: Scope, client_id: str) -> Row | None:
    return tx.row(
        "SELECT * FROM pod WHERE organization_id = ? AND client_id = ?", scope.organization, client_id
    )


async def get(core: Core, scope: Scope, ref: str) -> Row:
    """A pod's row. Raises NotFound, Forbidden."""
    require(scope, "pod_read")
    return await core.store.read(lambda tx: find_pod(tx, scope, ref))


async def list_pods(core: Core, scope: Scope, window: Window, *, default_first: bool = False) -> Listing[Row]:
    """The pods inside the reach, newest first; ``default_first`` (offset paging only) leads with the default."""
    require(scope, "pod_read")
    where, args = "organization_id = ?", [scope.organization]
    if scope.pod:
        where, args = f"{where} AND id = ?", [*args, scope.pod]
    if scope.inbox:
        where = "organization_id = ? AND id = (SELECT pod_id FROM inbox WHERE id = ?)"
        args = [scope.organization, scope.inbox]
    lead = "is_default DESC, " if default_first else ""
    return await core.store.read(lambda tx: page_of(tx, "pod", where, args, window, lead=lead))


async def update(core: Core, scope: Scope, ref: str, changes: Row) -> Row:
    """Change ``name`` and ``client_id``: what ``changes`` does not hold stays, None clears.

    Raises NotFound, Forbidden; Conflict ``duplicate_client_id`` when another pod has the client id.
    """
    require(scope, "pod_update")
    columns: Row = {
        name: clean_text(changes[name], name) or None for name in ("name", "client_id") if name in changes
    }
    columns["updated_at"] = now_us()

    def write(tx: Tx) -> Row:
        row = find_pod(tx, scope, ref)
        tx.update("pod", "id", row["id"], columns)
        return {**row, **columns}

    try:
        return await core.store.write(write)
    except NotUnique:
        raise duplicate_client_id(columns["client_id"]) from None


def duplicate_client_id(client_id: str | None) -> Conflict:
    """The refusal of a client id that names another pod."""
    return Conflict(
        f"another pod has the client id {client_id!r}",
        code="duplicate_client_id",
        field="client_id",
        fix="choose another one, or use the pod there is: the client id is taken wherever a pod id is",
    )


async def delete(core: Core, scope: Scope, ref: str) -> None:
    """Delete an empty pod, with its keys, hooks and rules. Raises Conflict for the default or a used one."""
    require(scope, "pod_delete")

    def write(tx: Tx) -> None:
        row = find_pod(tx, scope, ref)
        if row["is_default"]:
            raise Conflict("the default pod stays", code="default_pod", fix="delete another pod")
        for table, words, code in _CONTENTS:
            if tx.value(f"SELECT 1 FROM {table} WHERE pod_id = ? LIMIT 1", row["id"]):  # noqa: S608
                raise Conflict(f"the pod has {words}", code=code, fix=f"delete its {words} first")
        tx.run("DELETE FROM api_key WHERE pod_id = ?", row["id"])
        tx.run(
            "DELETE FROM delivery WHERE webhook_id IN (SELECT id FROM webhook WHERE pod_id = ?)", row["id"]
        )
        tx.run("DELETE FROM webhook WHERE pod_id = ?", row["id"])
        tx.run("DELETE FROM list_entry WHERE pod_id = ?", row["id"])
        tx.run("DELETE FROM reputation WHERE subject = ?", row["id"])
        tx.run("DELETE FROM pod WHERE id = ?", row["id"])

    await core.store.write(write)
    core.keys.forget()
