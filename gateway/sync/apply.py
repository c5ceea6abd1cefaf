"""Writing what a pass read: messages, threads, events and the cursor in one transaction (DESIGN §1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from gateway.events.log import EventLog
from gateway.events.payload import message_snapshot
from gateway.mime.types import ParsedMessage
from gateway.outbox.reports import apply_report
from gateway.store import index, threads
from gateway.store.arrival_time import event_time
from gateway.store.attachment_text import save_texts
from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us
from gateway.store.labels import IMPORTED
from gateway.sync.extraction import Texts
from gateway.sync.fetch import Cursor, Delta, FolderState, Found


class InboxGone(Exception):
    """The inbox was deleted while it was being read; nothing was written."""


class MayHaveMoved(Exception):
    """A message stands nowhere that we know of; it may stand where we have not looked since."""


def _still_there(tx: Tx, inbox: Row) -> None:
    if (
        tx.value("SELECT 1 FROM inbox WHERE id = ? AND status IN ('active', 'suspended')", inbox["id"])
        is None
    ):
        raise InboxGone(inbox["address"])


class DraftSink(Protocol):
    """Who keeps the drafts that stand in the Drafts folder (``gateway.core`` hands itself in)."""

    def note(self, tx: Tx, inbox: Row, uid: int, uidvalidity: int, parsed: ParsedMessage) -> None:
        """A message stands in Drafts."""

    def drop(self, tx: Tx, inbox: Row, uid: int) -> None:
        """A UID vanished from Drafts."""


def cursors_of(tx: Tx, inbox_id: str) -> dict[str, Cursor]:
    """The cursors of an inbox by folder name."""
    return {
        row["name"]: Cursor(row["role"], row["uidvalidity"], row["uidnext"], row["highestmodseq"])
        for row in tx.rows("SELECT * FROM folder WHERE inbox_id = ?", inbox_id)
    }


def write_batch(
    tx: Tx,
    inbox: Row,
    delta: Delta,
    parsed: Sequence[ParsedMessage],
    *,
    events: EventLog,
    drafts: DraftSink,
    extra: Sequence[Iterable[str]],
    texts: Texts,
    announce_since: int | None,
) -> list[index.Indexed | None]:
    """Index one batch, apply its flag changes and move the cursor. Vanished UIDs are not touched here.

    Answers what became of each message; None of one that we have deleted or moved since it was read.

    ``announce_since``: events for mail received since then (µs); None announces nothing.
    """
    _still_there(tx, inbox)
    folder_id = save_folder(tx, inbox["id"], delta.state, delta.uidnext, delta.modseq)
    if delta.reset:
        tx.run("DELETE FROM location WHERE folder_id = ?", folder_id)
    done: list[index.Indexed | None] = []
    if delta.state.role == "drafts":
        for found, one in zip(delta.found, parsed, strict=True):
            drafts.note(tx, inbox, found.uid, delta.state.uidvalidity, one)
        return done
    for found, one, labels in zip(delta.found, parsed, extra, strict=True):
        indexed = index_one(tx, inbox, folder_id, delta.state, found, one, labels, texts)
        done.append(indexed)
        news = announce_since is not None and found.internal_date >= announce_since
        if indexed and news and IMPORTED not in found.flags:
            _announce(tx, inbox, events, indexed, delta.state.role)
    touched = set()
    for uid, flags in delta.flags.items():
        row = tx.row(
            "SELECT id, message_id, flags FROM location WHERE folder_id = ? AND uid = ?", folder_id, uid
        )
        text = " ".join(flags)
        if row is None or row["flags"] == text:
            continue
        tx.run("UPDATE location SET flags = ? WHERE id = ?", text, row["id"])
        if index.apply_place(tx, inbox, row["message_id"]):
            touched.add(tx.value("SELECT thread_id FROM message WHERE id = ?", row["message_id"]))
    for thread in touched:
        threads.refresh(tx, thread, now_us())
    return done


def index_one(
    tx: Tx,
    inbox: Row,
    folder_id: int,
    state: FolderState,
    found: Found,
    parsed: ParsedMessage,
    labels: Iterable[str],
    texts: Texts,
    times: Mapping[str, int] | None = None,
) -> index.Indexed | None:
    """Index one message at its place, with what was found in its attachments.

    ``times``, None: as for ``index_found``.
    """
    place = index.Place(folder_id, state.role, state.name, found.uid, found.flags, found.internal_date)
    done = index.index_found(tx, inbox, place, parsed, labels, times or {})
    if done is not None:
        save_texts(tx, inbox["id"], done.message_id, parsed.attachments, texts)
    return done


def save_folder(tx: Tx, inbox_id: str, state: FolderState, uidnext: int, modseq: int) -> int:
    """Write a folder's cursor; answers its row id."""
    tx.run(
        "INSERT INTO folder (inbox_id, name, role, uidvalidity, uidnext, highestmodseq, synced_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (inbox_id, name) DO UPDATE SET role = excluded.role, "
        "uidvalidity = excluded.uidvalidity, uidnext = excluded.uidnext, "
        "highestmodseq = excluded.highestmodseq, synced_at = excluded.synced_at",
        inbox_id,
        state.name,
        state.role,
        state.uidvalidity,
        uidnext,
        modseq,
        now_us(),
    )
    return int(tx.value("SELECT id FROM folder WHERE inbox_id = ? AND name = ?", inbox_id, state.name))


def write_vanished(
    tx: Tx, inbox: Row, deltas: Sequence[Delta], drafts: DraftSink, *, stood_still: bool
) -> list[str]:
    """Forget what stands nowhere any more, and that we were told so. Answers the messages removed.

    A message we are still sending keeps its row: its Sent copy may not be there yet. Raises MayHaveMoved, and
    nothing is written, when a message would go and the mailbox was not seen to have ``stood_still``.
    """
    orphans: list[str] = []
    for delta in deltas:
        folder_id = tx.value(
            "SELECT id FROM folder WHERE inbox_id = ? AND name = ?", inbox["id"], delta.state.name
        )
        for uid in _gone(tx, folder_id, delta):
            if delta.state.role == "drafts":
                drafts.drop(tx, inbox, uid)
                continue
            orphan = index.drop_location(tx, folder_id, uid)
            if orphan:
                orphans.append(orphan)
        tx.run("UPDATE folder SET highestmodseq = ? WHERE id = ?", delta.modseq, folder_id)
    if orphans and not stood_still:
        raise MayHaveMoved(inbox["address"])
    return remove_orphans(tx, orphans)


def remove_orphans(tx: Tx, candidates: Iterable[str]) -> list[str]:
    """Delete those of ``candidates`` that stand nowhere; their threads are brought up to date."""
    removed = []
    touched = set()
    for message_id in candidates:
        if tx.value("SELECT 1 FROM location WHERE message_id = ? LIMIT 1", message_id):
            continue
        if tx.value("SELECT 1 FROM outbox WHERE id = ? AND state <> 'done'", message_id):
            continue
        thread = index.delete_message(tx, message_id)
        if thread:
            touched.add(thread)
            removed.append(message_id)
    for thread in touched:
        threads.refresh(tx, thread, now_us())
    return removed


def drop_folders(tx: Tx, inbox: Row, names: Iterable[str], drafts: DraftSink) -> list[str]:
    """Folders that are gone (deleted or renamed): their cursors and places go, and what stands nowhere else."""
    orphans: list[str] = []
    for name in names:
        row = tx.row("SELECT id, role FROM folder WHERE inbox_id = ? AND name = ?", inbox["id"], name)
        if row is None:
            continue
        orphans += [
            one["message_id"]
            for one in tx.rows(
                "SELECT DISTINCT message_id FROM location WHERE folder_id = ? AND message_id <> ?",
                row["id"],
                index.LEFT,
            )
        ]
        tx.run("DELETE FROM location WHERE folder_id = ?", row["id"])
        tx.run("DELETE FROM folder WHERE id = ?", row["id"])
    return remove_orphans(tx, orphans)


def write_reports(
    tx: Tx,
    inbox: Row,
    found: Sequence[Found],
    parsed: Sequence[ParsedMessage],
    events: EventLog,
    relay: str = "",
) -> list[int]:
    """Apply delivery and feedback reports (RFC 3464, RFC 5965); answers the UIDs of those that were ours.

    ``relay``: as ``apply_report`` takes it.
    """
    return [
        one.uid
        for one, message in zip(found, parsed, strict=True)
        if apply_report(tx, events, inbox, message, message.delivered_to, relay)
    ]


def _gone(tx: Tx, folder_id: int, delta: Delta) -> list[int]:
    gone: list[int] = []
    if delta.alive is not None:
        alive = delta.alive
        gone += [
            row["uid"]
            for row in tx.rows("SELECT uid FROM location WHERE folder_id = ?", folder_id)
            if row["uid"] not in alive and row["uid"] < delta.uidnext
        ]
    for low, high in delta.vanished:
        if delta.state.role == "drafts":
            gone += range(low, min(high, low + 10_000) + 1)
            continue
        gone += [
            row["uid"]
            for row in tx.rows(
                "SELECT uid FROM location WHERE folder_id = ? AND uid BETWEEN ? AND ?", folder_id, low, high
            )
        ]
    return gone


def _announce(tx: Tx, inbox: Row, events: EventLog, done: index.Indexed, role: str) -> None:
    if not done.new or done.direction != "inbound" or role not in ("inbox", "junk"):
        return
    facts = message_snapshot(tx, done.message_id)
    labels = set(facts["message"]["labels"])
    kind = "message.received"
    for label in ("spam", "blocked", "unauthenticated"):
        if label in labels:
            kind = f"message.received.{label}"
            break
    events.append(
        tx,
        kind,
        organization_id=inbox["organization_id"],
        pod_id=inbox["pod_id"],
        inbox_id=inbox["id"],
        message_id=done.message_id,
        subject=done.message_id,
        payload=facts,
        at=event_time(done.message_id),
    )
