"""Statements about inboxes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict, Unpack

from gateway.records.ids import InboxId, OrganizationId, PodId
from gateway.records.inboxes import Inbox, InboxStatus
from gateway.store.like import containing
from gateway.store.listing import Listing, Window, page
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_THERE = "status <> 'deleting'"
_RUNNING = "status IN ('active', 'suspended')"
_MAX_ADDRESS = 320


class InboxChanges(TypedDict, total=False):
    """Columns of an inbox that change."""

    display_name: str | None
    metadata_json: str
    status: InboxStatus
    quota: int | None
    updated_at: int


def _folded(address: str) -> str:
    return address.strip().lower()[:_MAX_ADDRESS].replace("\x00", "")


# --- of one organization ---


def numbered_inbox(tx: Tx, scope: Scope, number: int) -> Inbox | None:
    """The organization's inbox with this number."""
    return sql(tx).one(Inbox, "WHERE number = ? AND organization_id = ?", number, scope.organization)


def inboxes_in_reach(tx: Tx, scope: Scope, most: int) -> list[Inbox]:
    """The newest ``most`` inboxes that the key reaches."""
    where, args = scope.inbox_where("inbox")
    return sql(tx).all(
        Inbox, f"WHERE {where} AND {_THERE} ORDER BY created_at DESC, id DESC LIMIT ?", *args, most
    )


def inbox_ids_in_reach(tx: Tx, scope: Scope) -> list[InboxId]:
    """The id of every inbox that the key reaches."""
    where, args = scope.inbox_where("inbox")
    return [row["id"] for row in sql(tx).rows(f"SELECT id FROM inbox WHERE {where} AND {_THERE}", *args)]  # noqa: S608


def inbox_addresses_in_reach(tx: Tx, scope: Scope) -> dict[InboxId, str]:
    """The address of every inbox that the key reaches, by id, newest first."""
    where, args = scope.inbox_where("inbox")
    rows = sql(tx).rows(
        f"SELECT id, address FROM inbox WHERE {where} AND {_THERE} ORDER BY created_at DESC, id DESC",  # noqa: S608
        *args,
    )
    return {row["id"]: row["address"] for row in rows}


def list_inboxes(
    tx: Tx, scope: Scope, window: Window, *, pod: PodId | None, text: str | None
) -> Listing[Inbox]:
    """The inboxes that the key reaches, of one pod, or with ``text`` in its address or display name."""
    where, args = scope.inbox_where("inbox")
    where += f" AND {_THERE}"
    if pod is not None:
        where, args = f"{where} AND pod_id = ?", [*args, pod]
    if text is not None:
        where += " AND (address LIKE ? ESCAPE '!' OR lower(coalesce(display_name, '')) LIKE ? ESCAPE '!')"
        args = [*args, *[containing(text)] * 2]
    return page(tx, Inbox, where, args, window)


def inboxes_with_client_id(tx: Tx, scope: Scope, client_id: str) -> list[Inbox]:
    """The organization's inboxes that were made with this ``client_id``."""
    return sql(tx).all(
        Inbox, f"WHERE organization_id = ? AND client_id = ? AND {_THERE}", scope.organization, client_id
    )


def inbox_count(tx: Tx, organization: OrganizationId) -> int:
    """How many inboxes an organization has."""
    query = f"SELECT count(*) FROM inbox WHERE organization_id = ? AND {_THERE}"  # noqa: S608
    return int(sql(tx).value(query, organization))


def oldest_running_inbox(tx: Tx, organization: OrganizationId, pod: PodId | None) -> Inbox | None:
    """The first inbox of a pod, or of the whole organization, whose mailbox is read."""
    narrowed, args = (" AND pod_id = ?", [pod]) if pod else ("", [])
    return sql(tx).one(
        Inbox,
        f"WHERE organization_id = ?{narrowed} AND {_RUNNING} ORDER BY created_at, id LIMIT 1",
        organization,
        *args,
    )


# --- of one inbox ---


def stored_octets(tx: Tx, inbox_id: InboxId) -> int:
    """What the messages of an inbox come to."""
    return int(sql(tx).value("SELECT coalesce(sum(size), 0) FROM message WHERE inbox_id = ?", inbox_id))


# --- of any organization ---


def unscoped_inbox(tx: Tx, inbox_id: InboxId) -> Inbox | None:
    """An inbox by its ULID, also one that is being made or removed."""
    return sql(tx).one(Inbox, "WHERE id = ?", inbox_id)


def unscoped_lasting_inbox(tx: Tx, inbox_id: InboxId) -> Inbox | None:
    """An inbox by its ULID; None when it is gone or going."""
    return sql(tx).one(Inbox, f"WHERE id = ? AND {_THERE}", inbox_id)


def unscoped_inbox_at(tx: Tx, address: str) -> Inbox | None:
    """The inbox with this address (not an alias), also one that is being made or removed."""
    return sql(tx).one(Inbox, "WHERE address = ?", _folded(address))


def unscoped_inbox_named(tx: Tx, inbox_id: InboxId | None, address: str) -> Inbox | None:
    """An inbox by its ULID or address."""
    return sql(tx).one(Inbox, f"WHERE (id = ? OR address = ?) AND {_THERE}", inbox_id or "", _folded(address))


def unscoped_running_inbox_at(tx: Tx, address: str) -> Inbox | None:
    """The inbox whose mailbox has this address, if mail is read from it."""
    return sql(tx).one(Inbox, f"WHERE address = ? AND {_RUNNING}", address)


def is_inbox_running(tx: Tx, inbox_id: InboxId) -> bool:
    """Whether mail is read from the mailbox of an inbox."""
    return sql(tx).value(f"SELECT 1 FROM inbox WHERE id = ? AND {_RUNNING}", inbox_id) is not None  # noqa: S608


def unscoped_running_inboxes(tx: Tx) -> list[Inbox]:
    """Every inbox whose mailbox is read, by address."""
    return sql(tx).all(Inbox, f"WHERE {_RUNNING} ORDER BY address")


def unscoped_inboxes(tx: Tx) -> list[Inbox]:
    """Every inbox that is not being removed, by id."""
    return sql(tx).all(Inbox, f"WHERE {_THERE} ORDER BY id")


def unscoped_inboxes_being(tx: Tx, status: InboxStatus) -> list[Inbox]:
    """Every inbox in this status."""
    return sql(tx).all(Inbox, "WHERE status = ?", status)


def unscoped_inboxes_of(tx: Tx, organization: OrganizationId) -> list[Inbox]:
    """Every inbox of an organization, also those that are being made or removed."""
    return sql(tx).all(Inbox, "WHERE organization_id = ?", organization)


def unscoped_inbox_addresses(tx: Tx, inbox_ids: Iterable[InboxId]) -> dict[InboxId, str]:
    """Addresses by inbox id."""
    ids = list(inbox_ids)
    marks = ", ".join("?" * len(ids))
    rows = sql(tx).rows(f"SELECT id, address FROM inbox WHERE id IN ({marks})", *ids) if ids else []  # noqa: S608
    return {row["id"]: row["address"] for row in rows}


def unscoped_addresses(tx: Tx) -> list[str]:
    """The address of every inbox, also of those that are being made or removed."""
    return [row["address"] for row in sql(tx).rows("SELECT address FROM inbox")]


def unscoped_busiest_addresses(tx: Tx, most: int | None = None) -> list[str]:
    """Addresses of inboxes whose mailbox is read, those with mail lately first; with ``most`` active ones only."""
    if most is None:
        query, args = f"SELECT address FROM inbox WHERE {_RUNNING} ORDER BY active_at DESC", []  # noqa: S608
    else:
        query, args = (
            "SELECT address FROM inbox WHERE status = 'active' ORDER BY active_at DESC LIMIT ?",
            [most],
        )
    return [row["address"] for row in sql(tx).rows(query, *args)]


def unscoped_inbox_total(tx: Tx) -> int:
    """How many inboxes there are."""
    return int(sql(tx).value(f"SELECT count(*) FROM inbox WHERE {_THERE}"))  # noqa: S608


def unscoped_quotas(tx: Tx) -> dict[str, int]:
    """The quota of every inbox that has one of its own, by address."""
    rows = sql(tx).rows(f"SELECT address, quota FROM inbox WHERE quota IS NOT NULL AND {_THERE}")  # noqa: S608
    return {row["address"]: row["quota"] for row in rows}


def unscoped_inbox_in_domain(tx: Tx, domain: str, outside_pod: str | None = None) -> bool:
    """Whether a domain has an inbox; ``outside_pod``: one in another pod than this."""
    if outside_pod is None:
        return sql(tx).value("SELECT 1 FROM inbox WHERE domain = ? LIMIT 1", domain) is not None
    query = "SELECT 1 FROM inbox WHERE domain = ? AND pod_id <> ? LIMIT 1"
    return sql(tx).value(query, domain, outside_pod) is not None


def unscoped_domain_inbox_count(tx: Tx, domain: str) -> int:
    """How many inboxes a domain has."""
    return int(sql(tx).value("SELECT count(*) FROM inbox WHERE domain = ?", domain))


# --- changes ---


def add_inbox(tx: Tx, inbox: Inbox) -> None:
    """Note a new inbox. Raises NotUnique when its address is taken."""
    sql(tx).add(inbox)


def change_inbox(tx: Tx, inbox_id: InboxId, **changes: Unpack[InboxChanges]) -> None:
    """Change columns of an inbox."""
    sql(tx).update("inbox", "id", inbox_id, dict(changes))


def activate_inbox(tx: Tx, inbox_id: InboxId) -> bool:
    """End the making of an inbox; False when somebody else did."""
    return (
        sql(tx).run("UPDATE inbox SET status = 'active' WHERE id = ? AND status = 'creating'", inbox_id) > 0
    )


def lock_inbox(tx: Tx, inbox_id: InboxId) -> None:
    """Make other transactions that send from this inbox or index its mail wait for this one; SQLite has one writer at a
    time anyway."""
    if tx.postgres:
        sql(tx).row("SELECT id FROM inbox WHERE id = ? FOR UPDATE", inbox_id)


def touch_inbox(tx: Tx, inbox_id: InboxId, at: int) -> None:
    """Note that mail came or went at ``at`` (µs)."""
    sql(tx).run("UPDATE inbox SET active_at = ? WHERE id = ? AND active_at < ?", at, inbox_id, at)


def remove_inbox(tx: Tx, inbox_id: InboxId) -> bool:
    """Delete the row of an inbox; False when it is gone."""
    return sql(tx).run("DELETE FROM inbox WHERE id = ?", inbox_id) > 0
