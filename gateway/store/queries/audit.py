"""Statements about the audit log. What a transaction changes is logged by ``store.audited_sql``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.records.audit import AuditEntry
from gateway.records.ids import OrganizationId
from gateway.store.audited_sql import AuditedSql, Note
from gateway.store.listing import Listing, Window, page
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx


def list_audit(
    tx: Tx,
    scope: Scope,
    window: Window,
    *,
    about: str | None = None,
    action: str | None = None,
    since: int | None = None,
) -> Listing[AuditEntry]:
    """The organization's entries, newest first (the operator's: every one).

    ``about``: only of this type, id or name; ``action``: only this action or operation; ``since``: µs.
    """
    where, args = (
        ("1 = 1", list[object]())
        if scope.operator
        else ("organization_id = ?", list[object]([scope.organization]))
    )
    if about is not None:
        where += " AND (object_type = ? OR object_id = ? OR object_name = ?)"
        args = [*args, about, about, about]
    if action is not None:
        where, args = f"{where} AND (action = ? OR operation = ?)", [*args, action, action]
    if since is not None:
        where, args = f"{where} AND created_at >= ?", [*args, since]
    return page(tx, AuditEntry, where, args, window)


def note_action(
    tx: Tx,
    object_type: str,
    object_id: str,
    action: str,
    *,
    name: str | None = None,
    organization: OrganizationId | None = None,
    facts: dict[str, Any] | None = None,
) -> None:
    """Log an action that changes no watched row, where somebody acts. ``organization``: whose thing it is; None: the
    actor's. ``facts``: never secrets, never mail."""
    statements = sql(tx)
    if isinstance(statements, AuditedSql):
        statements.note(Note(object_type, object_id, name, action, organization or OrganizationId(""), facts))


def unscoped_forget_audit(tx: Tx, before: int, most: int) -> int:
    """Delete up to ``most`` entries older than ``before`` (µs); answers how many."""
    return sql(tx).run(
        "DELETE FROM audit_entry WHERE id IN (SELECT id FROM audit_entry WHERE created_at < ? LIMIT ?)",
        before,
        most,
    )


def unscoped_audit_like(tx: Tx, patterns: Sequence[str]) -> dict[str, str]:
    """What entries say of their objects, by id, where it is like one of the patterns (lower case, ``!`` escapes)."""
    said = (
        "object_id || ' ' || coalesce(object_name, '') || ' ' || "
        "coalesce(before_json, '') || ' ' || coalesce(after_json, '')"
    )
    where = " OR ".join([f"lower({said}) LIKE ? ESCAPE '!'"] * len(patterns))
    rows = sql(tx).rows(f"SELECT id, {said} AS said FROM audit_entry WHERE {where}", *patterns)  # noqa: S608
    return {row["id"]: row["said"] for row in rows}


def blank_audit_entry(tx: Tx, entry_id: str) -> None:
    """Forget which object an entry is about and what changed; that something was done stays."""
    sql(tx).run(
        "UPDATE audit_entry SET object_id = 'erased', object_name = NULL, before_json = NULL, after_json = NULL "
        "WHERE id = ?",
        entry_id,
    )
