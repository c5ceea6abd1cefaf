"""Statements about what was said of the recipients of accepted messages."""

from __future__ import annotations

from gateway.records.ids import MessageId
from gateway.records.outbox import OutboxReply, RecipientState, ReplySource
from gateway.store.sql import sql
from gateway.store.transaction import Tx

KEPT_ATTEMPTS = 60
"""Of how many attempts of a message the replies are kept: the first, and the last ones. The schedule makes about forty
in five days."""
_MAX_TEXT = 500


def replies_of(tx: Tx, outbox_id: MessageId, most: int) -> list[OutboxReply]:
    """The first ``most`` replies about a message, in the order in which they came."""
    return sql(tx).all(OutboxReply, "WHERE outbox_id = ? ORDER BY id LIMIT ?", outbox_id, most)


def add_reply(
    tx: Tx,
    outbox_id: MessageId,
    address: str,
    source: ReplySource,
    state: RecipientState,
    at: int,
    *,
    number: int = 0,
    code: int | None = None,
    status: str | None = None,
    said: str | None = None,
    remote: str | None = None,
) -> None:
    """Keep a reply about a recipient. ``said`` is cut to 500 characters; the Sent copy's own address is no
    recipient and must not get here."""
    sql(tx).insert(
        "outbox_reply",
        {
            "outbox_id": outbox_id,
            "address": address,
            "source": source,
            "state": state,
            "number": number,
            "code": code,
            "status": status or None,
            "said": (said or "")[:_MAX_TEXT] or None,
            "remote": remote or None,
            "at": at,
        },
    )


def note_next_attempt(tx: Tx, outbox_id: MessageId, number: int, next_at: int) -> None:
    """Note until when the recipients that attempt ``number`` left queued are put off (µs), and forget the oldest
    attempts but the first when there are too many."""
    sql(tx).run(
        "UPDATE outbox_reply SET next_at = ? WHERE outbox_id = ? AND number = ? AND state = 'queued'",
        next_at,
        outbox_id,
        number,
    )
    if number > KEPT_ATTEMPTS:
        sql(tx).run(
            "DELETE FROM outbox_reply WHERE outbox_id = ? AND number > 1 AND number <= ?",
            outbox_id,
            number - KEPT_ATTEMPTS,
        )
