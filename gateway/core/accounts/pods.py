"""Pods: groups of inboxes within an organization. Each organization has one default pod, which stays."""

from __future__ import annotations

from typing import Literal, TypedDict

from msgspec.structs import replace

from gateway.core.context import Core
from gateway.core.errors import Conflict, Forbidden
from gateway.core.lookup import find_pod, require
from gateway.core.text import clean_text
from gateway.records.accounts import Pod
from gateway.records.ids import POD_ID, now_us
from gateway.store.engine import NotUnique
from gateway.store.listing import Listing, Window
from gateway.store.queries import pods as pod_queries
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

_CONTENTS: tuple[tuple[Literal["inbox", "domain"], str, str], ...] = (
    ("inbox", "inboxes", "pod_not_empty"),
    ("domain", "domains", "pod_has_domains"),
)


async def create(
    core: Core, scope: Scope, *, name: str | None = None, client_id: str | None = None
) -> tuple[Pod, bool]:
    """Make a pod; answers it and whether it is new: the same ``client_id`` answers the pod there is."""
    require(scope, "pod_create")
    if scope.pod or scope.inbox:
        raise Forbidden("only a key of the organization can make pods", fix="use a wider key")
    name, client_id = clean_text(name, "name") or None, clean_text(client_id, "client_id") or None

    def write(tx: Tx) -> tuple[Pod, bool]:
        if client_id:
            held = pod_queries.pod_with_client_id(tx, scope, client_id)
            if held is not None:
                return held, False
        now = now_us()
        pod = Pod(
            id=POD_ID.new(),
            organization_id=scope.organization,
            name=name,
            client_id=client_id,
            is_default=False,
            created_at=now,
            updated_at=now,
        )
        pod_queries.add_pod(tx, pod)
        return pod, True

    try:
        return await core.store.write(write)
    except NotUnique:  # PostgreSQL: another request made it between the query and the insert
        return await core.store.write(write)


async def get(core: Core, scope: Scope, ref: str) -> Pod:
    """A pod. Raises NotFound, Forbidden."""
    require(scope, "pod_read")
    return await core.store.read(lambda tx: find_pod(tx, scope, ref))


async def list_pods(core: Core, scope: Scope, window: Window, *, default_first: bool = False) -> Listing[Pod]:
    """The pods inside the reach, newest first; ``default_first`` (offset paging only) leads with the default."""
    require(scope, "pod_read")
    return await core.store.read(
        lambda tx: pod_queries.list_pods(tx, scope, window, default_first=default_first)
    )


class PodUpdate(TypedDict, total=False):
    """What :func:`update` changes; what is left out stays."""

    name: str | None
    client_id: str | None


async def update(core: Core, scope: Scope, ref: str, changes: PodUpdate) -> Pod:
    """Change ``name`` and ``client_id``: what ``changes`` does not hold stays, None clears.

    Raises NotFound, Forbidden; Conflict ``duplicate_client_id`` when another pod has the client id.
    """
    require(scope, "pod_update")
    columns = pod_queries.PodChanges(updated_at=now_us())
    if "name" in changes:
        columns["name"] = clean_text(changes["name"], "name") or None
    if "client_id" in changes:
        columns["client_id"] = clean_text(changes["client_id"], "client_id") or None

    def write(tx: Tx) -> Pod:
        pod = find_pod(tx, scope, ref)
        pod_queries.change_pod(tx, pod.id, **columns)
        return replace(pod, **columns)

    try:
        return await core.store.write(write)
    except NotUnique:
        raise duplicate_client_id(columns.get("client_id")) from None


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
        pod = find_pod(tx, scope, ref)
        if pod.is_default:
            raise Conflict("the default pod stays", code="default_pod", fix="delete another pod")
        for what, words, code in _CONTENTS:
            if pod_queries.pod_has(tx, pod.id, what):
                raise Conflict(f"the pod has {words}", code=code, fix=f"delete its {words} first")
        pod_queries.remove_pod(tx, pod.id)

    await core.store.write(write)
    core.keys.forget()
