"""What a dialect's webhooks send: the body of an event, the headers that sign it, when to try again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.events.schedule import Outcome, next_try
from gateway.records.events import Event


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt: ``number`` from 1, ``at`` in µs."""

    number: int
    at: int


class Plan(Protocol):
    """What follows a failed try; see :func:`gateway.events.schedule.next_try`."""

    def __call__(
        self, number: int, *, status: int | None, retry_after: str | None, now: float, scale: float
    ) -> Outcome: ...


Render = Callable[[Event, Try], object | None]
"""An event, and which attempt it is, into what is posted as JSON; None: the dialect has no such event."""

Sign = Callable[[Sequence[str], str, int, bytes], dict[str, str]]
"""(secrets, newest first; ``evt_…``; Unix seconds; the exact body) into headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A dialect's side of webhook delivery.

    ``prefer_socket``: an event of these types that an open, subscribed socket of the dialect takes is not posted.
    ``disables``: an endpoint that fails for days is switched off. ``timeout``: seconds it has to answer; None: what
    the setting ``webhooks.timeout`` says.
    """

    render: Render
    sign: Sign
    plan: Plan = next_try
    prefer_socket: frozenset[str] = frozenset()
    disables: bool = True
    timeout: float | None = None
