"""Statements about pods."""

from __future__ import annotations

from typing import Literal, TypedDict, Unpack

from gateway.records.accounts import Pod
from gateway.records.ids import OrganizationId, PodId
from gateway.store.listing import Listing, Window, page
from gateway.store.queries.keys import remove_pod_keys
from gateway.store.queries.webhooks import remove_webhooks_of_pod
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx


class PodChanges(TypedDict, total=False):
    """Columns of a pod that change."""

    name: str | None
    client_id: str | None
    updated_at: int


# --- of one organization ---


def pod_with_id(tx: Tx, scope: Scope, pod_id: PodId) -> Pod | None:
    """The organization's pod with this ULID."""
    return sql(tx).one(Pod, "WHERE id = ? AND organization_id = ?", pod_id, scope.organization)


def pod_with_client_id(tx: Tx, scope: Scope, client_id: str) -> Pod | None:
    """The organization's pod that was made with this ``client_id``."""
    return sql(tx).one(Pod, "WHERE client_id = ? AND organization_id = ?", client_id, scope.organization)


def default_pod_id(tx: Tx, scope: Scope) -> PodId:
    """The ULID of the organization's default pod."""
    return PodId(
        sql(tx).value("SELECT id FROM pod WHERE organization_id = ? AND is_default = 1", scope.organization)
    )


def list_pods(tx: Tx, scope: Scope, window: Window, *, default_first: bool) -> Listing[Pod]:
    """The pods that the key reaches, newest first; ``default_first`` (offset paging only) leads with the default."""
    where, args = "organization_id = ?", list[object]([scope.organization])
    if scope.pod:
        where, args = f"{where} AND id = ?", [*args, scope.pod]
    if scope.inbox:
        where = "organization_id = ? AND id = (SELECT pod_id FROM inbox WHERE id = ?)"
        args = [scope.organization, scope.inbox]
    return page(tx, Pod, where, args, window, lead="is_default DESC, " if default_first else "")


def pods_of(tx: Tx, organization: OrganizationId) -> list[Pod]:
    """Every pod of an organization, the oldest first."""
    return sql(tx).all(Pod, "WHERE organization_id = ? ORDER BY created_at", organization)


def pod_has(tx: Tx, pod_id: PodId, what: Literal["inbox", "domain"]) -> bool:
    """Whether a pod has an inbox, or a domain."""
    return sql(tx).value(f"SELECT 1 FROM {what} WHERE pod_id = ? LIMIT 1", pod_id) is not None  # noqa: S608


# --- of any organization ---


def unscoped_pod(tx: Tx, pod_id: PodId | None) -> Pod | None:
    """A pod by its ULID."""
    return sql(tx).one(Pod, "WHERE id = ?", pod_id)


# --- changes ---


def add_pod(tx: Tx, pod: Pod) -> None:
    """Note a new pod. Raises NotUnique when another pod of the organization has its ``client_id``."""
    sql(tx).add(pod)


def change_pod(tx: Tx, pod_id: PodId, **changes: Unpack[PodChanges]) -> None:
    """Change columns of a pod. Raises NotUnique as ``add_pod``."""
    sql(tx).update("pod", "id", pod_id, dict(changes))


def remove_pod(tx: Tx, pod_id: PodId) -> None:
    """Delete an empty pod with its keys, webhooks, lists, policy, reputation and pauses."""
    remove_pod_keys(tx, pod_id)
    remove_webhooks_of_pod(tx, pod_id)
    sql(tx).run("DELETE FROM list_entry WHERE pod_id = ?", pod_id)
    sql(tx).run("DELETE FROM policy WHERE pod_id = ?", pod_id)
    sql(tx).run("DELETE FROM reputation WHERE subject = ?", pod_id)
    sql(tx).run("DELETE FROM pause WHERE subject = ?", pod_id)
    sql(tx).run("DELETE FROM pod WHERE id = ?", pod_id)
