"""Statements about the entries of allow and block lists, and about the modes beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from gateway.records.ids import RULE_ID, InboxId, OrganizationId, PodId, RuleId, now_us
from gateway.records.lists import Action, Direction, ListEntry, Mode
from gateway.store.listing import Listing, Window, page
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_ACTIONS: tuple[Action, ...] = ("allow", "block")


@dataclass(frozen=True, slots=True)
class ListOwner:
    """Whose lists of a direction are meant: those of exactly this inbox, else of this pod, else of the organization."""

    organization_id: OrganizationId
    pod_id: PodId | None
    inbox_id: InboxId | None
    direction: Direction

    def where(self, list_type: Action | Literal["mode"]) -> tuple[str, list[object]]:
        """The condition on one of its lists, and its parameters."""
        columns = {
            "organization_id": self.organization_id,
            "pod_id": self.pod_id,
            "inbox_id": self.inbox_id,
            "direction": self.direction,
            "list_type": list_type,
        }
        where = [f"{name} IS NULL" if value is None else f"{name} = ?" for name, value in columns.items()]
        return " AND ".join(where), [value for value in columns.values() if value is not None]


# --- of one owner ---


def list_entries(tx: Tx, owner: ListOwner, action: Action, window: Window) -> Listing[ListEntry]:
    """The entries of one list."""
    return page(tx, ListEntry, *owner.where(action), window)


def find_entry(tx: Tx, owner: ListOwner, action: Action, entry: str) -> ListEntry | None:
    """The entry of a list that is this address or domain."""
    where, args = owner.where(action)
    return sql(tx).one(ListEntry, f"WHERE {where} AND entry = ?", *args, entry)


def put_entry(
    tx: Tx,
    owner: ListOwner,
    action: Action,
    entry: str,
    entry_type: Literal["email", "domain"],
    reason: str | None,
) -> tuple[ListEntry, bool]:
    """Put an address or a domain on a list; answers its entry, and whether it was made now."""
    held = find_entry(tx, owner, action, entry)
    if held is not None:
        return held, False
    made = _entry(owner, action, entry, entry_type, reason)
    sql(tx).add(made)
    return made, True


def entries_of(tx: Tx, owner: ListOwner) -> list[ListEntry]:
    """The entries of its allow list and its block list, in the order of their text."""
    both = [entry for action in _ACTIONS for entry in _entries(tx, owner, action)]
    return sorted(both, key=lambda entry: (entry.list_type, entry.entry))


def replace_entries(
    tx: Tx, owner: ListOwner, wanted: Sequence[tuple[Action, str, Literal["email", "domain"]]]
) -> None:
    """Make exactly these its allow list and its block list; an entry that stays keeps its id and reason."""
    named = {(action, entry) for action, entry, _ in wanted}
    for held in entries_of(tx, owner):
        if (held.list_type, held.entry) not in named:
            remove_entry(tx, held)
    for action, entry, kind in wanted:
        put_entry(tx, owner, action, entry, kind, None)


def _entries(tx: Tx, owner: ListOwner, action: Action) -> list[ListEntry]:
    where, args = owner.where(action)
    return sql(tx).all(ListEntry, f"WHERE {where}", *args)


def mode_of(tx: Tx, owner: ListOwner) -> Mode | None:
    """The mode that was set for an allow list."""
    where, args = owner.where("mode")
    return cast(Mode | None, sql(tx).value(f"SELECT entry FROM list_entry WHERE {where}", *args))  # noqa: S608


def allows_anybody(tx: Tx, owner: ListOwner) -> bool:
    """Whether an allow list has an entry."""
    where, args = owner.where("allow")
    return sql(tx).value(f"SELECT 1 FROM list_entry WHERE {where} LIMIT 1", *args) is not None  # noqa: S608


def set_mode(tx: Tx, owner: ListOwner, mode: Mode) -> None:
    """Set the mode of an allow list."""
    where, args = owner.where("mode")
    sql(tx).run(f"DELETE FROM list_entry WHERE {where}", *args)  # noqa: S608
    sql(tx).add(_entry(owner, "mode", mode, "mode", None))


def drop_mode(tx: Tx, owner: ListOwner, mode: Mode) -> None:
    """Take the mode of an allow list away, if it is this one."""
    where, args = owner.where("mode")
    sql(tx).run(f"DELETE FROM list_entry WHERE {where} AND entry = ?", *args, mode)  # noqa: S608


def _entry(
    owner: ListOwner,
    list_type: Action | Literal["mode"],
    entry: str,
    entry_type: Literal["email", "domain", "mode"],
    reason: str | None,
) -> ListEntry:
    return ListEntry(
        id=RULE_ID.new(),
        organization_id=owner.organization_id,
        pod_id=owner.pod_id,
        inbox_id=owner.inbox_id,
        direction=owner.direction,
        list_type=list_type,
        entry=entry,
        entry_type=entry_type,
        reason=reason,
        created_at=now_us(),
    )


# --- of one organization ---


def list_rules(
    tx: Tx, scope: Scope, window: Window, *, inbox_id: InboxId | None, action: Action | None
) -> Listing[ListEntry]:
    """The entries of the receive lists that the key reaches, of one inbox or one action."""
    where, args = _rules(scope)
    for column, value in (("inbox_id", inbox_id), ("list_type", action)):
        if value is not None:
            where, args = f"{where} AND {column} = ?", [*args, value]
    return page(tx, ListEntry, where, args, window)


def remove_rule(tx: Tx, scope: Scope, entry_id: RuleId | None) -> bool:
    """Delete an entry of the receive lists that the key reaches; False when there is none."""
    where, args = _rules(scope)
    return sql(tx).run(f"DELETE FROM list_entry WHERE {where} AND id = ?", *args, entry_id) > 0  # noqa: S608


def organization_list_entries(tx: Tx, organization: OrganizationId) -> list[ListEntry]:
    """Every entry of an organization and of its pods and inboxes, modes among them, oldest first."""
    return sql(tx).all(ListEntry, "WHERE organization_id = ? ORDER BY created_at", organization)


def _rules(scope: Scope) -> tuple[str, list[object]]:
    where = "organization_id = ? AND direction = 'receive' AND list_type IN ('allow', 'block')"
    args: list[object] = [scope.organization]
    for column, value in (("pod_id", scope.pod), ("inbox_id", scope.inbox)):
        if value:
            where, args = f"{where} AND {column} = ?", [*args, value]
    return where, args


# --- changes ---


def remove_entry(tx: Tx, entry: ListEntry) -> None:
    """Take an entry off its list."""
    sql(tx).run("DELETE FROM list_entry WHERE id = ?", entry.id)
