"""The time that a message is listed under: to the millisecond, and none twice.

Received and Date fields have whole seconds, and so has INTERNALDATE. A reader that asks for what is newer than the
newest message it has seen would miss what comes later in the same second. So a message is given the next millisecond
that is free in its organization, after what was delivered before it. Where that is not the time the message names, it
is kept as a record, so that a rebuild and a restored backup list it there again; ids and event ids hold only seconds.
"""

from __future__ import annotations

from gateway.records.ids import MessageId, OrganizationId, ulid_time_us
from gateway.records.inboxes import Inbox
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_SECOND_US = 1_000_000
_STEP_US = 1_000  # the dialects show milliseconds
_LIVE_US = 3600 * _SECOND_US
"""Mail that was delivered later than this after the time it names is history that somebody filed."""


def listing_time(tx: Tx, organization_id: OrganizationId, at: int, delivered: int) -> int:
    """The µs that a new message is listed under: ``at``, or a whole millisecond after it.

    Args:
        at: when it was received or sent, by the message itself, µs.
        delivered: when it was put into its mailbox (INTERNALDATE), µs.
    """
    end = (max(at, delivered) if delivered - at <= _LIVE_US else at) // _SECOND_US * _SECOND_US + _SECOND_US
    while (
        last := sql(tx).value(
            "SELECT max(timestamp) FROM message WHERE organization_id = ? AND timestamp >= ? AND timestamp < ?",
            organization_id,
            at,
            end,
        )
    ) is not None:
        at = last - last % _STEP_US + _STEP_US
        if at < end:
            break
        end += _SECOND_US
    return at


def place_in_time(tx: Tx, inbox: Inbox, message_id: MessageId, at: int, delivered: int) -> int:
    """``listing_time`` of a new message of ``inbox``, kept."""
    listed = listing_time(tx, inbox.organization_id, at, delivered)
    if listed != at:
        row = {"message_id": message_id, "inbox_id": inbox.id, "at": listed}
        sql(tx).run("DELETE FROM listing_time WHERE message_id = ?", message_id)
        sql(tx).insert("listing_time", row)
    return listed


def time_again(tx: Tx, inbox: Inbox, message_id: MessageId, at: int, delivered: int) -> int:
    """What a message that is read anew was listed under: ``at`` where nothing else is kept.

    Where that is another's time (what was kept is lost), it is given a new one, which is kept: the next time that it is
    read, perhaps from another folder, it is listed there again.
    """
    kept = sql(tx).value("SELECT at FROM listing_time WHERE message_id = ?", message_id)
    if kept is not None:
        return int(kept)
    query = "SELECT 1 FROM message WHERE organization_id = ? AND timestamp = ? LIMIT 1"
    if sql(tx).value(query, inbox.organization_id, at) is None:
        return at
    return place_in_time(tx, inbox, message_id, at, delivered)


def event_time(message_id: MessageId) -> int:
    """The µs that enter the ids of a message's events: the second in its id, which a rebuild finds again."""
    at = ulid_time_us(message_id)
    return at - at % _SECOND_US
