"""Figures over time from the event log and the rows: events, usage, bounce and complaint rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from gateway.core.context import Core
from gateway.core.errors import Invalid
from gateway.core.lookup import find_inbox, find_pod, require
from gateway.core.webhooks.webhooks import check_types
from gateway.records.ids import now_us
from gateway.store.queries.usage import (
    Measure,
    Steps,
    event_times,
    events_by_step,
    measured_before,
    measured_by_step,
    sent_recipients,
)
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

_SECOND = 1_000_000
MAX_POINTS = 1000
USAGE_TYPES: tuple[Measure, ...] = get_args(Measure)
RATE_TYPES = {"bounce": "message.bounced", "complaint": "message.complained"}


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when (µs, end excluded), in steps of ``period`` µs; ``window``: how far a rate looks back."""

    start: int
    end: int
    period: int
    window: int

    @property
    def steps(self) -> Steps:
        """Its steps, without the window."""
        return Steps(self.start, self.end, self.period)


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
        found: dict[str, list[tuple[int, int]]] = {one: [] for one in wanted}
        for kind, step, count in events_by_step(tx, _narrowed(tx, scope, within), over.steps, wanted):
            found.setdefault(kind, []).append((over.start + step * over.period, count))
        return found

    return await core.store.read(read)


async def usage(
    core: Core, scope: Scope, within: Within, over: Span, types: Sequence[str]
) -> dict[str, list[tuple[int, int]]]:
    """(time in µs, value then) by usage type, of what exists today: deleted things count nowhere."""
    require(scope, "metrics_read")
    measures = [_measure(at, one) for at, one in enumerate(types)] or USAGE_TYPES

    def read(tx: Tx) -> dict[str, list[tuple[int, int]]]:
        narrowed = _narrowed(tx, scope, within)
        return {one: _growth(tx, narrowed, over, one) for one in measures}

    return await core.store.read(read)


def _measure(at: int, name: str) -> Measure:
    """The usage type that is called ``name``, the ``at``-th asked for. Raises Invalid."""
    for one in USAGE_TYPES:
        if one == name:
            return one
    raise Invalid(
        f"there is no usage type {name[:50]!r}",
        field=f"usage_types[{at}]",
        fix=f"choose from {', '.join(USAGE_TYPES)}",
    )


def _growth(tx: Tx, scope: Scope, over: Span, measure: Measure) -> list[tuple[int, int]]:
    value = measured_before(tx, scope, measure, over.start)
    more = measured_by_step(tx, scope, measure, over.steps)
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
        first, narrowed = over.start - over.window, _narrowed(tx, scope, within)
        sent = sent_recipients(tx, narrowed, first, over.end)
        found: dict[str, list[tuple[int, int, float | None]]] = {}
        for one in types or RATE_TYPES:
            bad = [(at, 1) for at in event_times(tx, narrowed, RATE_TYPES[one], first, over.end)]
            found[one] = []
            for step in range((over.end - over.start + over.period - 1) // over.period):
                until = min(over.start + (step + 1) * over.period, over.end)
                many, few = (
                    sum(count for at, count in counts if until - over.window <= at < until)
                    for counts in (sent, bad)
                )
                found[one].append((until, many, few / many if many else None))
        return found

    return await core.store.read(read)


def _narrowed(tx: Tx, scope: Scope, within: Within) -> Scope:
    """The scope as far as it is inside the pod and the inbox. Raises NotFound, Forbidden."""
    pod = find_pod(tx, scope, within.pod).id if within.pod is not None else scope.pod
    inbox = find_inbox(tx, scope, within.inbox).id if within.inbox is not None else scope.inbox
    return replace(scope, pod=pod, inbox=inbox)
