"""Pauses: nothing of an inbox, a pod, an organization or the whole server leaves until somebody resumes it."""

from __future__ import annotations

from typing import ClassVar, Literal

from gateway.records.base import Record
from gateway.records.ids import OrganizationId

PauseLevel = Literal["inbox", "pod", "organization", "server"]
Authority = Literal["inbox", "pod", "organization", "operator"]
"""What kind of key paused: one of a lesser kind cannot resume."""

SERVER = "server"
"""The subject of a pause of everything."""


class Pause(Record, frozen=True):
    """One pause, kept after its end: the time of it does not count towards ``outbox.retry_days``. Times in µs."""

    table: ClassVar[str] = "pause"

    id: str
    level: PauseLevel
    subject: str  # ULID of what is paused, or SERVER
    organization_id: OrganizationId | None  # None: of the server
    reason: str | None
    paused_by: str  # key_…, or operator
    authority: Authority
    since: int
    ended_at: int | None  # None: it holds
    ended_by: str | None
    unparked_to: (
        int | None
    )  # while what waited for its end is made due again: up to when that is spread by now
