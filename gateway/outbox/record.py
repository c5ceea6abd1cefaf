"""Writing outcomes: recipient states, the message's status and the events, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gateway import metrics
from gateway.events.log import EventLog
from gateway.events.payload import message_ref, message_texts
from gateway.outbox import schedule
from gateway.outbox.bounce import Failed, bounce_person
from gateway.outbox.simulator.come_back import Taken, come_back
from gateway.outbox.undelivered import after_failure, note_undelivered, one_line
from gateway.records.event_types import (
    BouncedFacts,
    ComplainedFacts,
    DelayedFacts,
    DeliveredFacts,
    FailedRecipient,
    MessageRef,
    OutboundFacts,
    RejectedFacts,
    SentFacts,
)
from gateway.records.ids import MESSAGE_ID, MessageId, now_us
from gateway.records.inboxes import Inbox
from gateway.records.outbox import RecipientState
from gateway.records.simulator import is_simulated
from gateway.records.suppressions import SuppressionType
from gateway.store import sent_aliases
from gateway.store.arrival_time import event_time
from gateway.store.index import status_of
from gateway.store.queries.inboxes import unscoped_lasting_inbox
from gateway.store.queries.outbox import people_of, people_states, settle_entry, unsettled_recipients
from gateway.store.queries.outbox_claims import Job, defer, is_ours, is_unsettled, record_reply
from gateway.store.queries.outbox_replies import add_reply, note_next_attempt
from gateway.store.queries.sent_messages import set_delivery_status, set_rejected
from gateway.store.suppressions import (
    HARD_BOUNCES,
    is_hard_bounce,
    is_permanent,
    suppress,
    type_of_feedback,
)
from gateway.store.transaction import Tx
from mailserver.base import Hop, RecipientReply

_MAX_TEXT = 1000
_FINAL = ("lmtp", "mx", "simulator")
_OURS = ("lmtp", "submission")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a message is tried: ``days``, and ``scale`` on every waiting time."""

    days: float
    scale: float


@dataclass(frozen=True, slots=True)
class Tried:
    """The outcome of one transaction, by recipient row id. ``near``: the job's recipients that our own mail
    server takes (LMTP, submission)."""

    hop: Hop
    replies: Mapping[int, RecipientReply]
    near: frozenset[int]


def record(
    tx: Tx,
    events: EventLog,
    job: Job,
    tried: Tried,
    *,
    patience: Patience,
    hostname: str,
    last: bool,
    wake: Callable[[], None],
    answers_per_day: int,
) -> None:
    """Record one transaction's replies; with ``last`` also decide what becomes of the message.

    A temporary failure leaves the recipient queued until patience is over. Where our own mail server may have the
    message (``unknown``) the recipient stays ``attempting``, however long, until it could be looked up. When another
    process took the claim over, only what was taken is recorded: that is true whatever the other one finds.
    ``wake`` is called after the commit when something waits that did not before. ``answers_per_day``: as the setting.
    """
    if not is_unsettled(tx, job):
        return  # its inbox was deleted meanwhile
    ours = is_ours(tx, job)
    now = now_us()
    over = schedule.given_up(now, job.waits_since, patience.days, patience.scale)
    handed: list[str] = []
    taken: list[Taken] = []  # by the simulator
    failed: list[Failed] = []
    deferred: list[Failed] = []
    put_off: list[tuple[str, str]] = []
    for one in job.recipients:
        reply = tried.replies.get(one.id)
        if reply is None or not (ours or reply.ok):
            continue
        state: RecipientState
        if reply.ok:
            state = "delivered" if tried.hop.kind in _FINAL else "sent"
        elif reply.unknown and tried.hop.kind in _OURS:
            state = "attempting"
        elif reply.permanent or over:
            state = "bounced"
        else:
            state = "queued"
        touched = record_reply(
            tx,
            one.id,
            state,
            now,
            code=reply.code,
            status=one_line(reply.status, 20),
            diagnostic=one_line(reply.text, _MAX_TEXT),
            remote=one_line(reply.remote, 255),
        )
        if one.role == "sent" or not touched:
            continue  # (a report may have been faster than we are)
        add_reply(
            tx,
            job.id,
            one.address,
            "attempt",
            state,
            now,
            number=job.attempts,
            code=reply.code,
            status=one_line(reply.status, 20),
            said=one_line(reply.text, _MAX_TEXT),
            remote=one_line(reply.remote, 255),
        )
        if state != "queued":
            tx.after_commit.append(metrics.sends.labels(state).inc)
        if reply.ok:
            handed.append(one.address)
            if tried.hop.kind == "simulator":
                taken.append(Taken(one.id, one.address, one.token))
            if tried.hop.kind == "smarthost":
                renamed = sent_aliases.relay_message_id(reply.text, reply.remote)
                sent_aliases.note(tx, job.sent, renamed)
        elif state == "bounced":
            failed.append(Failed(one.address, reply, expired=not reply.permanent))
        else:
            deferred.append(Failed(one.address, reply, expired=False))
            if state == "queued":
                put_off.append((one.address, reply.status))
    event = ""
    if job.own:
        event = _append_events(tx, events, job, tried.hop, handed, failed, put_off, now)
    elif failed and job.mail_from:
        bounce_person(tx, job, failed, hostname)
        tx.after_commit.append(wake)
    if taken and come_back(tx, job, taken, answers_per_day):
        tx.after_commit.append(wake)
    if failed or deferred:
        _note(tx, job, tried.hop, failed, deferred, event)
    if last and not settle(tx, job, patience, tried.near, now):
        tx.after_commit.append(wake)


def _note(tx: Tx, job: Job, hop: Hop, failed: list[Failed], deferred: list[Failed], event: str) -> None:
    """Log what was not delivered. ``event``: the event of a message of the API."""
    inbox = unscoped_lasting_inbox(tx, job.inbox_id)
    sender = str(inbox.address) if inbox is not None else None
    for one in (*failed, *deferred):
        final = one in failed
        if not final:
            step = "it stays in the queue and is tried again"
        elif job.own:
            step = after_failure(event, one.address, one.reply.status, permanent=not one.expired)
        elif job.mail_from:
            step = f"given up, a bounce mail goes to {job.mail_from}"
        else:
            step = "given up without a report: it was a bounce mail itself"
        note_undelivered(
            tx,
            inbox=sender,
            message=MESSAGE_ID.public(job.id) if job.own else job.id,
            recipient=one.address,
            code=one.reply.code,
            status=one_line(one.reply.status, 20),
            said=one.reply.text,
            remote=one.reply.remote or hop.key,
            next_step=step,
            final=final,
        )


def settle(tx: Tx, job: Job, patience: Patience, near: frozenset[int], now: int) -> bool:
    """After every hop was tried: done (True) when no recipient is left, else due again later.

    Whoever is ``attempting`` still has no known outcome, and stays so: the next attempt looks it up.
    """
    if not is_ours(tx, job):
        return True
    left = unsettled_recipients(tx, job.id)
    if not left:
        settle_entry(tx, job.id, job.size, now)
        return True
    local = all(one.id in near for one in left)  # our own server is short of breath, not the world
    next_at = schedule.next_try(now, job.attempts, patience.scale, local=local)
    defer(tx, job, next_at)
    note_next_attempt(tx, job.id, job.attempts, next_at)
    return False


def _append_events(
    tx: Tx,
    events: EventLog,
    job: Job,
    hop: Hop,
    handed: list[str],
    failed: list[Failed],
    put_off: list[tuple[str, str]],
    now: int,
) -> str:
    """Append the events; returns the type of the one about the failed recipients. ``put_off``: (address, status) of
    those that are tried again."""
    kind = "message.bounced"
    inbox = unscoped_lasting_inbox(tx, job.inbox_id)
    if inbox is None:
        return kind
    delivery_events = DeliveryEvents(tx, events, inbox, job.id)
    states = people_states(tx, job.id)
    if handed:
        delivery_events.sent()
    if hop.kind in _FINAL:
        for address in handed:
            delivery_events.delivered(address, now)
    for address, status in put_off:
        delivery_events.delayed(address, status, now)
    # our own server knows its mailboxes: "no such user" there is a bounce, as when we deliver to them ourselves
    known = hop.kind == "submission" and all(sub_type(one.reply.status) == "NoEmail" for one in failed)
    relay = hop.kind in ("submission", "smarthost") and not known
    if failed and relay and states == {"bounced"} and not any(one.expired for one in failed):
        # our own relay would have none of it: it never left
        kind = "message.rejected"
        delivery_events.rejected(failed[0].reply.text, now)
        for one in failed:
            delivery_events.suppress_dead(one.address, one.reply.status)
        set_rejected(tx, job.id)
    else:
        for one in failed:
            delivery_events.bounced(one.address, one.reply.status, permanent=not one.expired, at=now)
    refresh_status(tx, job.id)
    return kind


def refresh_status(tx: Tx, message_id: MessageId) -> None:
    """Bring a sent message's status in line with its recipients; a complaint or rejection stays on show."""
    set_delivery_status(tx, message_id, status_of(people_states(tx, message_id)))


class DeliveryEvents:
    """Appends the events of one sent message, and suppresses whom the news say not to write to again.

    Each fact has one id, so appending it twice adds nothing.
    """

    def __init__(
        self, tx: Tx, events: EventLog, inbox: Inbox, message_id: MessageId, *, test: bool = False
    ) -> None:
        self._tx, self._events, self._inbox, self._id, self._test = tx, events, inbox, message_id, test
        self._ref = message_ref(tx, inbox, message_id)

    def sent(self) -> None:
        """The message left: ``recipients`` are all of its envelope's, ``texts`` what it says."""
        at = now_us()

        def facts(ref: MessageRef) -> SentFacts:
            people = [one.address for one in people_of(self._tx, self._id)]
            texts = message_texts(self._tx, self._id)
            return SentFacts(message_ref=ref, timestamp=at, recipients=people, texts=texts)

        self._append("message.sent", "", facts)

    def opened(self, at: int) -> None:
        """Somebody's mail program fetched the message's tracking pixel."""
        self._append("message.opened", "", lambda ref: OutboundFacts(message_ref=ref, timestamp=at))

    def delivered(self, address: str, at: int) -> None:
        """The recipient's server has it."""

        def facts(ref: MessageRef) -> DeliveredFacts:
            return DeliveredFacts(message_ref=ref, timestamp=at, recipients=[address])

        self._append("message.delivered", address, facts)

    def delayed(self, address: str, status: str, at: int) -> None:
        """This recipient was tried, and is tried again. ``status``: RFC 3463."""
        status = one_line(status, 20) or "4.0.0"
        people = [FailedRecipient(address=address, status=status)]

        def facts(ref: MessageRef) -> DelayedFacts:
            return DelayedFacts(message_ref=ref, timestamp=at, sub_type=sub_type(status), recipients=people)

        self._append("message.delayed", address, facts)

    def bounced(self, address: str, status: str, *, permanent: bool, at: int) -> None:
        """It will not reach this recipient. ``status``: RFC 3463; ``permanent``: it was refused, not given up."""
        status = one_line(status, 20)
        if permanent:
            self.suppress_dead(address, status)

        def facts(ref: MessageRef) -> BouncedFacts:
            return BouncedFacts(
                message_ref=ref,
                timestamp=at,
                type="Permanent" if permanent and is_permanent(status) else "Transient",
                sub_type=sub_type(status),
                recipients=[FailedRecipient(address=address, status=status or "5.0.0")],
            )

        self._append("message.bounced", address, facts)

    def complained(self, kind: str, people: Iterable[str], subject: str, at: int) -> None:
        """A recipient called it unwanted (RFC 5965)."""
        people = list(people)
        suppression = type_of_feedback(kind)
        if suppression:
            for address in people:
                self._suppress(address, suppression, f"feedback report: {one_line(kind, 60)}")

        def facts(ref: MessageRef) -> ComplainedFacts:
            return ComplainedFacts(
                message_ref=ref, timestamp=at, type=kind, sub_type="feedback-report", recipients=people
            )

        self._append("message.complained", subject, facts)

    def rejected(self, reason: str, at: int) -> None:
        """It never left."""

        def facts(ref: MessageRef) -> RejectedFacts:
            return RejectedFacts(message_ref=ref, timestamp=at, reason=one_line(reason, _MAX_TEXT))

        self._append("message.rejected", "", facts)

    def suppress_dead(self, address: str, status: str) -> None:
        """Suppress an address when a permanent failure says that nobody takes mail there."""
        if is_hard_bounce(status):
            self._suppress(address, "bounce", f"permanent failure {status}")

    def _suppress(self, address: str, type: SuppressionType, reason: str) -> None:
        if is_simulated(address):
            return  # a test must be possible again
        suppress(self._tx, self._inbox.organization_id, address, type, reason=reason, message_id=self._id)

    def _append(self, kind: str, subject: str, facts: Callable[[MessageRef], OutboundFacts]) -> None:
        """``facts``: makes what the event says; called only for one that is not in the log."""
        ref = self._ref
        if ref is None:
            return
        self._events.append(
            self._tx,
            kind,
            organization_id=self._inbox.organization_id,
            pod_id=self._inbox.pod_id,
            inbox_id=self._inbox.id,
            message_id=self._id,
            subject=f"{self._id}/{subject.lower()}" if subject else self._id,
            payload=lambda: facts(ref),
            at=event_time(self._id),
            test=self._test,
        )


def sub_type(status: str) -> str:
    """The kind of bounce, from the enhanced status code (RFC 3463 §3)."""
    _, _, detail = status.partition(".")
    subject = detail.partition(".")[0]
    if detail == "1.2" or detail in HARD_BOUNCES:
        return "NoEmail"
    if detail == "2.2":
        return "MailboxFull"
    if detail in ("2.3", "3.4"):
        return "MessageTooLarge"
    if subject in ("6", "7"):
        return "ContentRejected"
    return "General"
