"""Statements about the folders of an inbox's mailbox, as far as they have been read.

An inbox's id comes from whoever found the inbox in its own scope, or from the engine that reads its mailbox.
"""

from __future__ import annotations

from gateway.records.folders import Folder, FolderRole
from gateway.records.ids import InboxId, now_us
from gateway.store.sql import sql
from gateway.store.transaction import Tx


def folders_of(tx: Tx, inbox_id: InboxId) -> list[Folder]:
    """The folders of an inbox."""
    return sql(tx).all(Folder, "WHERE inbox_id = ?", inbox_id)


def folder_named(tx: Tx, inbox_id: InboxId, name: str) -> Folder | None:
    """The folder of an inbox with this name."""
    return sql(tx).one(Folder, "WHERE inbox_id = ? AND name = ?", inbox_id, name)


def save_folder(
    tx: Tx,
    inbox_id: InboxId,
    name: str,
    role: FolderRole,
    *,
    uidvalidity: int,
    uidnext: int,
    highestmodseq: int,
) -> int:
    """Write a folder and how far it has been read, now; returns its id."""
    saved = sql(tx).value(
        "INSERT INTO folder (inbox_id, name, role, uidvalidity, uidnext, highestmodseq, synced_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (inbox_id, name) DO UPDATE SET role = excluded.role, "
        "uidvalidity = excluded.uidvalidity, uidnext = excluded.uidnext, "
        "highestmodseq = excluded.highestmodseq, synced_at = excluded.synced_at RETURNING id",
        inbox_id,
        name,
        role,
        uidvalidity,
        uidnext,
        highestmodseq,
        now_us(),
    )
    return int(saved)


def add_unread_folder(tx: Tx, inbox_id: InboxId, name: str, role: str, uidvalidity: int) -> None:
    """Note a folder of which nothing has been read; one that is known stays as it is."""
    row = {
        "inbox_id": inbox_id,
        "name": name,
        "role": role,
        "uidvalidity": uidvalidity,
        "uidnext": 1,
        "highestmodseq": 0,
        "synced_at": 0,
    }
    sql(tx).insert("folder", row, ignore=True)


def change_highestmodseq(tx: Tx, folder_id: int, highestmodseq: int) -> None:
    """Note up to which MODSEQ the changes of a folder were read."""
    sql(tx).run("UPDATE folder SET highestmodseq = ? WHERE id = ?", highestmodseq, folder_id)


def remove_folder(tx: Tx, folder_id: int) -> None:
    """Forget a folder with the locations in it."""
    sql(tx).run("DELETE FROM location WHERE folder_id = ?", folder_id)
    sql(tx).run("DELETE FROM folder WHERE id = ?", folder_id)
