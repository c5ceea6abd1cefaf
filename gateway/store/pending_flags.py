"""Flags that the mail server is owed: what the index says already of a message, and its copies there do not yet.

A change that must hold the moment it is answered (an answer marks its thread read, a message on its way gets a label)
is written into the index and noted here in one transaction. Until it is paid (``sync.pending_flags``) every look at the
server's flags is read with what is owed, so no pass undoes it. Not derived: a rebuild keeps these rows, and with them
the labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.records.mail import FlagsOwed
from gateway.store.ids import now_us
from gateway.store.queries.locations import change_flags
from gateway.store.sql import sql
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class OwedCopy:
    """A copy on the mail server that is to get the flags ``added`` and lose those ``removed`` (blanks between)."""

    location_id: int
    uid: int
    message_id: str
    folder: str
    uidvalidity: int
    added: str
    removed: str
    noted_at: int


def owe(
    tx: Tx, inbox_id: str, message_id: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()
) -> None:
    """Note flags to set and to clear wherever a message stands, or will. The later wish wins."""
    more, less = set(add), set(remove)
    owed = _owed(tx, message_id)
    if owed is None:
        sql(tx).add(FlagsOwed(message_id, inbox_id, _text(more), _text(less), now_us()))
        return
    changes = {
        "added": _text((owed.to_add - less) | more),
        "removed": _text((owed.to_remove - more) | less),
        "noted_at": max(now_us(), owed.noted_at + 1),
    }
    sql(tx).update("flags_owed", "message_id", message_id, changes)


def owed_copies(tx: Tx, inbox_id: str, most: int) -> list[OwedCopy]:
    """Up to ``most`` copies in the mailbox of an inbox that do not bear their flags yet."""
    rows = sql(tx).rows(
        "SELECT location.id AS location_id, location.uid, location.message_id, folder.name AS folder, "
        "folder.uidvalidity, flags_owed.added, flags_owed.removed, flags_owed.noted_at "
        "FROM flags_owed JOIN location ON location.message_id = flags_owed.message_id "
        "JOIN folder ON folder.id = location.folder_id "
        "WHERE flags_owed.inbox_id = ? ORDER BY location.id LIMIT ?",
        inbox_id,
        most,
    )
    return [OwedCopy(**row) for row in rows]


def settle(tx: Tx, copy: OwedCopy, flags: Iterable[str]) -> None:
    """A copy bears these flags now. What was owed to its message since the copy was read stays owed."""
    change_flags(tx, copy.location_id, " ".join(flags))
    sql(tx).run(
        "DELETE FROM flags_owed WHERE message_id = ? AND noted_at = ?", copy.message_id, copy.noted_at
    )


def forgive(tx: Tx, message_id: str, flags: Iterable[str]) -> None:
    """These flags were just set or cleared on the server by another way: nothing is owed of them any more."""
    owed = _owed(tx, message_id)
    if owed is None:
        return
    done = set(flags)
    added, removed = owed.to_add - done, owed.to_remove - done
    if added or removed:
        sql(tx).update(
            "flags_owed", "message_id", message_id, {"added": _text(added), "removed": _text(removed)}
        )
    else:
        sql(tx).run("DELETE FROM flags_owed WHERE message_id = ?", message_id)


def with_owed(tx: Tx, message_id: str, flags: Iterable[str]) -> list[str]:
    """The flags of a copy as they will be when all is paid."""
    owed = _owed(tx, message_id)
    if owed is None:
        return list(flags)
    gone = {one.lower() for one in owed.to_remove}
    kept = [one for one in flags if one.lower() not in gone]
    known = {one.lower() for one in kept}
    return kept + [one for one in sorted(owed.to_add) if one.lower() not in known]


def _owed(tx: Tx, message_id: str) -> FlagsOwed | None:
    return sql(tx).one(FlagsOwed, "WHERE message_id = ?", message_id)


def _text(flags: Iterable[str]) -> str:
    return " ".join(sorted(flags))
