"""What a list is asked and what it answers, for page paging and keyset paging alike.

A keyset position is (sort value, id) of the last row shown, so rows that come or go between two calls neither
repeat nor hide another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.records.base import Record
from gateway.store.labels import HIDDEN
from gateway.store.sql import Row, sql
from gateway.store.transaction import Tx

T = TypeVar("T")
R = TypeVar("R", bound=Record)

Position = tuple[int, str]
NEAR = 1000
"""An offset below it is walked at a glance (``Store.quick_read``)."""


@dataclass(frozen=True, slots=True)
class Window:
    """``limit`` rows, after ``offset`` rows (page paging) or after ``position`` (keyset, which wins)."""

    limit: int = 20
    offset: int = 0
    position: Position | None = None
    ascending: bool = False


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """The rows, how many there are in all, and the position to go on from (None: that was the end).

    ``unauthenticated``: of a list of mail, how many messages of its inboxes failed DMARC, which it leaves out unless
    they are asked for.
    """

    rows: list[T]
    total: int
    next: Position | None = None
    unauthenticated: int = 0


def keyset(window: Window, column: str, id_column: str) -> tuple[str, list[object], str]:
    """(condition, its parameters, ORDER BY text) of a window over ``column`` and ``id_column``."""
    way, sign = ("ASC", ">") if window.ascending else ("DESC", "<")
    order = f"{column} {way}, {id_column} {way}"
    if window.position is None:
        return "", [], order
    # written so that SQLite and PostgreSQL both walk the index from the position
    value, last = window.position
    # a mail's time is whole seconds: ``seq``, the order of arrival, tells apart what came in the same one
    tie: object = int(last) if id_column.endswith("seq") and last.isdigit() else last
    return f" AND ({column}, {id_column}) {sign} (?, ?)", [value, tie], order


def cut(
    rows: list[Row], window: Window, column: str, id_column: str = "id"
) -> tuple[list[Row], Position | None]:
    """Cut the one row read too many; its being there says that another page follows."""
    if len(rows) <= window.limit:
        return rows, None
    rows = rows[: window.limit]
    return rows, (rows[-1][column], str(rows[-1][id_column])) if rows else None


def page(
    tx: Tx,
    kind: type[R],
    where: str,
    args: Sequence[object],
    window: Window,
    *,
    column: str = "created_at",
    id_column: str = "id",
    lead: str = "",
) -> Listing[R]:
    """The records of ``kind`` (with ``column``, a time, and ``id_column``) that satisfy ``where``, newest first.

    ``lead``: what they are ordered by first, with a trailing comma; not for keyset paging.
    """
    table = kind.table
    total = int(sql(tx).value(f"SELECT count(*) FROM {table} WHERE {where}", *args))  # noqa: S608
    more, values, order = keyset(window, column, id_column)
    found = sql(tx).all(
        kind,
        f"WHERE {where}{more} ORDER BY {lead}{order} LIMIT ? OFFSET ?",
        *args,
        *values,
        window.limit + 1,
        0 if window.position else window.offset,
    )
    shown = found[: window.limit]
    following = None
    if len(found) > window.limit and shown:
        following = (getattr(shown[-1], column), str(getattr(shown[-1], id_column)))
    return Listing(shown, total, following)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of messages or threads is narrowed to. Times in µs; substrings ignore case; labels AND.

    ``direction`` (inbound, outbound) narrows messages, ``unread`` threads.
    """

    labels: tuple[str, ...] = ()
    before: int | None = None
    after: int | None = None
    senders: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    include: frozenset[str] = field(default_factory=frozenset)  # of spam, trash, blocked, unauthenticated
    direction: str | None = None
    unread: bool | None = None

    @property
    def shown(self) -> frozenset[str]:
        """Hidden labels that are to be shown: included ones and those asked for by name."""
        return HIDDEN & (self.include | set(self.labels))

    @property
    def plain(self) -> bool:
        """Whether nothing narrows the list, so that kept totals hold."""
        shown = self.shown
        return (
            not (self.labels or self.senders or self.recipients or self.subject)
            and self.before is None
            and self.after is None
            and self.direction is None
            and self.unread is None
            and (not shown or shown == HIDDEN)
        )
