"""Statements that count over time: events, what there is, and mail sent and lost.

A scope may be narrowed to a pod or an inbox before; of what such a scope cannot own there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.records.ids import InboxId
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx

Measure = Literal[
    "storage_bytes", "message_count", "thread_count", "inbox_count", "pod_count", "domain_count"
]
_OF_ORGANIZATION = ("pod", "domain")
_OF_INBOXES = ("message", "thread")


@dataclass(frozen=True, slots=True)
class Steps:
    """From ``start`` to ``end`` (µs, excluded) in steps of ``period`` µs, counted from 0."""

    start: int
    end: int
    period: int


@dataclass(frozen=True, slots=True)
class Moved:
    """Mail that an inbox received or sent: how many messages, and the octets of their attachments."""

    inbox_id: InboxId
    direction: Literal["inbound", "outbound"]
    messages: int
    attachment_octets: int


def events_by_step(tx: Tx, scope: Scope, steps: Steps, types: Sequence[str]) -> list[tuple[str, int, int]]:
    """(type, step, how many) of events in time order by type; of all types when none is named."""
    where, args = _within(scope, "event")
    if types:
        where, args = f"{where} AND type IN ({', '.join('?' * len(types))})", [*args, *types]
    rows = sql(tx).rows(
        "SELECT type, (created_at - ?) / ? AS step, count(*) AS n FROM event "  # noqa: S608
        f"WHERE {where} AND created_at >= ? AND created_at < ? GROUP BY 1, 2 ORDER BY 1, 2",
        steps.start,
        steps.period,
        *args,
        steps.start,
        steps.end,
    )
    return [(row["type"], int(row["step"]), int(row["n"])) for row in rows]


def measured_before(tx: Tx, scope: Scope, measure: Measure, before: int) -> int:
    """How much there is now of what was made before ``before`` (µs)."""
    table, total, where, args = _measured(scope, measure)
    query = f"SELECT {total} FROM {table} WHERE {where} AND created_at < ?"  # noqa: S608
    return int(sql(tx).value(query, *args, before))


def measured_by_step(tx: Tx, scope: Scope, measure: Measure, steps: Steps) -> dict[int, int]:
    """How much there is now of what was made in each step; steps without any are left out."""
    table, total, where, args = _measured(scope, measure)
    rows = sql(tx).rows(
        f"SELECT (created_at - ?) / ? AS step, {total} AS n FROM {table} "  # noqa: S608
        f"WHERE {where} AND created_at >= ? AND created_at < ? GROUP BY 1",
        steps.start,
        steps.period,
        *args,
        steps.start,
        steps.end,
    )
    return {int(row["step"]): int(row["n"]) for row in rows}


def _measured(scope: Scope, measure: Measure) -> tuple[str, str, str, list[object]]:
    """Table, what is summed up of it, condition and its parameters."""
    table = "message" if measure == "storage_bytes" else measure.removesuffix("_count")
    total = "coalesce(sum(size), 0)" if measure == "storage_bytes" else "count(*)"
    where, args = _within(scope, table)
    if table == "inbox":
        where += " AND status <> 'deleting'"
    return table, total, where, args


def sent_recipients(tx: Tx, scope: Scope, start: int, end: int) -> list[tuple[int, int]]:
    """(time in µs, recipients) of each message that was sent from ``start`` until before ``end``, in time order."""
    where, args = _within(scope, "event")
    rows = sql(tx).rows(
        "SELECT event.created_at AS at, count(*) AS n FROM event "  # noqa: S608
        "JOIN outbox_recipient ON outbox_recipient.outbox_id = event.message_id "
        f"WHERE {where} AND event.created_at >= ? AND event.created_at < ? "
        "AND event.type = 'message.sent' AND outbox_recipient.role <> 'sent' "
        "GROUP BY event.id, event.created_at ORDER BY 1",
        *args,
        start,
        end,
    )
    return [(int(row["at"]), int(row["n"])) for row in rows]


def event_times(tx: Tx, scope: Scope, kind: str, start: int, end: int) -> list[int]:
    """When events of a type happened (µs) from ``start`` until before ``end``, in time order."""
    where, args = _within(scope, "event")
    rows = sql(tx).rows(
        f"SELECT event.created_at AS at FROM event WHERE {where} "  # noqa: S608
        "AND event.created_at >= ? AND event.created_at < ? AND type = ? ORDER BY 1",
        *args,
        start,
        end,
        kind,
    )
    return [int(row["at"]) for row in rows]


def _within(scope: Scope, table: str) -> tuple[str, list[object]]:
    """The condition that keeps rows of ``table`` inside the scope."""
    where, args = f"{table}.organization_id = ?", list[object]([scope.organization])
    if scope.inbox is not None:
        if table in _OF_ORGANIZATION:
            return "1 = 0", []
        return f"{where} AND {table}.{'id' if table == 'inbox' else 'inbox_id'} = ?", [*args, scope.inbox]
    if scope.pod is not None:
        if table == "pod":
            return f"{where} AND pod.id = ?", [*args, scope.pod]
        if table in _OF_INBOXES:
            return f"{where} AND inbox_id IN (SELECT id FROM inbox WHERE pod_id = ?)", [*args, scope.pod]  # noqa: S608
        return f"{where} AND {table}.pod_id = ?", [*args, scope.pod]
    return where, args


def mail_moved(tx: Tx, scope: Scope, start: int, end: int) -> list[Moved]:
    """What each inbox of the organization received and sent from ``start`` until before ``end`` (µs), filtered mail
    apart. Read off an index."""
    rows = sql(tx).rows(
        "SELECT inbox_id, direction, count(*) AS n, sum(attachment_bytes) AS octets FROM message "
        "WHERE organization_id = ? AND timestamp >= ? AND timestamp < ? AND (hidden = 0 OR NOT EXISTS "
        "(SELECT 1 FROM label WHERE label.message_id = message.id AND label.label = 'blocked')) "
        "GROUP BY inbox_id, direction",
        scope.organization,
        start,
        end,
    )
    return [Moved(row["inbox_id"], row["direction"], int(row["n"]), int(row["octets"])) for row in rows]


def stored_octets(tx: Tx, scope: Scope) -> dict[InboxId, int]:
    """The octets of the mail that each inbox of the organization holds, by the inbox's id."""
    rows = sql(tx).rows(
        "SELECT inbox_id, sum(size) AS octets FROM message WHERE organization_id = ? GROUP BY inbox_id",
        scope.organization,
    )
    return {row["inbox_id"]: int(row["octets"]) for row in rows}
