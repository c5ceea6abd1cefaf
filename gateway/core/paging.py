"""One page of a table, newest first, by offset or keyset."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.errors import Invalid
from gateway.store.engine import Row, Tx
from gateway.store.listing import Listing, Window, cut, keyset


def page_of(
    tx: Tx,
    table: str,
    where: str,
    args: Sequence[object],
    window: Window,
    id_column: str = "id",
    lead: str = "",
) -> Listing[Row]:
    """Rows of ``table`` (columns ``created_at`` and ``id_column``) that satisfy ``where``.

    ``lead``: what they are ordered by first, with a trailing comma; not for keyset paging.
    """
    total = int(tx.value(f"SELECT count(*) FROM {table} WHERE {where}", *args))  # noqa: S608
    more, values, order = keyset(window, "created_at", id_column)
    rows = tx.rows(
        f"SELECT *, {id_column} AS id FROM {table} WHERE {where}{more} ORDER BY {lead}{order} LIMIT ? OFFSET ?"  # noqa: S608
        if id_column != "id"
        else f"SELECT * FROM {table} WHERE {where}{more} ORDER BY {lead}{order} LIMIT ? OFFSET ?",  # noqa: S608
        *args,
        *values,
        window.limit + 1,
        window.offset,
    )
    shown, following = cut(rows, window, "created_at")
    return Listing(shown, total, following)


def clean_text(value: str | None, field: str, most: int = 256) -> str | None:
    """``value`` without surrounding blanks; raises Invalid for control characters, surrogates or length."""
    if value is None:
        return None
    value = value.strip()
    if len(value) > most:
        raise Invalid(f"{field} is longer than {most} characters", field=field, fix=f"shorten {field}")
    if any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in value):
        raise Invalid(
            f"{field} holds a line break or another control character", field=field, fix=f"correct {field}"
        )
    return value
