"""Metrics over time: events, usage and rates of the organization, a pod or an inbox."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.api.routing import Call, NoBody, Table
from gateway.api.times import iso_of, parse_time
from gateway.core.access import reads
from gateway.core.accounts import usage

table = Table("metrics")

Doc = msgspec.Meta


class Query(msgspec.Struct, kw_only=True):
    start: Annotated[str | None, Doc(description="default: a week before end")] = None
    end: Annotated[str | None, Doc(description="default: now")] = None
    start_timestamp: Annotated[str | None, Doc(description="the same as start, for older SDKs")] = None
    end_timestamp: Annotated[str | None, Doc(description="the same as end, for older SDKs")] = None
    period: Annotated[int | None, Doc(description="length of a period in seconds")] = None
    limit: Annotated[int | None, Doc(description="at most so many points of each type, the newest ones")] = (
        None
    )
    descending: Annotated[bool, Doc(description="newest first")] = False


class EventsQuery(Query):
    event_types: list[str] | None = None


class UsageQuery(Query):
    usage_types: list[str] | None = None


class RatesQuery(Query):
    rate_types: list[str] | None = None
    window: Annotated[
        int | None, Doc(description="seconds before each point that count; default: the period")
    ] = None


class Count(msgspec.Struct):
    """A count in one period."""

    timestamp: str
    count: int


class Value(msgspec.Struct):
    """A count at the end of one period."""

    timestamp: str
    value: int


class Rate(msgspec.Struct):
    """A rate at one time."""

    timestamp: str
    sent: int
    rate: float | None


def _also(path: str) -> list[str]:
    return [f"/pods/{{pod_id}}{path}", f"/inboxes/{{inbox_id}}{path}"]


def _within(call: Call[Any, Any]) -> usage.Within:
    return usage.Within(call.ids.get("pod_id"), call.ids.get("inbox_id"))


def _span(query: Query, step: int, window: int | None = None) -> usage.Span:
    start = parse_time(query.start or query.start_timestamp, "start")
    end = parse_time(query.end or query.end_timestamp, "end")
    return usage.span(start, end, query.period, window, step=step)


def _cut(points: list[Any], query: Query) -> list[Any]:
    kept = points[-query.limit :] if query.limit is not None and query.limit > 0 else points
    return kept[::-1] if query.descending else kept


_EVENTS = ["/metrics", *_also("/metrics"), *_also("/metrics/events")]
"""Older SDKs ask without the last word."""


@table.get("/metrics/events", also=_EVENTS, access=reads("metrics_read"))
async def query_events(call: Call[NoBody, EventsQuery]) -> dict[str, list[Count]]:
    """Count the events of each type in each period."""
    query = call.query
    found = await usage.events(
        call.core, call.scope, _within(call), _span(query, 3600), query.event_types or ()
    )
    return {kind: _cut([Count(iso_of(at), n) for at, n in rows], query) for kind, rows in found.items()}


@table.get("/metrics/usage", also=_also("/metrics/usage"), access=reads("metrics_read"))
async def query_usage(call: Call[NoBody, UsageQuery]) -> dict[str, list[Value]]:
    """Count what existed at the end of each period (of what exists today)."""
    query = call.query
    found = await usage.usage(
        call.core, call.scope, _within(call), _span(query, 86400), query.usage_types or ()
    )
    return {kind: _cut([Value(iso_of(at), n) for at, n in rows], query) for kind, rows in found.items()}


@table.get("/metrics/rates", also=_also("/metrics/rates"), access=reads("metrics_read"))
async def query_rates(call: Call[NoBody, RatesQuery]) -> dict[str, list[Rate]]:
    """Bounced and complained messages divided by messages sent, over the window before each point."""
    query = call.query
    over = _span(query, 86400, query.window)
    found = await usage.rates(call.core, call.scope, _within(call), over, query.rate_types or ())
    return {
        kind: _cut([Rate(iso_of(at), n, rate) for at, n, rate in rows], query) for kind, rows in found.items()
    }
