"""What was sent already though the database does not know it: it was restored from a backup older than the send.

The identity of what a request sends under an idempotency key (or of what a draft becomes) is derived from that key, and
is in the Message-ID of its copy in Sent. So whoever repeats the request after such a restore is answered with the
message that left, and it does not leave twice. Found in the index, which has the copies in Sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gateway.core.context import Core
from gateway.core.idempotency import Completion, complete
from gateway.core.mail.server_copy import parse_whole, whole_message
from gateway.core.sent import Sent
from gateway.records.ids import MESSAGE_ID, ULID_TIME, InboxId, MessageId, ulid_time_us
from gateway.records.inboxes import Inbox
from gateway.store.queries.sent_messages import IndexedSend, send_unknown_to_outbox
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Once:
    """What is sent once: ``work``, a ULID whose random part names it, and since when (µs) it may have been sent."""

    work: str
    since: int


def own_ulid(at: int, once: Once | None) -> MessageId:
    """The ULID of what is sent at ``at`` (µs)."""
    made = MESSAGE_ID.new(at)
    return made if once is None else MessageId(made[:ULID_TIME] + once.work[ULID_TIME:])


async def sent_before(
    core: Core,
    inbox: Inbox,
    once: Once,
    completion: Completion | None,
    also: Callable[[Tx], None] | None,
) -> Sent | None:
    """What was sent from an inbox as ``once`` says, when the outbox knows nothing of it: ``also`` is done and the claim
    completed as if it were sent now. Raises NotFound, Unavailable when its copy cannot be read."""
    row = await core.store.read(partial(_find, inbox_id=inbox.id, once=once))
    if row is None:
        return None
    parsed = await parse_whole(core, await whole_message(core, inbox, row.id))
    sent = Sent(row.id, row.thread_id, ulid_time_us(row.id), parsed, parsed.bcc)

    def write(tx: Tx) -> None:
        if also is not None:
            also(tx)
        if completion is not None:
            complete(tx, completion.claim, *completion.render(sent))

    await core.store.write(write)
    return sent


def _find(tx: Tx, inbox_id: InboxId, once: Once) -> IndexedSend | None:
    return send_unknown_to_outbox(tx, inbox_id, once.work[ULID_TIME:], once.since)
