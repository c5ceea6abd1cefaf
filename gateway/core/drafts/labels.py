"""The labels of a draft: its owner's, and ``scheduled`` while it waits for its time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gateway.core.errors import Invalid
from gateway.core.mail.relabel import check_labels, check_total
from gateway.records.drafts import Draft
from gateway.store.labels import SYSTEM

SCHEDULED: Literal["scheduled"] = "scheduled"


def labels_after(draft: Draft, added: Sequence[str], removed: Sequence[str]) -> set[str]:
    """The labels of a draft after a change, but ``scheduled``. Raises Invalid."""
    before = draft.labels
    labels = set(before) | set(checked_labels(added, "add_labels"))
    labels -= {*checked_labels(removed, "remove_labels"), SCHEDULED}
    check_total(labels, before, "add_labels")
    return labels


def checked_labels(given: Sequence[str], where: str) -> list[str]:
    """Labels that a draft may bear. Raises Invalid naming ``where[n]``."""
    labels = check_labels(given, where)
    for number, label in enumerate(labels):
        if label in SYSTEM or label.startswith("folder:"):
            raise Invalid(f"the label {label!r} is not for drafts", field=f"{where}[{number}]")
    return labels
