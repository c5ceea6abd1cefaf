"""Statements about where messages are on the mail server.

Ids of folders, locations and messages come from whoever found their inbox in its own scope, or from the engine that
reads its mailbox.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.records.folders import REMOVED, Copy, Location
from gateway.records.ids import InboxId, MessageId
from gateway.store.sql import sql
from gateway.store.transaction import Tx

Ranges = Sequence[tuple[int, int]]
"""Inclusive ranges of UIDs."""


# --- of a message ---


def copies_of(tx: Tx, message_id: MessageId) -> list[Copy]:
    """The copies of a message, the one that was found last at the beginning."""
    rows = sql(tx).rows(
        "SELECT folder.name AS folder, folder.role, folder.uidvalidity, location.uid, location.flags, "
        "location.id AS location_id FROM location JOIN folder ON folder.id = location.folder_id "
        "WHERE location.message_id = ? ORDER BY location.id DESC",
        message_id,
    )
    return [Copy(**{**row, "flags": tuple(row["flags"].split())}) for row in rows]


def is_located(tx: Tx, message_id: MessageId) -> bool:
    """Whether a message is anywhere on the mail server."""
    return sql(tx).value("SELECT 1 FROM location WHERE message_id = ? LIMIT 1", message_id) is not None


def locations_of(tx: Tx, message_id: MessageId) -> list[Location]:
    """The locations of a message."""
    return sql(tx).all(Location, "WHERE message_id = ?", message_id)


def mark_removed(tx: Tx, message_id: MessageId) -> None:
    """Note of every location of a message that the message was taken away from there."""
    sql(tx).run("UPDATE location SET message_id = ? WHERE message_id = ?", REMOVED, message_id)


# --- of a folder ---


def location_at(tx: Tx, folder_id: int, uid: int) -> Location | None:
    """What is known to be at a UID of a folder."""
    return sql(tx).one(Location, "WHERE folder_id = ? AND uid = ?", folder_id, uid)


def locations_in(tx: Tx, folder_id: int) -> list[Location]:
    """Everything that is known to be in a folder."""
    return sql(tx).all(Location, "WHERE folder_id = ?", folder_id)


def locations_in_ranges(tx: Tx, folder_id: int, ranges: Ranges) -> list[Location]:
    """What is known to be in a folder at UIDs within these ranges."""
    found: list[Location] = []
    for low, high in ranges:
        found += sql(tx).all(Location, "WHERE folder_id = ? AND uid BETWEEN ? AND ?", folder_id, low, high)
    return found


def messages_in(tx: Tx, folder_id: int) -> list[MessageId]:
    """The ids of the messages that are in a folder."""
    query = "SELECT DISTINCT message_id FROM location WHERE folder_id = ? AND message_id <> ?"
    return [row["message_id"] for row in sql(tx).rows(query, folder_id, REMOVED)]


def put_location(
    tx: Tx,
    folder_id: int,
    uid: int,
    message_id: MessageId,
    inbox_id: InboxId,
    flags: str,
    *,
    repeat: bool = False,
) -> None:
    """Note that a message is at a UID of a folder, whatever was known to be there."""
    remove_location(tx, folder_id, uid)
    row = {
        "folder_id": folder_id,
        "uid": uid,
        "message_id": message_id,
        "inbox_id": inbox_id,
        "flags": flags,
        "repeat": int(repeat),
    }
    sql(tx).insert("location", row)


def put_removed_location(tx: Tx, inbox_id: InboxId, folder: str, uidvalidity: int, uid: int) -> None:
    """Note that a message was taken away from a UID that a folder's cursor has not passed; of others nothing is
    noted."""
    sql(tx).run(
        "INSERT INTO location (folder_id, uid, message_id, inbox_id, flags) "
        "SELECT id, ?, ?, inbox_id, '' FROM folder "
        "WHERE inbox_id = ? AND name = ? AND uidvalidity = ? AND uidnext <= ? "
        "ON CONFLICT (folder_id, uid) DO UPDATE SET message_id = excluded.message_id",
        uid,
        REMOVED,
        inbox_id,
        folder,
        uidvalidity,
        uid,
    )


def change_flags(tx: Tx, location_id: int, flags: str) -> None:
    """Note the flags of a copy."""
    sql(tx).run("UPDATE location SET flags = ? WHERE id = ?", flags, location_id)


def mark_location_removed(tx: Tx, location_id: int) -> None:
    """Note that the message of a location was taken away from there."""
    sql(tx).run("UPDATE location SET message_id = ? WHERE id = ?", REMOVED, location_id)


def remove_location(tx: Tx, folder_id: int, uid: int) -> None:
    """Forget what was known to be at a UID of a folder."""
    sql(tx).run("DELETE FROM location WHERE folder_id = ? AND uid = ?", folder_id, uid)


def remove_locations(tx: Tx, folder_id: int) -> None:
    """Forget everything that was known to be in a folder."""
    sql(tx).run("DELETE FROM location WHERE folder_id = ?", folder_id)
