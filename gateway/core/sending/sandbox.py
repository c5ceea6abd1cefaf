"""What becomes of a message that is sent with a sandbox key: it is recorded, its events are sent, and nothing leaves.

Every address takes it. Those of the simulator do what they are called, at once: what they answer is a test message too,
in the index and in no mailbox, as the sandbox's own sends are. The outbox keeps its octets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.context import Core
from gateway.events.merged_threads import announce_merged
from gateway.events.payload import message_snapshot
from gateway.mime.types import ParsedMessage
from gateway.outbox.queue import enqueue, recipient_tokens, return_path, return_path_of, token_of
from gateway.outbox.record import DeliveryEvents, refresh_status
from gateway.outbox.simulator.answers import Answer, Original, answer_to
from gateway.outbox.simulator.behaviour import Behaviour, behaviour_of
from gateway.outbox.simulator.replies import SOFT_FAILURES, reply_of
from gateway.records.ids import MESSAGE_ID, MessageId, now_us
from gateway.records.inboxes import Inbox
from gateway.records.outbox import OutboxRecipient
from gateway.records.simulator import SIMULATOR_DOMAIN, is_simulated
from gateway.store import daily_counts, index, threads
from gateway.store.arrival_time import event_time
from gateway.store.queries.outbox import change_recipient, people_of
from gateway.store.queries.sent_messages import set_complained
from gateway.store.transaction import Tx
from mailserver.base import RecipientReply
from mailserver.simulated import results_field

_REPORTS = ("complaint", "dsn-late")  # are events here, and no mails


@dataclass(frozen=True, slots=True)
class Coming:
    """A mail that the simulator answers with, as the mail server would store it, and what a reader sees of it."""

    answer: Answer
    raw: bytes
    parsed: ParsedMessage


async def coming_back(
    core: Core, inbox: Inbox, message_id: MessageId, raw: bytes, text: str, people: Sequence[str], at: int
) -> list[Coming]:
    """The mails that simulated recipients answer with. ``raw``, ``text``, ``at``: of the message that is sent."""
    token, tokens = token_of(core.secret, message_id), recipient_tokens(core.secret, message_id, people)
    hostname = core.settings.mail.hostname or f"mail.{core.settings.mail.domain}"
    found = []
    for number, address in enumerate(people):
        behaviour = _behaviour(core, address)
        if behaviour is None or behaviour.kind in _REPORTS:
            continue
        path = return_path_of(return_path(inbox.address, token), tokens.get(address.lower(), ""))
        original = Original(
            raw=raw,
            recipient=address.lower(),
            mail_from=path,
            to=inbox.address,
            token=token,
            text=text,
            at=at,
        )
        answer = answer_to(original, behaviour, f"<sim_{message_id}.{number}@{SIMULATOR_DOMAIN}>")
        if answer is not None:
            stored = results_field(hostname, answer.mail_from) + answer.raw
            found.append(Coming(answer, stored, await core.parser.parse(stored)))
    return found


def pretend(core: Core, tx: Tx, inbox: Inbox, message_id: MessageId, coming: Sequence[Coming]) -> None:
    """Record what became of a sandbox send that is in the outbox, and receive what comes back."""
    events = DeliveryEvents(tx, core.events, inbox, message_id, test=True)
    now = now_us()
    taken: list[OutboxRecipient] = []
    failed: list[tuple[OutboxRecipient, RecipientReply]] = []
    everyone = people_of(tx, message_id)
    for one in everyone:
        if not _simulated(core, one.address):
            taken.append(one)
            continue
        behaviour = behaviour_of(one.address)
        first, last = reply_of(behaviour, 1), reply_of(behaviour, SOFT_FAILURES + 1)
        if not first.ok and not first.permanent:
            events.delayed(one.address, first.status, now)
        if last.ok:
            taken.append(one)
        else:
            failed.append((one, last))
    if taken:
        events.sent()
    for one in taken:
        events.delivered(one.address, now)
    for one in taken:
        behaviour = _behaviour(core, one.address)
        if behaviour is not None and behaviour.kind == "dsn-late":
            failed.append((one, RecipientReply(behaviour.code, behaviour.status, "", SIMULATOR_DOMAIN)))
        elif behaviour is not None and behaviour.kind == "complaint":
            events.complained("abuse", [one.address], one.address.lower(), now)
            set_complained(tx, message_id)
    for one, reply in failed:
        _bounce(tx, one, reply, now)
        events.bounced(one.address, reply.status, permanent=reply.permanent, at=now)
    refresh_status(tx, message_id)
    for mail in coming:
        if daily_counts.counted(tx, inbox.id, "simulated") < core.settings.simulator.answers_per_day:
            daily_counts.count(tx, inbox.id, "simulated", 1)
            _receive(core, tx, inbox, mail)


def _bounce(tx: Tx, person: OutboxRecipient, reply: RecipientReply, now: int) -> None:
    change_recipient(
        tx,
        person.id,
        state="bounced",
        code=reply.code,
        status=reply.status,
        diagnostic=reply.text,
        remote=reply.remote,
        updated_at=now,
    )


def _receive(core: Core, tx: Tx, inbox: Inbox, mail: Coming) -> None:
    """Index a mail that came in the sandbox, with its event."""
    answer, message_id, now = mail.answer, MESSAGE_ID.new(), now_us()
    placed = index.insert_message(
        tx, inbox, message_id, mail.parsed, direction="inbound", status="received", at=now, test=True
    )
    labels = index.sandbox_labels(mail.parsed)
    index.set_labels(tx, inbox, message_id, labels, new=True)
    threads.refresh(tx, placed.thread_id, now)
    announce_merged(tx, core.events, inbox, message_id, placed, test=True)
    enqueue(
        tx,
        outbox_id=message_id,
        organization_id=inbox.organization_id,
        inbox_id=inbox.id,
        mail_from=answer.mail_from,
        message_id=answer.message_id,
        token=message_id,
        mime=mail.raw,
        recipients=[(inbox.address, "to")],
        delivered=True,
    )
    core.events.append(
        tx,
        "message.received.unauthenticated" if "unauthenticated" in labels else "message.received",
        organization_id=inbox.organization_id,
        pod_id=inbox.pod_id,
        inbox_id=inbox.id,
        message_id=message_id,
        subject=message_id,
        payload=message_snapshot(tx, message_id),
        at=event_time(message_id),
        test=True,
    )


def _simulated(core: Core, address: str) -> bool:
    return core.settings.simulator.enabled and is_simulated(address)


def _behaviour(core: Core, address: str) -> Behaviour | None:
    return behaviour_of(address) if _simulated(core, address) else None
