"""The outbound queue: accepted messages without a final delivery status, and Postfix's own queue. The routes are
Postern's own; ``postern queue`` uses them. Every key lists the messages of its inboxes; only the operator's key
retries and drops.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.api.times import iso_of
from gateway.core.access import operator_only, reads
from gateway.core.sending import queue, relay_queue
from gateway.records.ids import INBOX_ID
from gateway.store.queries.outbox import WaitingMessage
from mailserver.postfix_dovecot.queue import Queued

table = Table("Queue")
Doc = msgspec.Meta


class QueueQuery(PageQuery, kw_only=True):
    inbox_id: Annotated[str | None, Doc(description="only what this inbox sent (id or address)")] = None


class RetryQuery(msgspec.Struct):
    inbox_id: Annotated[str | None, Doc(description="only what this inbox sent (id or address)")] = None


class QueueRecipient(msgspec.Struct):
    """A recipient of a message in the queue, with the last reply of its mail server."""

    address: str
    role: Annotated[str, Doc(description="to, cc or bcc; copy: the copy for the Sent folder")]
    state: Annotated[str, Doc(description="queued, attempting, sent, delivered or bounced")]
    attempts: int
    code: Annotated[int | None, Doc(description="SMTP reply code (RFC 5321)")]
    status: Annotated[str | None, Doc(description="enhanced status code (RFC 3463)")]
    reply: Annotated[str | None, Doc(description="the text of the reply")]
    remote: Annotated[str | None, Doc(description="the mail server that replied")]
    updated_at: str


class QueueItem(msgspec.Struct):
    """A message in the queue."""

    id: Annotated[
        str,
        Doc(description="msg_… when the API sent it, out_… when a mail client submitted it"),
    ]
    inbox_id: str
    inbox: Annotated[str | None, Doc(description="the inbox's address")]
    subject: str | None
    size: int
    attempts: int
    sending: Annotated[bool, Doc(description="an attempt is under way")]
    paused: Annotated[bool, Doc(description="it is due, and waits for the end of a pause")]
    next_attempt_at: Annotated[
        str | None, Doc(description="null while an attempt is under way, and while it is paused")
    ]
    created_at: str
    recipients: list[QueueRecipient]


class Retried(msgspec.Struct):
    """How many waiting messages are tried now."""

    count: int


class Dropped(msgspec.Struct):
    """The recipients that will not get the message."""

    id: str
    dropped: list[str]


class RelayItem(msgspec.Struct):
    """A message in Postfix's queue."""

    queue_id: str
    queue: Annotated[str, Doc(description="incoming, active, deferred or hold")]
    sender: str
    size: int
    created_at: str
    message_id: Annotated[str | None, Doc(description="msg_… when this gateway sent it")]
    recipients: list[RelayRecipient]


class RelayRecipient(msgspec.Struct):
    """A recipient of a message in Postfix's queue."""

    address: str
    reply: Annotated[str | None, Doc(description="why the message waits")]


class RelayQueue(msgspec.Struct):
    """Postfix's queue, the oldest first; ``total`` also counts messages that are not listed. Empty without Postfix."""

    total: int
    messages: list[RelayItem]


_FIX = "run `postern queue` on the gateway's machine"


@table.get("/queue", rows=("queue", QueueItem), access=reads("message_read"))
async def list_queue(call: Call[NoBody, QueueQuery]) -> dict[str, Any]:
    """List the accepted messages without a final delivery status, oldest first."""
    paging = read_paging(call.query, call.core.secret, ascending=True)
    listing = await queue.list_queue(call.core, call.scope, call.query.inbox_id, paging.window)
    return answer(call, listing, paging, "queue", queue_item)


@table.get("/queue/{queue_id}", access=reads("message_read"))
async def get_queued(call: Call[NoBody, NoQuery]) -> QueueItem:
    """Get one message of the queue."""
    return queue_item(await queue.get(call.core, call.scope, call.ids["queue_id"]))


@table.post("/queue/retry", access=operator_only(_FIX))
async def retry_all(call: Call[NoBody, RetryQuery]) -> Retried:
    """Try all waiting messages now."""
    return Retried(await queue.retry_all(call.core, call.scope, call.query.inbox_id))


@table.post("/queue/{queue_id}/retry", access=operator_only(_FIX))
async def retry(call: Call[NoBody, NoQuery]) -> QueueItem:
    """Try a waiting message now."""
    return queue_item(await queue.retry(call.core, call.scope, call.ids["queue_id"]))


@table.post("/queue/{queue_id}/drop", access=operator_only(_FIX))
async def drop(call: Call[NoBody, NoQuery]) -> Dropped:
    """Stop delivery to the recipients of a message that do not have it yet; they are reported as bounced."""
    found, dropped = await queue.drop(call.core, call.scope, call.ids["queue_id"])
    return Dropped(found.public_id, dropped)


@table.get("/relay-queue", access=operator_only(_FIX))
async def list_relay_queue(call: Call[NoBody, NoQuery]) -> RelayQueue:
    """List what waits in Postfix's queue."""
    total, found = await relay_queue.list_queue(call.core)
    return RelayQueue(total, [_relay_item(one, message) for one, message in found])


@table.post("/relay-queue/{queue_id}/retry", access=operator_only(_FIX))
async def retry_relay(call: Call[NoBody, NoQuery]) -> None:
    """Have Postfix try a message of its queue now."""
    await relay_queue.retry(call.core, call.ids["queue_id"])


@table.post("/relay-queue/retry", access=operator_only(_FIX))
async def retry_relay_all(call: Call[NoBody, NoQuery]) -> Retried:
    """Have Postfix try its whole queue now."""
    return Retried(await relay_queue.retry_all(call.core))


def queue_item(found: WaitingMessage) -> QueueItem:
    """A message in the queue."""
    entry = found.entry
    sending = entry.claimed_until is not None
    return QueueItem(
        id=found.public_id,
        inbox_id=found.inbox or INBOX_ID.public(entry.inbox_id),
        inbox=found.inbox,
        subject=found.subject,
        size=entry.size,
        attempts=entry.attempts,
        sending=sending,
        paused=found.parked,
        next_attempt_at=None if sending or found.parked else iso_of(entry.next_at),
        created_at=iso_of(entry.created_at),
        recipients=[
            QueueRecipient(
                address=one.address,
                role="copy" if one.role == "sent" else one.role,
                state=one.state,
                attempts=one.attempts,
                code=one.code,
                status=one.status or None,
                reply=one.diagnostic or None,
                remote=one.remote or None,
                updated_at=iso_of(one.updated_at),
            )
            for one in found.recipients
        ],
    )


def _relay_item(one: Queued, message: str | None) -> RelayItem:
    return RelayItem(
        queue_id=one.queue_id,
        queue=one.queue,
        sender=one.sender,
        size=one.size,
        created_at=iso_of(int(one.arrived * 1_000_000)),
        message_id=message,
        recipients=[RelayRecipient(address, reason or None) for address, reason in one.recipients],
    )
