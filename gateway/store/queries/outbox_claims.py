"""Claiming what is due in the outbox, giving claims back, and taking up those of processes that are gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.records.ids import InboxId, MessageId, OrganizationId, now_us, own_message_ulid
from gateway.records.outbox import OutboxEntry, RecipientState
from gateway.store.leases import living_processes
from gateway.store.queries.outbox import PARKED, SentMessage
from gateway.store.queries.pauses import (
    paused_time,
    subjects_of,
    unscoped_any_ever,
    unscoped_ended_pauses,
    unscoped_hold_pauses,
    unscoped_unpark,
)
from gateway.store.sql import Row, sql
from gateway.store.transaction import Tx

LEASE_US = 30 * 60 * 1_000_000
CLOCKS_APART_US = 60 * 1_000_000
"""How far the clocks of machines that share a database may be apart."""
_WINDOW = 1000
_WINDOWS = 5


@dataclass(frozen=True, slots=True)
class Recipient:
    """An unsettled recipient of a claimed message. ``doubtful``: an attempt's outcome was never recorded; ``token``:
    names it in its return path, empty where the message's own does."""

    id: int
    address: str
    role: str
    doubtful: bool
    token: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed message and its unsettled recipients. ``by``: the process that claimed it; ``paused``: how long (µs)
    it waited for the end of pauses."""

    id: MessageId
    organization_id: OrganizationId
    inbox_id: InboxId
    mail_from: str
    message_id: str
    token: str
    size: int
    attempts: int
    created_at: int
    recipients: tuple[Recipient, ...]
    by: str = ""
    paused: int = 0
    queued_at: int | None = None

    @property
    def own(self) -> bool:
        """Whether it was accepted through the API (it has a message row)."""
        return own_message_ulid(self.message_id) == self.id

    @property
    def waits_since(self) -> int:
        """Whence its age counts towards giving it up (µs): the time of pauses does not, nor that of a review."""
        return (self.queued_at or self.created_at) + self.paused

    @property
    def sent(self) -> SentMessage:
        """What names it."""
        return SentMessage(self.id, self.inbox_id, self.message_id)


class Claim(NamedTuple):
    """A message and the process that claimed it."""

    id: MessageId
    by: str | None


def job_of(entry: OutboxEntry) -> Job:
    """An entry as a job without recipients, for what an operator does to it."""
    return Job(
        id=entry.id,
        organization_id=entry.organization_id,
        inbox_id=entry.inbox_id,
        mail_from=entry.mail_from,
        message_id=entry.message_id,
        token=entry.token,
        size=entry.size,
        attempts=entry.attempts,
        created_at=entry.created_at,
        recipients=(),
    )


def unscoped_claim(tx: Tx, limit: int, by: str = "") -> list[Job]:
    """Take up to ``limit`` due messages until the lease ends, and mark their recipients ``attempting``. ``by``: this
    process, where there are several. What is paused is parked on the way; there may be more than could be parked in
    one go, which are due as before."""
    now = now_us()
    skip = " FOR UPDATE SKIP LOCKED" if tx.postgres else ""
    chosen = f"SELECT id FROM outbox WHERE next_at <= ? AND state = 'queued' ORDER BY next_at LIMIT ?{skip}"  # noqa: S608
    arguments: list[object] = [now, limit]
    pauses = unscoped_any_ever(tx)
    if pauses:
        unscoped_unpark(tx, now)
        arguments = list[object](_due_and_not_paused(tx, limit, now))
        if not arguments:
            return []
        chosen = ", ".join("?" * len(arguments))
    rows = sql(tx).rows(
        "UPDATE outbox SET claimed_until = ?, claimed_by = ?, next_at = ?, attempts = attempts + 1, updated_at = ? "  # noqa: S608
        f"WHERE id IN ({chosen}) "
        "RETURNING id, organization_id, inbox_id, mail_from, message_id, token, size, attempts, created_at, "
        "queued_at",
        now + LEASE_US,
        by,
        now + LEASE_US,
        now,
        *arguments,
    )
    if not rows:
        return []
    marks = ", ".join("?" * len(rows))
    ids = [row["id"] for row in rows]
    by_id: dict[str, list[Recipient]] = {one: [] for one in ids}
    for one in sql(tx).rows(
        "SELECT id, outbox_id, address, role, state, token FROM outbox_recipient "  # noqa: S608
        f"WHERE outbox_id IN ({marks}) AND state IN ('queued', 'attempting') ORDER BY id",
        *ids,
    ):
        by_id[one["outbox_id"]].append(
            Recipient(
                one["id"], one["address"], one["role"], one["state"] == "attempting", one["token"] or ""
            )
        )
    sql(tx).run(
        "UPDATE outbox_recipient SET state = 'attempting', attempts = attempts + 1, updated_at = ? "  # noqa: S608
        f"WHERE outbox_id IN ({marks}) AND state = 'queued'",
        now,
        *ids,
    )
    rows.sort(key=lambda row: row["created_at"])
    paused = _paused_times(tx, rows) if pauses else {}
    return [
        Job(**row, recipients=tuple(by_id[row["id"]]), by=by, paused=paused.get(row["id"], 0)) for row in rows
    ]


def _due_and_not_paused(tx: Tx, limit: int, now: int) -> list[MessageId]:
    """Up to ``limit`` messages that are due and not paused. Those before them that are paused are parked, up to some
    thousands, so that the next claim does not come across them."""
    skip = " FOR UPDATE OF outbox SKIP LOCKED" if tx.postgres else ""
    found: list[MessageId] = []
    window = limit
    for _ in range(_WINDOWS):
        due = sql(tx).rows(
            "SELECT outbox.id, outbox.inbox_id, outbox.organization_id, inbox.pod_id FROM outbox "  # noqa: S608
            "LEFT JOIN inbox ON inbox.id = outbox.inbox_id "
            f"WHERE outbox.next_at <= ? AND outbox.state = 'queued' ORDER BY outbox.next_at LIMIT ?{skip}",
            now,
            window,
        )
        subjects = {
            row["id"]: subjects_of(row["inbox_id"], row["pod_id"], row["organization_id"]) for row in due
        }
        paused = unscoped_hold_pauses(tx, {each for some in subjects.values() for each in some})
        parked = [one for one, some in subjects.items() if not paused.isdisjoint(some)]
        found = [one for one, some in subjects.items() if paused.isdisjoint(some)][:limit]
        if parked:
            _park(tx, parked, now)
        if not parked or len(found) >= limit or len(due) < window:
            break
        window = max(limit, _WINDOW)
    return found


def _park(tx: Tx, ids: Sequence[MessageId], now: int) -> None:
    marks = ", ".join("?" * len(ids))
    sql(tx).run(
        f"UPDATE outbox SET next_at = next_at + ?, claimed_until = NULL, updated_at = ? WHERE id IN ({marks})",  # noqa: S608
        PARKED,
        now,
        *ids,
    )


def _paused_times(tx: Tx, rows: Sequence[Row]) -> dict[MessageId, int]:
    """How long (µs) each of some messages waited for the end of pauses."""
    marks = ", ".join("?" * len(rows))
    pods = {
        row["id"]: row["pod_id"]
        for row in sql(tx).rows(
            f"SELECT id, pod_id FROM inbox WHERE id IN ({marks})",  # noqa: S608
            *(row["inbox_id"] for row in rows),
        )
    }
    subjects = {
        row["id"]: subjects_of(row["inbox_id"], pods.get(row["inbox_id"]), row["organization_id"])
        for row in rows
    }
    ended = unscoped_ended_pauses(tx, {each for some in subjects.values() for each in some})
    return {
        row["id"]: paused_time(
            (pause for each in subjects[row["id"]] for pause in ended.get(each, ())),
            row["queued_at"] or row["created_at"],
        )
        for row in rows
    }


# --- of a claimed message ---


def is_ours(tx: Tx, job: Job) -> bool:
    """Whether the claim still holds: else another process took ours for dead, and it is that one's."""
    return bool(
        sql(tx).value(
            "SELECT 1 FROM outbox WHERE id = ? AND state = 'queued' AND claimed_by = ? AND attempts = ?",
            job.id,
            job.by,
            job.attempts,
        )
    )


def is_unsettled(tx: Tx, job: Job) -> bool:
    """Whether it is still there to be sent, whoever claims it."""
    return sql(tx).value("SELECT 1 FROM outbox WHERE id = ? AND state = 'queued'", job.id) is not None


def record_reply(
    tx: Tx,
    recipient_id: int,
    state: RecipientState,
    at: int,
    *,
    code: int,
    status: str,
    diagnostic: str,
    remote: str,
) -> bool:
    """Write what was replied to an attempt, and the state it leads to; False when its outcome is known already."""
    touched = sql(tx).run(
        "UPDATE outbox_recipient SET state = ?, code = ?, status = ?, diagnostic = ?, remote = ?, "
        "updated_at = ? WHERE id = ? AND state = 'attempting'",
        state,
        code,
        status,
        diagnostic,
        remote,
        at,
        recipient_id,
    )
    return touched > 0


def put_back(tx: Tx, job: Job, untried: Sequence[Recipient]) -> None:
    """These recipients were claimed but not tried; what was in doubt before stays so."""
    for one in untried if is_ours(tx, job) else ():
        if not one.doubtful:
            sql(tx).run(
                "UPDATE outbox_recipient SET state = 'queued', attempts = attempts - 1 "
                "WHERE id = ? AND state = 'attempting'",
                one.id,
            )


def release(tx: Tx, job: Job, next_at: int, *, tried: bool) -> None:
    """Give up the claim; the message is due again at ``next_at``."""
    if is_ours(tx, job):
        defer(tx, job, next_at, tried=tried)


def defer(tx: Tx, job: Job, next_at: int, *, tried: bool = True) -> None:
    """As :func:`release`, of a claim that is known to be ours."""
    sql(tx).run(
        "UPDATE outbox SET claimed_until = NULL, next_at = ?, attempts = attempts - ?, updated_at = ? "
        "WHERE id = ? AND state = 'queued'",
        next_at,
        0 if tried else 1,
        now_us(),
        job.id,
    )


# --- of all of them ---


def unscoped_recover(tx: Tx) -> int:
    """The claims of a process that is gone are void: what it held is due now. Answers how many.

    Only where one process owns the outbox; elsewhere ``unscoped_recover_dead``.
    """
    return sql(tx).run(
        "UPDATE outbox SET claimed_until = NULL, next_at = ? WHERE state = 'queued' AND claimed_until IS NOT NULL",
        now_us(),
    )


def unscoped_dead_claims(tx: Tx) -> list[Claim]:
    """The claims of processes that do not live."""
    living = {process.id for process in living_processes(tx)}
    claimed = sql(tx).rows(
        "SELECT id, claimed_by FROM outbox WHERE next_at < ? AND state = 'queued' AND claimed_until IS NOT NULL",
        PARKED,
    )
    return [Claim(row["id"], row["claimed_by"]) for row in claimed if row["claimed_by"] not in living]


def unscoped_recover_dead(tx: Tx, of: Collection[str] | None = None) -> int:
    """The same for the claims of processes that do not live any more (``store.leases``), on PostgreSQL.

    ``of``: only of these processes. Answers how many.
    """
    return sum(
        sql(tx).run(
            "UPDATE outbox SET claimed_until = NULL, next_at = ? WHERE id = ? AND state = 'queued' "
            "AND claimed_until IS NOT NULL AND claimed_by = ?",
            now_us(),
            claim.id,
            claim.by,
        )
        for claim in unscoped_dead_claims(tx)
        if of is None or claim.by in of
    )


def unscoped_recover_lost(tx: Tx, by: str, held: Collection[str]) -> int:
    """The claims of this process that it knows nothing of: the answer to ``unscoped_claim`` was lost with the
    database, or the work on the message failed. They are due now. ``held``: the ids it works on. Answers how many."""
    claimed = sql(tx).rows(
        "SELECT id FROM outbox WHERE next_at < ? AND state = 'queued' AND claimed_until IS NOT NULL "
        "AND claimed_by = ?",
        PARKED,
        by,
    )
    return sum(
        sql(tx).run("UPDATE outbox SET claimed_until = NULL, next_at = ? WHERE id = ?", now_us(), row["id"])
        for row in claimed
        if row["id"] not in held
    )


def unscoped_recover_from_clock(tx: Tx) -> int:
    """What waits for a time that was reckoned with a clock that was ahead of today's is due now. Answers how many.

    Every change of a row notes when it was made: one of the future shows that the clock was set back since.
    """
    now = now_us()
    return sql(tx).run(
        "UPDATE outbox SET next_at = ?, updated_at = ? WHERE next_at > ? AND next_at < ? AND state = 'queued' "
        "AND claimed_until IS NULL AND updated_at > ?",
        now,
        now,
        now,
        PARKED,
        now + CLOCKS_APART_US,
    )


def unscoped_next_due(tx: Tx) -> int | None:
    """When the next queued message is due (µs)."""
    value = sql(tx).value("SELECT min(next_at) FROM outbox WHERE next_at < ?", PARKED)
    return None if value is None else int(value)


def unscoped_behind_since(tx: Tx) -> int | None:
    """Since when (µs) the message is due that is longest so, or taken up if it is on its way; None when none is."""
    now = now_us()
    due = sql(tx).value(
        "SELECT min(next_at) FROM outbox WHERE state = 'queued' AND claimed_until IS NULL AND next_at <= ?",
        now,
    )
    taken = sql(tx).value(
        "SELECT min(updated_at) FROM outbox WHERE state = 'queued' AND claimed_until IS NOT NULL AND next_at <= ?",
        now + 2 * LEASE_US,  # what is claimed has the end of its lease as next_at
    )
    return min((one for one in (due, taken) if one), default=None)
