"""Pending flags: the index has them already of a message, and its copies on the mail server do not yet.

A change that must hold the moment it is answered (an answer marks its thread read, a message on its way gets a label)
is written into the index and noted here in one transaction. Until ``sync.pending_flags`` has stored them, the pending
flags are added to whatever the mail server reports, so no scan undoes the change. Not derived: a rebuild keeps these
rows, and with them the labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.records.ids import InboxId, MessageId, now_us
from gateway.records.mail import PendingFlags
from gateway.store.queries.locations import change_flags
from gateway.store.sql import sql
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class PendingCopy:
    """A copy on the mail server that is to get the flags ``added`` and lose those ``removed`` (blanks between)."""

    location_id: int
    uid: int
    message_id: MessageId
    folder: str
    uidvalidity: int
    added: str
    removed: str
    noted_at: int


def add_pending(
    tx: Tx, inbox_id: InboxId, message_id: MessageId, *, add: Iterable[str] = (), remove: Iterable[str] = ()
) -> None:
    """Note flags to set and to clear on every copy of a message, present or future. The later change wins."""
    more, less = set(add), set(remove)
    pending = _pending(tx, message_id)
    if pending is None:
        sql(tx).add(PendingFlags(message_id, inbox_id, _text(more), _text(less), now_us()))
        return
    changes = {
        "added": _text((pending.to_add - less) | more),
        "removed": _text((pending.to_remove - more) | less),
        "noted_at": max(now_us(), pending.noted_at + 1),
    }
    sql(tx).update("flags_owed", "message_id", message_id, changes)


def copies_with_pending(tx: Tx, inbox_id: InboxId, most: int) -> list[PendingCopy]:
    """Up to ``most`` copies in the mailbox of an inbox that do not have their flags yet."""
    rows = sql(tx).rows(
        "SELECT location.id AS location_id, location.uid, location.message_id, folder.name AS folder, "
        "folder.uidvalidity, flags_owed.added, flags_owed.removed, flags_owed.noted_at "
        "FROM flags_owed JOIN location ON location.message_id = flags_owed.message_id "
        "JOIN folder ON folder.id = location.folder_id "
        "WHERE flags_owed.inbox_id = ? ORDER BY location.id LIMIT ?",
        inbox_id,
        most,
    )
    return [PendingCopy(**row) for row in rows]


def note_stored(tx: Tx, copy: PendingCopy, flags: Iterable[str]) -> None:
    """A copy has these flags now. What was noted for its message since the copy was read stays pending."""
    change_flags(tx, copy.location_id, " ".join(flags))
    sql(tx).run(
        "DELETE FROM flags_owed WHERE message_id = ? AND noted_at = ?", copy.message_id, copy.noted_at
    )


def drop_pending(tx: Tx, message_id: MessageId, flags: Iterable[str]) -> None:
    """These flags were just set or cleared on the mail server by another way: they are pending no more."""
    pending = _pending(tx, message_id)
    if pending is None:
        return
    done = set(flags)
    added, removed = pending.to_add - done, pending.to_remove - done
    if added or removed:
        sql(tx).update(
            "flags_owed", "message_id", message_id, {"added": _text(added), "removed": _text(removed)}
        )
    else:
        sql(tx).run("DELETE FROM flags_owed WHERE message_id = ?", message_id)


def with_pending(tx: Tx, message_id: MessageId, flags: Iterable[str]) -> list[str]:
    """The flags of a copy as they will be when those that are pending are stored."""
    pending = _pending(tx, message_id)
    if pending is None:
        return list(flags)
    gone = {one.lower() for one in pending.to_remove}
    kept = [one for one in flags if one.lower() not in gone]
    known = {one.lower() for one in kept}
    return kept + [one for one in sorted(pending.to_add) if one.lower() not in known]


def _pending(tx: Tx, message_id: MessageId) -> PendingFlags | None:
    return sql(tx).one(PendingFlags, "WHERE message_id = ?", message_id)


def _text(flags: Iterable[str]) -> str:
    return " ".join(sorted(flags))
