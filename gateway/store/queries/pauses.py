"""Statements about pauses: what may not leave, since when, and what waits because of it.

A pause is one row. Who claims from the outbox asks for it in the same transaction; a message that is due and paused is
then **parked**: its ``next_at`` is moved by ``PARKED``, out of the range of what is due, so that thousands of them
cost later claims nothing. Resuming ends the row; the claims that follow make due again what was parked, in batches.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.records.ids import InboxId, OrganizationId, PodId
from gateway.records.inboxes import Inbox
from gateway.records.pauses import SERVER, Authority, Pause, PauseLevel
from gateway.store.queries.outbox import FAR, PARKED
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_AT_ONCE = 100
_UNPARKED = 1000
_STEP_US = 20_000
_WIDEST_FIRST: tuple[PauseLevel, ...] = ("server", "organization", "pod", "inbox")
_OUTBOX_OF: Mapping[PauseLevel, str] = {
    "server": "? = 'server'",
    "organization": "organization_id = ?",
    "pod": "inbox_id IN (SELECT id FROM inbox WHERE pod_id = ?)",
    "inbox": "inbox_id = ?",
}


@dataclass(frozen=True, slots=True)
class PauseTotals:
    """How many pauses hold, by level, and how many messages wait for their end."""

    by_level: Mapping[str, int]
    waiting: int


# --- of one inbox, or of what a key reaches ---


def pauses_over(tx: Tx, inboxes: Sequence[Inbox]) -> dict[InboxId, list[Pause]]:
    """The pauses that hold for each of some inboxes (its own, its pod's, its organization's, the server's), the
    widest first. Inboxes under none are left out."""
    if not inboxes or not _any_holds(tx):
        return {}
    subjects = {one: subjects_of(one.id, one.pod_id, one.organization_id) for one in inboxes}
    found = {one.subject: one for one in holding(tx, {each for some in subjects.values() for each in some})}
    over = {box.id: [found[each] for each in some if each in found] for box, some in subjects.items()}
    return {inbox_id: some for inbox_id, some in over.items() if some}


def holding(tx: Tx, subjects: Collection[str]) -> list[Pause]:
    """The pauses that hold for these very subjects, the widest first."""
    wanted = list(dict.fromkeys(subjects))
    found: list[Pause] = []
    for at in range(0, len(wanted), 500):
        some = wanted[at : at + 500]
        marks = ", ".join("?" * len(some))
        found += sql(tx).all(Pause, f"WHERE ended_at IS NULL AND subject IN ({marks})", *some)
    return sorted(found, key=lambda one: _WIDEST_FIRST.index(one.level))


def list_pauses(tx: Tx, scope: Scope, most: int) -> list[Pause]:
    """The pauses that hold for what a key reaches, the newest first; the operator's key sees every one."""
    where, args = "1 = 1", list[object]()
    if not scope.operator:
        reach, inside = scope.inbox_where("inbox")
        where = f"(subject = ? OR subject = ? OR subject IN (SELECT id FROM inbox WHERE {reach})"  # noqa: S608
        args = [SERVER, scope.organization, *inside]
        if scope.kind == "organization":
            where += " OR organization_id = ?"
            args.append(scope.organization)
        elif scope.pod and not scope.inbox:
            where += " OR subject = ?"
            args.append(scope.pod)
        else:
            where += f" OR subject IN (SELECT pod_id FROM inbox WHERE {reach})"  # noqa: S608
            args += inside
        where += ")"
    return sql(tx).all(
        Pause, f"WHERE ended_at IS NULL AND {where} ORDER BY since DESC, id DESC LIMIT ?", *args, most
    )


# --- of the outbox ---


def subjects_of(inbox_id: InboxId, pod_id: PodId | None, organization_id: OrganizationId) -> tuple[str, ...]:
    """The subjects of the pauses that hold for what an inbox sends, the widest first."""
    return (SERVER, organization_id, *((pod_id,) if pod_id else ()), inbox_id)


def unscoped_is_paused(tx: Tx, inbox: Inbox) -> bool:
    """Whether what an inbox sends must wait."""
    return bool(pauses_over(tx, [inbox]))


def unscoped_any_ever(tx: Tx) -> bool:
    """Whether there is any pause, be it over or not: without one, nothing needs to be asked."""
    return sql(tx).value("SELECT 1 FROM pause LIMIT 1") is not None


def unscoped_hold_pauses(tx: Tx, subjects: Collection[str]) -> frozenset[str]:
    """The subjects among these whose pause holds, which nobody can end until the transaction does: what is parked in
    it is then seen by who resumes."""
    if not subjects:
        return frozenset()
    share = " FOR SHARE" if tx.postgres else ""  # SQLite has one writer at a time
    marks = ", ".join("?" * len(subjects))
    rows = sql(tx).rows(
        f"SELECT subject FROM pause WHERE ended_at IS NULL AND subject IN ({marks}) ORDER BY id{share}",  # noqa: S608
        *subjects,
    )
    return frozenset(row["subject"] for row in rows)


def unscoped_ended_pauses(tx: Tx, subjects: Collection[str]) -> dict[str, list[tuple[int, int]]]:
    """(from, until) in µs of the pauses of these subjects that are over."""
    marks = ", ".join("?" * len(subjects))
    found: dict[str, list[tuple[int, int]]] = {}
    for row in sql(tx).rows(
        f"SELECT subject, since, ended_at FROM pause WHERE ended_at IS NOT NULL AND subject IN ({marks})",  # noqa: S608
        *subjects,
    ):
        found.setdefault(row["subject"], []).append((row["since"], row["ended_at"]))
    return found


def paused_time(pauses: Iterable[tuple[int, int]], since: int) -> int:
    """How long (µs) after ``since`` any of ``pauses``, (from, until) each, held; those that overlap count once."""
    total, reached = 0, since
    for begun, ended in sorted(pauses):
        begun = max(begun, reached)
        if ended > begun:
            total += ended - begun
            reached = ended
    return total


def unscoped_unpark(tx: Tx, now: int) -> None:
    """Make due some of what was parked for a pause that is over, where no other one holds: a thousand messages at the
    most, in the order in which they were due.

    The first hundred are due at once, the others one after the other, fifty in a second: what other inboxes send
    meanwhile does not wait behind them.
    """
    skip = " FOR UPDATE SKIP LOCKED" if tx.postgres else ""
    over = sql(tx).one(Pause, f"WHERE unparked_to IS NOT NULL LIMIT 1{skip}")
    if over is None or over.unparked_to is None:
        return
    at_once = _AT_ONCE if over.unparked_to == over.ended_at else 0
    base = max(now, over.unparked_to)
    count = sql(tx).run(
        "UPDATE outbox SET updated_at = ?, next_at = ? + "  # noqa: S608
        "CASE WHEN ranked.place > ? THEN (ranked.place - ?) * ? ELSE 0 END "
        "FROM (SELECT id, row_number() OVER (ORDER BY next_at, id) AS place FROM "
        "(SELECT id, next_at FROM outbox "
        f"WHERE next_at >= ? AND next_at < ? AND state = 'queued' AND {_OUTBOX_OF[over.level]} AND NOT EXISTS "
        "(SELECT 1 FROM pause WHERE pause.ended_at IS NULL AND (pause.subject IN "
        "(outbox.inbox_id, outbox.organization_id, 'server') OR pause.subject = "
        "(SELECT inbox.pod_id FROM inbox WHERE inbox.id = outbox.inbox_id))) "
        "ORDER BY next_at, id LIMIT ?) AS parked) AS ranked WHERE outbox.id = ranked.id",
        now,
        base,
        at_once,
        at_once,
        _STEP_US,
        PARKED,
        FAR,
        over.subject,
        _UNPARKED,
    )
    more = base + max(0, count - at_once) * _STEP_US if count == _UNPARKED else None
    sql(tx).update("pause", "id", over.id, {"unparked_to": more})


def unscoped_pause_totals(tx: Tx) -> PauseTotals:
    """What is paused on the whole server."""
    rows = sql(tx).rows("SELECT level, count(*) AS n FROM pause WHERE ended_at IS NULL GROUP BY level")
    waiting = 0
    if rows:
        waiting = sql(tx).value("SELECT count(*) FROM outbox WHERE next_at >= ? AND next_at < ?", PARKED, FAR)
    return PauseTotals({row["level"]: row["n"] for row in rows}, int(waiting))


def unscoped_forget_pauses(tx: Tx, before: int) -> int:
    """Delete the pauses that ended before ``before`` (µs); answers how many."""
    return sql(tx).run("DELETE FROM pause WHERE ended_at < ?", before)


# --- changes ---


def add_pause(tx: Tx, pause: Pause) -> None:
    """Note a pause that begins. Raises NotUnique where one holds for its subject."""
    sql(tx).add(pause)


def change_pause(tx: Tx, pause_id: str, *, reason: str | None, paused_by: str, authority: Authority) -> None:
    """Say anew why a pause holds, and by whose word."""
    sql(tx).update(
        "pause", "id", pause_id, {"reason": reason, "paused_by": paused_by, "authority": authority}
    )


def end_pause(tx: Tx, pause_id: str, *, by: str, at: int) -> None:
    """End a pause at ``at`` (µs). The next claims make due what was parked: see ``unscoped_unpark``."""
    sql(tx).update("pause", "id", pause_id, {"ended_at": at, "ended_by": by, "unparked_to": at})


def _any_holds(tx: Tx) -> bool:
    return sql(tx).value("SELECT 1 FROM pause WHERE ended_at IS NULL LIMIT 1") is not None
