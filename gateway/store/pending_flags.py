"""Flags that the mail server is owed: what the index says already of a message, and its copies there do not yet.

A change that must hold the moment it is answered (an answer marks its thread read, a message on its way gets a label)
is written into the index and noted here in one transaction. Until it is paid (``sync.pending_flags``) every look at the
server's flags is read with what is owed, so no pass undoes it. Not derived: a rebuild keeps these rows, and with them
the labels.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.store.engine import Tx
from gateway.store.ids import now_us


def owe(
    tx: Tx, inbox_id: str, message_id: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()
) -> None:
    """Note flags to set and to clear wherever a message stands, or will. The later wish wins."""
    row = tx.row("SELECT * FROM flags_owed WHERE message_id = ?", message_id)
    added, removed = _sets(row["added"], row["removed"]) if row else (set(), set())
    more, less = set(add), set(remove)
    values = {
        "added": _text((added - less) | more),
        "removed": _text((removed - more) | less),
        "noted_at": max(now_us(), row["noted_at"] + 1 if row else 0),
    }
    if row:
        tx.update("flags_owed", "message_id", message_id, values)
    else:
        tx.insert("flags_owed", {"message_id": message_id, "inbox_id": inbox_id, **values})


def forgive(tx: Tx, message_id: str, flags: Iterable[str]) -> None:
    """These flags were just set or cleared on the server by another way: nothing is owed of them any more."""
    row = tx.row("SELECT added, removed FROM flags_owed WHERE message_id = ?", message_id)
    if row is None:
        return
    done = set(flags)
    added, removed = (one - done for one in _sets(row["added"], row["removed"]))
    if added or removed:
        tx.update("flags_owed", "message_id", message_id, {"added": _text(added), "removed": _text(removed)})
    else:
        tx.run("DELETE FROM flags_owed WHERE message_id = ?", message_id)


def with_owed(tx: Tx, message_id: str, flags: Iterable[str]) -> list[str]:
    """The flags of a copy as they will be when all is paid."""
    row = tx.row("SELECT added, removed FROM flags_owed WHERE message_id = ?", message_id)
    if row is None:
        return list(flags)
    added, removed = _sets(row["added"], row["removed"])
    gone = {one.lower() for one in removed}
    kept = [one for one in flags if one.lower() not in gone]
    known = {one.lower() for one in kept}
    return kept + [one for one in sorted(added) if one.lower() not in known]


def _sets(added: str, removed: str) -> tuple[set[str], set[str]]:
    return set(added.split()), set(removed.split())


def _text(flags: Iterable[str]) -> str:
    return " ".join(sorted(flags))
