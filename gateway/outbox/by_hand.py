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
from gateway.outbox.record import DeliveryEvents, refresh_status
from gateway.records.ids import MessageId, now_us
from gateway.records.outbox import OutboxEntry, OutboxRecipient
from gateway.store.queries import outbox
from gateway.store.queries.inboxes import unscoped_lasting_inbox
from gateway.store.queries.outbox_claims import job_of
from gateway.store.queries.outbox_replies import add_reply
from gateway.store.transaction import Tx
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


def held(tx: Tx, outbox_id: MessageId) -> OutboxEntry:
    """A message that waits and is not being sent, kept from being claimed until the transaction ends.
    Raises NotNow."""
    entry = outbox.hold_entry(tx, outbox_id)
    if entry is None or entry.state != "queued":
        raise NotNow("gone")
    if entry.claimed_until is not None:
        raise NotNow("sending")
    return entry


def make_due(tx: Tx, outbox_id: MessageId) -> None:
    """Have a waiting message tried now. Raises NotNow."""
    held(tx, outbox_id)
    outbox.make_due(tx, outbox_id)


def give_up(
    tx: Tx, events: EventLog, outbox_id: MessageId, hostname: str, wake: Callable[[], None]
) -> list[str]:
    """Give up on the recipients of a message that wait; answers their addresses. Raises NotNow.

    They are recorded as bounced, for a temporary reason, with an event each, as if the time for sending had run out;
    a person who sent with a mail client gets a delivery status notification. Who has the message keeps that state.
    The copy for the Sent folder is still filed. ``wake`` is called after the commit when something is left to send.
    """
    entry = held(tx, outbox_id)
    inbox = unscoped_lasting_inbox(tx, entry.inbox_id)
    if inbox is None:
        raise NotNow("gone")
    waiting = outbox.unsettled_recipients(tx, outbox_id)
    if any(one.state == "attempting" for one in waiting):
        raise NotNow("in doubt")
    people = [one for one in waiting if one.role != "sent"]
    if not people:
        raise NotNow("only the copy")
    now = now_us()
    failed = [Failed(one.address, _verdict(one), expired=False) for one in people]
    for one, given in zip(people, failed, strict=True):
        outbox.change_recipient(
            tx,
            one.id,
            state="bounced",
            code=None,  # nobody's SMTP reply: see ``core.sending.reputation``, which does not count it
            status=given.reply.status,
            diagnostic=given.reply.text,
            updated_at=now,
        )
        add_reply(
            tx,
            outbox_id,
            one.address,
            "operator",
            "bounced",
            now,
            status=given.reply.status,
            said=given.reply.text,
        )
        tx.after_commit.append(metrics.sends.labels("bounced").inc)
    job = job_of(entry)
    if job.own:
        delivery_events = DeliveryEvents(tx, events, inbox, job.id)
        for given in failed:
            delivery_events.bounced(given.address, given.reply.status, permanent=False, at=now)
        refresh_status(tx, job.id)
    elif job.mail_from:
        bounce_person(tx, job, failed, hostname)
        tx.after_commit.append(wake)
    if len(people) == len(waiting):
        outbox.settle_entry(tx, outbox_id, entry.size, now)
    else:
        outbox.make_due(tx, outbox_id)
        tx.after_commit.append(wake)
    return [one.address for one in people]


def _verdict(one: OutboxRecipient) -> RecipientReply:
    """What is recorded of a recipient: the operator's decision, and the last reply there was."""
    last = " ".join(str(part) for part in (one.code, one.diagnostic) if part)
    text = f"{BY_OPERATOR}; the last reply was: {last}" if last else BY_OPERATOR
    said = one.status or ""
    status = said if said.startswith("4.") else _EXPIRED
    return RecipientReply(one.code or 451, status, text[:_MAX_TEXT], one.remote or "")
