"""Statements about reputations: whether an inbox may send, by itself or with its whole pod, and what came of its
mail.

A suspension stops only sending; mail comes in as before. ``core.sending.reputation`` decides, everything that sends
asks here.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.records.ids import InboxId, PodId
from gateway.records.simulator import SIMULATOR_DOMAIN
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_SIMULATED = f"%@{SIMULATOR_DOMAIN}"


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


def suspension_of(tx: Tx, inbox_id: InboxId, pod_id: PodId) -> Suspension | None:
    """The suspension an inbox is under; its own before its pod's."""
    rows = {
        row["subject"]: row
        for row in sql(tx).rows(
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
    return bool(sql(tx).value("SELECT 1 FROM reputation WHERE subject = ? AND reason IS NOT NULL", subject))


def set_reason(tx: Tx, subject: str, reason: str | None, at: int) -> None:
    """Suspend (or with None reactivate) an inbox or pod as of ``at``, µs."""
    sql(tx).insert("reputation", {"subject": subject, "reason": reason, "since": at}, ignore=True)
    sql(tx).update("reputation", "subject", subject, {"reason": reason, "since": at})


def reactivated_at(tx: Tx, subject: str) -> int:
    """When it was last reactivated, µs; 0 when it never was, or is suspended."""
    return int(
        sql(tx).value("SELECT since FROM reputation WHERE subject = ? AND reason IS NULL", subject) or 0
    )


def recipients_by_state(tx: Tx, inbox_id: InboxId, since: int) -> dict[str, int]:
    """How many recipients of what an inbox sent after ``since`` (µs) are ``sent``, ``delivered`` and ``bounced``;
    without those of the simulator, and without its answers."""
    rows = sql(tx).rows(
        "SELECT outbox_recipient.state, count(*) AS n FROM outbox "
        "JOIN outbox_recipient ON outbox_recipient.outbox_id = outbox.id "
        "WHERE outbox.inbox_id = ? AND outbox.created_at > ? AND outbox.mail_from <> '' "
        "AND outbox.mail_from NOT LIKE ? AND lower(outbox_recipient.address) NOT LIKE ? "
        "AND outbox_recipient.role <> 'sent' AND outbox_recipient.state IN ('sent', 'delivered', 'bounced') "
        # whom the operator gave up (outbox.by_hand) says nothing about the inbox: no server answered for good
        "AND NOT (outbox_recipient.state = 'bounced' AND outbox_recipient.code IS NULL) "
        "GROUP BY outbox_recipient.state",
        inbox_id,
        since,
        _SIMULATED,
        _SIMULATED,
    )
    return {row["state"]: row["n"] for row in rows}


def messages_by_status(tx: Tx, inbox_id: InboxId, since: int) -> dict[str, int]:
    """How many messages an inbox sent after ``since`` (µs), by their status; without those that never left,
    and those that the simulator had a part in."""
    rows = sql(tx).rows(
        "SELECT status, count(*) AS n FROM message WHERE inbox_id = ? AND timestamp > ? "
        "AND direction = 'outbound' AND status <> 'rejected' AND test = 0 "
        "AND NOT EXISTS (SELECT 1 FROM outbox_recipient WHERE outbox_recipient.outbox_id = message.id "
        "AND lower(outbox_recipient.address) LIKE ?) GROUP BY status",
        inbox_id,
        since,
        _SIMULATED,
    )
    return {row["status"]: row["n"] for row in rows}
