"""The statements of a transaction that somebody asked for: what they change of ``audited_tables`` goes into the audit
log, in the same transaction.

Rows are read before an UPDATE or DELETE and after it, by the statement's own condition; what a transaction does to a
row several times is one entry, from what it was at first to what it is at last. A statement that touches no watched
column costs a look into a cache.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import peewee

from gateway.records.ids import AUDIT_ID, OrganizationId, now_us
from gateway.store.acting import Actor
from gateway.store.audited_tables import AUDITED, Audited, Row, shown
from gateway.store.sealing import Sealer
from gateway.store.sql import Sql

_MOST_ROWS = 100
_MOST_ENTRIES = 200
_CHANGE = re.compile(r'(?:UPDATE "?(\w+)"? SET (.*?)|DELETE FROM "?(\w+)"?)(?: WHERE (.*))?', re.S)
_COLUMN = re.compile(r'"?(\w+)"? = ')


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to read the rows that a statement is about: its condition, and how many parameters that has."""

    kind: Audited
    deletes: bool
    where: str
    marks: int


@dataclass(slots=True)
class _Change:
    """A row before and after; None where it was not there."""

    kind: Audited
    before: Row | None
    after: Row | None


@dataclass(frozen=True, slots=True)
class Note:
    """An action that changes no watched row."""

    object_type: str
    object_id: str
    object_name: str | None
    action: str
    organization: OrganizationId
    after: dict[str, Any] | None


@lru_cache(maxsize=1024)
def _plan(query: str) -> _Plan | None:
    found = _CHANGE.fullmatch(query) if query.startswith(("UPDATE", "DELETE")) else None
    kind = AUDITED.get(found[1] or found[3]) if found else None
    if found is None or kind is None:
        return None
    deletes = found[3] is not None
    if not deletes and kind.watched.isdisjoint(_COLUMN.findall(found[2])):
        return None
    where = found[4] or "1 = 1"
    return _Plan(kind, deletes, where, where.count("?"))


class AuditedSql(Sql):
    """Statements whose changes are written into the audit log by ``finish``."""

    def __init__(self, db: Any, sealer: Sealer | None, actor: Actor) -> None:
        super().__init__(db, sealer)
        self._actor = actor
        self._changes: dict[tuple[str, tuple[Any, ...]], _Change] = {}
        self._notes: list[Note] = []

    def run(self, query: str | peewee.Query, *args: object) -> int:
        plan = _plan(query) if isinstance(query, str) else None
        if plan is None:
            return super().run(query, *args)
        before = self._read(plan.kind, plan.where, args[len(args) - plan.marks :])
        touched = super().run(query, *args)
        for row in before if touched else ():
            self._note(plan.kind, row, None if plan.deletes else self._again(plan.kind, row))
        return touched

    def insert(self, table: str, values: dict[str, Any], *, ignore: bool = False) -> int:
        added = super().insert(table, values, ignore=ignore)
        kind = AUDITED.get(table)
        if added and kind is not None and kind.creation:
            self._note(kind, None, values)
        return added

    def note(self, note: Note) -> None:
        """Log an action that changes no row of ours."""
        self._notes.append(note)

    def finish(self) -> None:
        """Write the log's entries."""
        home = self._home()
        entries = [entry for change in self._changes.values() if (entry := self._entry(change, home))]
        self._changes = {}
        left = len(entries) - _MOST_ENTRIES
        for entry in entries[:_MOST_ENTRIES]:
            self._write(**entry)
        if left > 0:
            self._write(
                organization_id=home,
                action="more",
                object_type="entries",
                object_id=str(left),
                object_name=f"{left} more changes of this transaction are not listed",
            )
        for note in self._notes:
            if note.organization not in ("", home) and self._actor.kind != "operator":
                continue
            self._write(
                organization_id=note.organization or home,
                action=note.action,
                object_type=note.object_type,
                object_id=note.object_id,
                object_name=note.object_name,
                after=note.after,
            )
        self._notes = []

    def _read(self, kind: Audited, where: str, args: Sequence[object]) -> list[dict[str, Any]]:
        return self.rows(
            f'SELECT {kind.selected} FROM "{kind.table}" WHERE {where} LIMIT {_MOST_ROWS + 1}',  # noqa: S608
            *args,
        )

    def _again(self, kind: Audited, row: Row) -> dict[str, Any] | None:
        where = " AND ".join(f'"{name}" = ?' for name in kind.key)
        found = self._read(kind, where, [row[name] for name in kind.key])
        return found[0] if found else None

    def _note(self, kind: Audited, before: Row | None, after: Row | None) -> None:
        row = before or after
        if row is None:
            return
        identity = (kind.table, tuple(row.get(name) for name in kind.key))
        known = self._changes.get(identity)
        if known is None:
            self._changes[identity] = _Change(kind, before, after)
        else:
            known.after = after

    def _home(self) -> OrganizationId:
        """Whose the rows are that do not say it: the actor's organization; of what the operator does that of the other
        rows, and of a registration the new one."""
        if self._actor.kind == "key":
            return self._actor.organization
        owners = [owner for change in self._changes.values() if (owner := _owner(change))]
        new = [_owner(one) for one in self._changes.values() if one.kind.table == "organization"]
        return next(iter([*new, *owners]), self._actor.organization)

    def _entry(self, change: _Change, home: OrganizationId) -> dict[str, Any] | None:
        kind, before, after = change.kind, change.before, change.after
        row = after or before
        if row is None:
            return None
        owner = _owner(change) or home
        if owner != home and self._actor.kind != "operator":
            return None  # what follows from it for others is not theirs to see: who did it is a stranger
        old: dict[str, Any] | None
        new: dict[str, Any] | None
        if before is not None and after is not None:
            differing = tuple(name for name in kind.columns if before.get(name) != after.get(name))
            veiled = [name for name in kind.veiled if before.get(name) != after.get(name)]
            passed = [(name, before.get(name)) in kind.passing for name in differing]
            if all(passed) and not veiled:
                return None
            action, old, new = "changed", shown(before, differing), shown(after, differing)
            if old == new:  # of a URL only the host is shown
                veiled += differing
            new |= {name.removesuffix("_json"): "(changed)" for name in veiled}
        elif after is not None:
            action, old, new = "created", None, shown(after, kind.columns)
        else:
            action, old, new = "deleted", shown(row, kind.columns), None
        name = row.get(kind.name) if kind.name else None
        return {
            "organization_id": owner,
            "action": action,
            "object_type": kind.object_type,
            "object_id": kind.public(row[kind.key[0]]),
            "object_name": None if name is None else str(name)[:500],
            "before": old,
            "after": new,
        }

    def _write(
        self,
        *,
        organization_id: str,
        action: str,
        object_type: str,
        object_id: str,
        object_name: str | None,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        actor = self._actor
        super().insert(
            "audit_entry",
            {
                "id": AUDIT_ID.new(),
                "organization_id": organization_id,
                "created_at": now_us(),
                "actor": actor.kind,
                "key_id": actor.key_id,
                "via": actor.via,
                "operation": actor.operation,
                "ip": actor.ip,
                "request_id": actor.request_id,
                "action": action,
                "object_type": object_type,
                "object_id": object_id,
                "object_name": object_name,
                "before_json": _json(before),
                "after_json": _json(after),
            },
        )


def _owner(change: _Change) -> OrganizationId:
    row = change.after or change.before or {}
    column = "id" if change.kind.table == "organization" else "organization_id"
    return OrganizationId(row.get(column) or "")


def _json(facts: dict[str, Any] | None) -> str | None:
    return None if facts is None else msgspec.json.encode(facts).decode()
