"""Messages that were indexed without having been read: process after process died, or had no time
(``mime.workers.parser_pool``).

What their header block says is shown meanwhile. They are read again after a start of the gateway, and now and then
(``sync.reread``); what is found then takes its place, under the same id.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from gateway.mime.types import ParsedMessage
from gateway.records.ids import InboxId, MessageId, OrganizationId, now_us
from gateway.store import message_columns, threads
from gateway.store.contacts import with_contacts
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_FIRST_US, _LONGEST_US = 300_000_000, 86_400_000_000


def note(tx: Tx, inbox_id: InboxId, message_id: MessageId) -> None:
    """A message was indexed that is still to be read."""
    row = {"message_id": message_id, "inbox_id": inbox_id, "due_at": now_us() + _FIRST_US, "tries": 0}
    sql(tx).insert("reread", row, ignore=True)


@dataclass(frozen=True, slots=True)
class Due:
    """A message that is to be read again, and where it is: None where it is nowhere yet."""

    message_id: MessageId
    tries: int
    folder: str | None
    uidvalidity: int | None
    uid: int | None


def due(tx: Tx, inbox_id: InboxId, most: int, *, everything: bool) -> list[Due]:
    """Up to ``most`` messages of an inbox that are to be read now (``everything``: whatever their time)."""
    rows = sql(tx).rows(
        "SELECT reread.message_id, reread.tries, folder.name AS folder, folder.uidvalidity, location.uid FROM reread "
        "LEFT JOIN location ON location.id = "
        "(SELECT max(id) FROM location WHERE location.message_id = reread.message_id) "
        "LEFT JOIN folder ON folder.id = location.folder_id "
        "WHERE reread.inbox_id = ? AND (? = 1 OR reread.due_at <= ? OR reread.due_at > ?) "
        "ORDER BY reread.due_at LIMIT ?",
        inbox_id,
        int(everything),
        now := now_us(),
        now + 2 * _LONGEST_US,  # the clock was set back since
        most,
    )
    return [Due(**row) for row in rows]


def put_off(tx: Tx, message_id: MessageId, tries: int) -> None:
    """It could not be read once more: the pauses grow to a day."""
    pause = min(_FIRST_US << min(tries, 10), _LONGEST_US)
    sql(tx).run(
        "UPDATE reread SET tries = ?, due_at = ? WHERE message_id = ?",
        tries + 1,
        now_us() + pause,
        message_id,
    )


def replace(tx: Tx, message_id: MessageId, parsed: ParsedMessage) -> bool:
    """Put what was read in place of what the header block said. False when the message is gone."""
    sql(tx).run("DELETE FROM reread WHERE message_id = ?", message_id)
    row = sql(tx).row(
        "SELECT seq, thread_id, organization_id, inbox_id, direction, timestamp FROM message WHERE id = ?",
        message_id,
    )
    if row is None:
        return False
    if row["direction"] == "inbound":
        organization_id, inbox_id = OrganizationId(row["organization_id"]), InboxId(row["inbox_id"])
        traits = with_contacts(tx, organization_id, inbox_id, parsed, row["timestamp"])
        parsed = msgspec.structs.replace(parsed, traits=traits)
    changes = message_columns.of_message(parsed) | {"updated_at": now_us()}
    sql(tx).update("message", "id", message_id, changes)
    sql(tx).update("message_body", "message_id", message_id, message_columns.of_body(parsed))
    sql(tx).run("DELETE FROM message_search WHERE rowid = ?", row["seq"])
    message_columns.make_searchable(tx, int(row["seq"]), parsed)
    threads.refresh(tx, row["thread_id"], now_us())
    return True
