"""Labels, folders, read and unread: from the log of labels."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.core.history.entry import MOST, Entry, Subject
from gateway.records.mail import LabelChange
from gateway.store.labels import FOLDER_LABELS
from gateway.store.queries.labels import label_changes_of_message
from gateway.store.transaction import Tx

_FOLDER = "folder:"
_NAMES = {label: role.capitalize() for role, label in FOLDER_LABELS.items()}


def labels(tx: Tx, subject: Subject) -> Iterator[Entry]:
    """An entry for each label that was put on or taken off, whoever did it."""
    for change in label_changes_of_message(tx, subject.inbox.id, subject.mail.message.id, MOST):
        yield _entry(change)


def _entry(change: LabelChange) -> Entry:
    at, label, added = change.created_at, change.label, change.added
    if label == "unread":
        kind, words = ("unread", "marked as unread") if added else ("read", "marked as read")
        return Entry(at=at, kind="unread" if kind == "unread" else "read", text=words)
    folder = _NAMES.get(label) or (label[len(_FOLDER) :] if label.startswith(_FOLDER) else None)
    if folder is not None:
        way = "into" if added else "out of"
        return Entry(at=at, kind="moved", text=f"moved {way} the folder {folder}", folder=folder)
    if added:
        return Entry(at=at, kind="label_added", text=f"the label {label} was put on", label=label)
    return Entry(at=at, kind="label_removed", text=f"the label {label} was taken off", label=label)
