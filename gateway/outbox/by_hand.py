"""What an operator does to a message that waits: try it now, or give up on those who do not have it yet.

Both leave the engine's rules alone. A message that is claimed is being sent, and is not touched. A recipient whose last
attempt has no recorded outcome is in doubt, and is never given up: the next attempt settles the doubt first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from gateway import metrics
from gateway.events.log import EventLog
from gateway.outbox.bounce import Failed, bounce_person
from gateway.outbox.queue import FAR, Job
from gateway.outbox.record import Teller, refresh_status
from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us
from gateway.store.queries.inboxes import unscoped_lasting_inbox
from mailserver.base import RecipientReply

BY_OPERATOR = "given up by the operator of this server"
_EXPIRED = "4.4.7"  # RFC 3463 §3.5: delivery time expired
_MAX_TEXT = 1000

Refusal = Literal["gone", "sending", "in doubt", "only the copy"]


class NotNow(Exception):
    """The message is not in a state for this. ``why``: ``gone`` (settled, or its inbox is gone), ``sending``,
    ``in doubt``, or ``only the copy`` (every recipient is settled; the copy for the Sent folder waits)."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(why)
        self.why: Refusal = why


def held(tx: Tx, outbox_id: str) -> Row:
    """The row of a message that waits and is not being sent, kept from being claimed until the transaction ends.
    Raises NotNow."""
    lock = " FOR UPDATE" if tx.postgres else ""  # SQLite has one writer at a time
    row = tx.row(
        "SELECT id, organization_id, inbox_id, mail_from, message_id, token, size, attempts, created_at, state, "  # noqa: S608
        f"claimed_until FROM outbox WHERE id = ?{lock}",
        outbox_id,
    )
    if row is None or row["state"] != "queued":
        raise NotNow("gone")
    if row["claimed_until"] is not None:
        raise NotNow("sending")
    return row


def make_due(tx: Tx, outbox_id: str) -> None:
    """Have a waiting message tried now. Raises NotNow."""
    held(tx, outbox_id)
    tx.run("UPDATE outbox SET next_at = ?, updated_at = ? WHERE id = ?", now_us(), now_us(), outbox_id)


def make_all_due(tx: Tx, where: str, args: list[object]) -> int:
    """Have every waiting message of ``where`` (a condition on ``outbox``) tried now; answers how many were put
    forward. Those that are being sent, or are due already, are not counted."""
    now = now_us()
    return tx.run(
        "UPDATE outbox SET next_at = ?, updated_at = ? "  # noqa: S608
        f"WHERE state = 'queued' AND claimed_until IS NULL AND next_at > ? AND {where}",
        now,
        now,
        now,
        *args,
    )


def give_up(tx: Tx, events: EventLog, outbox_id: str, hostname: str, wake: Callable[[], None]) -> list[str]:
    """Give up on the recipients of a message that wait; answers their addresses. Raises NotNow.

    They are recorded as bounced, for a temporary reason, with an event each, as if the time for sending had run out;
    a person who sent with a mail client gets a delivery status notification. Who has the message keeps that state.
    The copy for the Sent folder is still filed. ``wake`` is called after the commit when something is left to send.
    """
    row = held(tx, outbox_id)
    inbox = unscoped_lasting_inbox(tx, row["inbox_id"])
    if inbox is None:
        raise NotNow("gone")
    waiting = tx.rows(
        "SELECT id, address, role, state, code, status, diagnostic, remote FROM outbox_recipient "
        "WHERE outbox_id = ? AND state IN ('queued', 'attempting') ORDER BY id",
        outbox_id,
    )
    if any(one["state"] == "attempting" for one in waiting):
        raise NotNow("in doubt")
    people = [one for one in waiting if one["role"] != "sent"]
    if not people:
        raise NotNow("only the copy")
    now = now_us()
    failed = [Failed(one["address"], _verdict(one), expired=False) for one in people]
    for one, given in zip(people, failed, strict=True):
        changes = {
            "state": "bounced",
            "code": None,  # nobody's SMTP reply: see ``core.sending.reputation``, which does not count it
            "status": given.reply.status,
            "diagnostic": given.reply.text,
            "updated_at": now,
        }
        tx.update("outbox_recipient", "id", one["id"], changes)
        tx.after_commit.append(metrics.sends.labels("bounced").inc)
    job = Job(**{name: row[name] for name in _JOB}, recipients=())
    if job.own:
        teller = Teller(tx, events, inbox, job.id)
        for given in failed:
            teller.bounced(given.address, given.reply.status, permanent=False, at=now)
        refresh_status(tx, job.id)
    elif job.mail_from:
        bounce_person(tx, job, failed, hostname)
        tx.after_commit.append(wake)
    if len(people) == len(waiting):
        changes = {"state": "done", "mime": None, "next_at": FAR, "updated_at": now}
    else:
        changes = {"next_at": now, "updated_at": now}
        tx.after_commit.append(wake)
    tx.update("outbox", "id", outbox_id, changes)
    return [one["address"] for one in people]


_JOB = (
    "id",
    "organization_id",
    "inbox_id",
    "mail_from",
    "message_id",
    "token",
    "size",
    "attempts",
    "created_at",
)


def _verdict(one: Row) -> RecipientReply:
    """What is recorded of a recipient: the operator's decision, and the last reply there was."""
    last = " ".join(str(part) for part in (one["code"], one["diagnostic"]) if part)
    text = f"{BY_OPERATOR}; the last reply was: {last}" if last else BY_OPERATOR
    status = one["status"] if (one["status"] or "").startswith("4.") else _EXPIRED
    return RecipientReply(one["code"] or 451, status, text[:_MAX_TEXT], one["remote"] or "")
