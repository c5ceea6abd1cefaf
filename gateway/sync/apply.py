"""Writing what a scan read: messages, threads, events and the cursor in one transaction (docs/design.md)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from gateway.events.log import EventLog
from gateway.events.merged_threads import announce_merged
from gateway.events.payload import message_snapshot
from gateway.mime.types import ParsedMessage
from gateway.outbox.reports import apply_report
from gateway.records.folders import REMOVED, CopyKey, FoundCopy, Location
from gateway.records.ids import MESSAGE_ID, InboxId, MessageId, now_us
from gateway.records.inboxes import Inbox
from gateway.records.mail import Indexed
from gateway.store import index, threads
from gateway.store.arrival_time import event_time
from gateway.store.attachment_text import save_texts
from gateway.store.contacts import note_sender
from gateway.store.labels import HIDDEN
from gateway.store.queries import folders
from gateway.store.queries.arrivals import Arrivals
from gateway.store.queries.inboxes import is_inbox_running
from gateway.store.queries.locations import (
    change_flags,
    is_located,
    location_at,
    locations_in,
    locations_in_ranges,
    messages_in,
    remove_locations,
)
from gateway.store.queries.mailbox_index import threads_of_messages
from gateway.store.queries.outbox import is_being_sent
from gateway.store.transaction import Tx
from gateway.sync.decide import decide
from gateway.sync.extraction import Texts
from gateway.sync.fetch import Cursor, Delta, FolderState, Found

log = logging.getLogger("postern.sync")


class InboxGone(Exception):
    """The inbox was deleted while it was being read; nothing was written."""


class MayHaveMoved(Exception):
    """A message has no copy that we know of; it may have one in a folder that was not read since."""


def _still_there(tx: Tx, inbox: Inbox) -> None:
    if not is_inbox_running(tx, inbox.id):
        raise InboxGone(inbox.address)


class DraftSink(Protocol):
    """What keeps the drafts of the Drafts folder (``core.drafts.from_mailbox.MailboxDrafts``)."""

    def note(self, tx: Tx, inbox: Inbox, uid: int, uidvalidity: int, parsed: ParsedMessage) -> None:
        """A message is in Drafts."""

    def filed(self, tx: Tx, inbox: Inbox) -> set[CopyKey]:
        """The copies that the drafts of an inbox are known by."""

    def settle(
        self, tx: Tx, inbox: Inbox, gone: set[CopyKey], others: Sequence[tuple[CopyKey, ParsedMessage]]
    ) -> int:
        """Copies are ``gone`` from Drafts: a draft known by one of them is known by another copy of ``others``,
        or removed. Returns how many were removed."""


def cursors_of(tx: Tx, inbox_id: InboxId) -> dict[str, Cursor]:
    """The cursors of an inbox by folder name."""
    return {
        folder.name: Cursor(folder.role, folder.uidvalidity, folder.uidnext, folder.highestmodseq)
        for folder in folders.folders_of(tx, inbox_id)
    }


def write_batch(
    tx: Tx,
    inbox: Inbox,
    delta: Delta,
    parsed: Sequence[ParsedMessage],
    *,
    events: EventLog,
    drafts: DraftSink,
    texts: Texts,
    announce_since: int,
) -> dict[int, frozenset[str]]:
    """Index one batch, decide about what came in it (``sync.decide``), apply its flag changes and move the cursor.
    Vanished UIDs are not touched.

    Args:
        announce_since: events for mail received since then (µs).

    Returns:
        The labels that were decided now, by UID.
    """
    _still_there(tx, inbox)
    folder_id = save_folder(tx, inbox.id, delta.state, delta.uidnext, delta.modseq)
    if delta.reset:
        _leave_folder(tx, inbox, folder_id)
    decided: dict[int, frozenset[str]] = {}
    if delta.state.role == "drafts":
        for found, one in zip(delta.found, parsed, strict=True):
            drafts.note(tx, inbox, found.uid, delta.state.uidvalidity, one)
        return decided
    arrivals = Arrivals(tx, inbox)
    for found, one in zip(delta.found, parsed, strict=True):
        copy = found.copy(folder_id, delta.state)
        indexed = index_one(tx, inbox, copy, one, texts)
        if indexed is None:  # it was deleted or moved by the API since it was read
            continue
        announce_merged(tx, events, inbox, indexed.message_id, indexed.placed)
        decision = decide(arrivals.read(copy, one, indexed), inbox, announce_since)
        log.debug(
            "%s: event %s, reasons %s",
            MESSAGE_ID.public(indexed.message_id),
            decision.event,
            decision.reasons,
        )
        if decision.labels:
            decided[found.uid] = decision.labels
            index.add_labels(tx, inbox, indexed, decision.labels)
        if indexed.new and not (indexed.labels | decision.labels) & HIDDEN:
            note_sender(tx, inbox, one, indexed)
        if decision.event is not None:
            _announce(tx, inbox, events, indexed.message_id, decision.event)
    changed = []
    for uid, flags in delta.flags.items():
        location = location_at(tx, folder_id, uid)
        text = " ".join(flags)
        if location is None or location.flags == text:
            continue
        change_flags(tx, location.id, text)
        if index.apply_locations(tx, inbox, location.message_id):
            changed.append(location.message_id)
    _refresh_threads(tx, changed)
    return decided


def index_one(
    tx: Tx,
    inbox: Inbox,
    copy: FoundCopy,
    parsed: ParsedMessage,
    texts: Texts,
    *,
    again: bool = False,
) -> Indexed | None:
    """Index one copy of a message, with what was found in its attachments.

    ``again``, None: as for ``index_found``.
    """
    done = index.index_found(tx, inbox, copy, parsed, again=again)
    if done is not None:
        save_texts(tx, inbox.id, done.message_id, parsed.attachments, texts)
    return done


def save_folder(tx: Tx, inbox_id: InboxId, state: FolderState, uidnext: int, modseq: int) -> int:
    """Write a folder's cursor; returns its row id."""
    return folders.save_folder(
        tx,
        inbox_id,
        state.name,
        state.role,
        uidvalidity=state.uidvalidity,
        uidnext=uidnext,
        highestmodseq=modseq,
    )


def write_vanished(tx: Tx, inbox: Inbox, deltas: Sequence[Delta], *, stood_still: bool) -> list[MessageId]:
    """Remove the copies that are gone, and the messages that have none left. Returns the latter.

    A message that is still being sent keeps its row: its Sent copy may not be there yet. Raises MayHaveMoved, and
    nothing is written, when a message would go and the mailbox was not seen to have ``stood_still``. For drafts see
    ``gateway.sync.drafts``.
    """
    left: dict[MessageId, None] = {}
    orphaned = False
    for delta in deltas:
        folder = folders.folder_named(tx, inbox.id, delta.state.name)
        if folder is None:
            continue
        for location in _gone(tx, folder.id, delta):
            orphaned |= index.drop_location(tx, folder.id, location.uid) is not None
            left[location.message_id] = None
        folders.change_highestmodseq(tx, folder.id, delta.modseq)
    if orphaned and not stood_still:
        raise MayHaveMoved(inbox.address)
    return reconcile_locations(tx, inbox, left)


def reconcile_locations(tx: Tx, inbox: Inbox, message_ids: Iterable[MessageId]) -> list[MessageId]:
    """Messages have left a folder: those that are in another are labelled by it, the others are deleted.

    Returns the deleted ones. Their threads are brought up to date.
    """
    elsewhere: list[MessageId] = []
    nowhere: list[MessageId] = []
    for message_id in message_ids:
        if message_id != REMOVED:
            (elsewhere if is_located(tx, message_id) else nowhere).append(message_id)
    relabel(tx, inbox, elsewhere)
    return remove_orphans(tx, nowhere)


def relabel(tx: Tx, inbox: Inbox, message_ids: Iterable[MessageId]) -> None:
    """Give messages the labels of the folder where they are now; their threads follow."""
    _refresh_threads(
        tx, [message_id for message_id in message_ids if index.apply_locations(tx, inbox, message_id)]
    )


def _refresh_threads(tx: Tx, message_ids: Iterable[MessageId]) -> None:
    """Bring the threads of messages up to date."""
    for thread in threads_of_messages(tx, message_ids):
        threads.refresh(tx, thread, now_us())


def remove_orphans(tx: Tx, candidates: Iterable[MessageId]) -> list[MessageId]:
    """Delete those of ``candidates`` that are nowhere; their threads are brought up to date."""
    removed = []
    touched = set()
    for message_id in candidates:
        if is_located(tx, message_id) or is_being_sent(tx, message_id):
            continue
        thread = index.delete_message(tx, message_id)
        if thread:
            touched.add(thread)
            removed.append(message_id)
    for thread in touched:
        threads.refresh(tx, thread, now_us())
    return removed


def drop_folders(tx: Tx, inbox: Inbox, names: Iterable[str]) -> list[MessageId]:
    """Remove folders that were deleted or renamed, and the messages that are nowhere else."""
    left: dict[MessageId, None] = {}
    for name in names:
        folder = folders.folder_named(tx, inbox.id, name)
        if folder is not None:
            left |= dict.fromkeys(messages_in(tx, folder.id))
            folders.remove_folder(tx, folder.id)
    return reconcile_locations(tx, inbox, left)


def _leave_folder(tx: Tx, inbox: Inbox, folder_id: int) -> None:
    """A folder was made anew: nothing is where it was. What is nowhere now may be found again before it is removed."""
    left = messages_in(tx, folder_id)
    remove_locations(tx, folder_id)
    relabel(tx, inbox, left)


def write_reports(
    tx: Tx,
    inbox: Inbox,
    found: Sequence[Found],
    parsed: Sequence[ParsedMessage],
    events: EventLog,
    relay: str = "",
) -> list[int]:
    """Apply delivery and feedback reports (RFC 3464, RFC 5965); returns the UIDs of those that were ours.

    ``relay``: as ``apply_report`` takes it.
    """
    return [
        one.uid
        for one, message in zip(found, parsed, strict=True)
        if apply_report(tx, events, inbox, message, message.delivered_to, relay)
    ]


def _gone(tx: Tx, folder_id: int, delta: Delta) -> list[Location]:
    """The locations in a folder that a delta reports as gone."""
    if delta.state.role == "drafts":
        return []
    gone: list[Location] = []
    if delta.alive is not None:
        gone += [
            location
            for location in locations_in(tx, folder_id)
            if location.uid not in delta.alive and location.uid < delta.uidnext
        ]
    return gone + locations_in_ranges(tx, folder_id, delta.vanished)


def _announce(tx: Tx, inbox: Inbox, events: EventLog, message_id: MessageId, event: str) -> None:
    facts = message_snapshot(tx, message_id)
    events.append(
        tx,
        event,
        organization_id=inbox.organization_id,
        pod_id=inbox.pod_id,
        inbox_id=inbox.id,
        message_id=message_id,
        subject=message_id,
        payload=facts,
        at=event_time(message_id),
    )
