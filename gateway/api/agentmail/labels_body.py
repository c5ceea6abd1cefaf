"""Bodies that change labels."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.core.mail.relabel import Change

Labels = str | list[str] | None
Doc = msgspec.Meta


class LabelsBody(msgspec.Struct):
    """A new set of labels, or labels to add and to remove."""

    labels: Annotated[list[str] | msgspec.UnsetType, Doc(description="the new set")] = msgspec.UNSET
    add_labels: Annotated[Labels, Doc(description="labels to add")] = None
    remove_labels: Annotated[Labels, Doc(description="labels to remove; wins over add_labels")] = None

    def change(self) -> Change:
        """The change of labels. Raises Invalid."""
        return Change(
            replace=None if isinstance(self.labels, msgspec.UnsetType) else self.labels,
            add=as_list(self.add_labels),
            remove=as_list(self.remove_labels),
        )


class BatchIds(msgspec.Struct):
    """Messages, by any form of their ids."""

    message_ids: list[str]


class BatchLabels(BatchIds):
    """Messages and the change to their labels."""

    labels: list[str] | msgspec.UnsetType = msgspec.UNSET
    add_labels: Labels = None
    remove_labels: Labels = None

    def change(self) -> Change:
        """The change of labels. Raises Invalid."""
        return LabelsBody(self.labels, self.add_labels, self.remove_labels).change()


def as_list(value: Labels) -> list[str]:
    """A label or several as a list."""
    return [] if value is None else [value] if isinstance(value, str) else value


def in_order(labels: list[str], asked: list[str] | msgspec.UnsetType) -> list[str]:
    """The labels, in the order of the given set."""
    if isinstance(asked, msgspec.UnsetType):
        return labels
    given = list(dict.fromkeys(one.strip() for one in asked))
    return [one for one in given if one in labels] + [one for one in labels if one not in given]
