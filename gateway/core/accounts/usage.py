"""Figures over time from the event log and the rows: events, usage, bounce and complaint rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.context import Core
from gateway.core.errors import Invalid
from gateway.core.lookup import find_inbox, find_pod, require
from gateway.core.webhooks.webhooks import check_types
from gateway.store.engine import Tx
from gateway.store.ids import now_us
from gateway.store.scope import Scope

_SECOND = 1_000_000
MAX_POINTS = 1000
USAGE_TYPES = ("storage_bytes", "message_count", "thread_count", "inbox_count", "pod_count", "domain_count")
RATE_TYPES = {"bounce": "message.bounced", "complaint": "message.complained"}


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when (µs, end excluded), in steps of ``period`` µs; ``window``: how far a rate looks back."""

    start: int
    end: int
    period: int
    window: int


@dataclass(frozen=True, slots=True)
class Within:
    """Whose figures: the reach of the key, or one pod or inbox of it."""

    pod: str | None = None
    inbox: str | None = None


def span(
    start: int | None, end: int | None, period: int | None, window: int | None, *, step: int = 3600
) -> Span:
    """A checked span; seconds in, µs out. By default the last week, in steps of ``step``. Raises Invalid."""
    end = now_us() if end is None else end
    start = end - 7 * 86400 * _SECOND if start is None else start
    length = (step if period is None else period) * _SECOND
    if length < 60 * _SECOND:
        raise Invalid("period is at least 60 seconds", field="period", fix="write period=3600")
    if start >= end:
        raise Invalid("start is not before end", field="start", fix="correct start or end")
    if (end - start) // length > MAX_POINTS:
        raise Invalid(
            f"that makes more than {MAX_POINTS} points", field="period", fix="ask for a longer period"
        )
    back = length if window is None else max(window, 1) * _SECOND
    if back > 400 * 86400 * _SECOND:
        raise Invalid("window is longer than 400 days", field="window", fix="write window=86400")
    return Span(start, end, length, back)


async def events(
    core: Core, scope: Scope, within: Within, over: Span, types: Sequence[str]
) -> dict[str, list[tuple[int, int]]]:
    """(start of the step in µs, how many) by event type; steps without any are left out."""
    require(scope, "metrics_read")
    wanted = check_types(types)

    def read(tx: Tx) -> dict[str, list[tuple[int, int]]]:
        where, args = _reach(tx, scope, within, "event")
        if wanted:
            where, args = f"{where} AND type IN ({', '.join('?' * len(wanted))})", [*args, *wanted]
        found: dict[str, list[tuple[int, int]]] = {one: [] for one in wanted}
        for row in tx.rows(
            "SELECT type, (created_at - ?) / ? AS step, count(*) AS n FROM event "  # noqa: S608
            f"WHERE {where} AND created_at >= ? AND created_at < ? GROUP BY 1, 2 ORDER BY 1, 2",
            over.start,
            over.period,
            *args,
            over.start,
            over.end,
        ):
            at = over.start + int(row["step"]) * over.period
            found.setdefault(row["type"], []).append((at, int(row["n"])))
        return found

    return await core.store.read(read)


async def usage(
    core: Core, scope: Scope, within: Within, over: Span, types: Sequence[str]
) -> dict[str, list[tuple[int, int]]]:
    """(time in µs, value then) by usage type, of what exists today: deleted things count nowhere."""
    require(scope, "metrics_read")
    for at, one in enumerate(types):
        if one not in USAGE_TYPES:
            raise Invalid(
                f"there is no usage type {one[:50]!r}",
                field=f"usage_types[{at}]",
                fix=f"choose from {', '.join(USAGE_TYPES)}",
            )

    def read(tx: Tx) -> dict[str, list[tuple[int, int]]]:
        return {one: _growth(tx, scope, within, over, one) for one in types or USAGE_TYPES}

    return await core.store.read(read)


def _growth(tx: Tx, scope: Scope, within: Within, over: Span, kind: str) -> list[tuple[int, int]]:
    table = "message" if kind == "storage_bytes" else kind.removesuffix("_count")
    sums = "coalesce(sum(size), 0)" if kind == "storage_bytes" else "count(*)"
    where, args = _reach(tx, scope, within, table)
    if table == "inbox":
        where += " AND status <> 'deleting'"
    value = int(
        tx.value(f"SELECT {sums} FROM {table} WHERE {where} AND created_at < ?", *args, over.start)  # noqa: S608
    )
    more = {
        int(row["step"]): int(row["n"])
        for row in tx.rows(
            f"SELECT (created_at - ?) / ? AS step, {sums} AS n FROM {table} "  # noqa: S608
            f"WHERE {where} AND created_at >= ? AND created_at < ? GROUP BY 1",
            over.start,
            over.period,
            *args,
            over.start,
            over.end,
        )
    }
    points = []
    for step in range((over.end - over.start + over.period - 1) // over.period):
        value += more.get(step, 0)
        points.append((min(over.start + (step + 1) * over.period, over.end), value))
    return points


async def rates(
    core: Core, scope: Scope, within: Within, over: Span, types: Sequence[str]
) -> dict[str, list[tuple[int, int, float | None]]]:
    """(end of the window in µs, recipients sent to, rate or None) by rate type."""
    require(scope, "metrics_read")
    for at, one in enumerate(types):
        if one not in RATE_TYPES:
            raise Invalid(
                f"there is no rate type {one[:50]!r}", field=f"rate_types[{at}]", fix="bounce or complaint"
            )

    def read(tx: Tx) -> dict[str, list[tuple[int, int, float | None]]]:
        first = over.start - over.window
        where, args = _reach(tx, scope, within, "event", "event.")
        times = " AND event.created_at >= ? AND event.created_at < ?"
        sent = tx.rows(
            "SELECT event.created_at AS at, count(*) AS n FROM event "  # noqa: S608
            "JOIN outbox_recipient ON outbox_recipient.outbox_id = event.message_id "
            f"WHERE {where}{times} AND event.type = 'message.sent' AND outbox_recipient.role <> 'sent' "
            "GROUP BY event.id, event.created_at ORDER BY 1",
            *args,
            first,
            over.end,
        )
        found: dict[str, list[tuple[int, int, float | None]]] = {}
        for one in types or RATE_TYPES:
            bad = tx.rows(
                f"SELECT created_at AS at, 1 AS n FROM event WHERE {where}{times} AND type = ? ORDER BY 1",  # noqa: S608
                *args,
                first,
                over.end,
                RATE_TYPES[one],
            )
            found[one] = []
            for step in range((over.end - over.start + over.period - 1) // over.period):
                until = min(over.start + (step + 1) * over.period, over.end)
                many, few = (
                    sum(row["n"] for row in rows if until - over.window <= row["at"] < until)
                    for rows in (sent, bad)
                )
                found[one].append((until, many, few / many if many else None))
        return found

    return await core.store.read(read)


def _reach(tx: Tx, scope: Scope, within: Within, table: str, alias: str = "") -> tuple[str, list[object]]:
    """The condition on ``table`` that keeps to the reach; what a narrow reach cannot own matches nothing."""
    pod = find_pod(tx, scope, within.pod).id if within.pod is not None else scope.pod
    inbox = scope.inbox
    if within.inbox is not None:
        inbox = find_inbox(tx, scope, within.inbox).id
    where, args = f"{alias}organization_id = ?", list[object]([scope.organization])
    if inbox is not None:
        if table in ("pod", "domain"):
            return "1 = 0", []
        return f"{where} AND {alias}{'id' if table == 'inbox' else 'inbox_id'} = ?", [*args, inbox]
    if pod is not None:
        if table == "pod":
            return f"{where} AND id = ?", [*args, pod]
        if table in ("message", "thread"):
            return f"{where} AND inbox_id IN (SELECT id FROM inbox WHERE pod_id = ?)", [*args, pod]  # noqa: S608
        return f"{where} AND {alias}pod_id = ?", [*args, pod]
    return where, args
