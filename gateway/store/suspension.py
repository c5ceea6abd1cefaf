"""Whether an inbox may send: it can be suspended for its reputation, by itself or with its whole pod.

Only sending stops; mail comes in as before. ``core.sending.reputation`` decides, everything that sends asks here.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store.engine import Tx


@dataclass(frozen=True, slots=True)
class Suspension:
    """Why and since when (µs) an inbox may not send; ``of``: ``inbox`` or ``pod``."""

    of: str
    reason: str
    since: int

    @property
    def words(self) -> str:
        whose = "this inbox" if self.of == "inbox" else "the pod of this inbox"
        return f"{whose} is suspended from sending ({self.reason.replace('_', ' ')})"


def suspension_of(tx: Tx, inbox_id: str, pod_id: str) -> Suspension | None:
    """The suspension an inbox is under; its own before its pod's."""
    rows = {
        row["subject"]: row
        for row in tx.rows(
            "SELECT subject, reason, since FROM reputation WHERE subject IN (?, ?) AND reason IS NOT NULL",
            inbox_id,
            pod_id,
        )
    }
    for kind, subject in (("inbox", inbox_id), ("pod", pod_id)):
        if subject in rows:
            return Suspension(kind, rows[subject]["reason"], rows[subject]["since"])
    return None


def suspended(tx: Tx, subject: str) -> bool:
    """Whether this very inbox or pod (ULID) is suspended."""
    return bool(tx.value("SELECT 1 FROM reputation WHERE subject = ? AND reason IS NOT NULL", subject))


def set_reason(tx: Tx, subject: str, reason: str | None, at: int) -> None:
    """Suspend (or with None reactivate) an inbox or pod as of ``at``, µs."""
    tx.insert("reputation", {"subject": subject, "reason": reason, "since": at}, ignore=True)
    tx.update("reputation", "subject", subject, {"reason": reason, "since": at})


def reactivated_at(tx: Tx, subject: str) -> int:
    """When it was last reactivated, µs; 0 when it never was, or is suspended."""
    return int(tx.value("SELECT since FROM reputation WHERE subject = ? AND reason IS NULL", subject) or 0)
