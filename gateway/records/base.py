"""What all records have in common: the table they are rows of, and secrets that do not print."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Record(msgspec.Struct, frozen=True):
    """A row of ``table``. Every field is a column of it.

    Fields are given by position when a row is read, and by name everywhere else. A ``bool`` field is a column that
    holds 0 or 1; a :class:`Secret` field one that is encrypted in the database (``store.sealing``).
    """

    table: ClassVar[str]


class Secret:
    """Text that must not get into a log or a traceback. ``reveal`` where it is used or shown to its owner."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)
