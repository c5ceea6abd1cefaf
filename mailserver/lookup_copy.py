"""Lookup tables as a whole: read from one place, put into another, whichever engine either has."""

from __future__ import annotations

from mailserver.base import MailServerError
from mailserver.lookup_storage import Rows, Storage

FILE_MODE = 0o640


class LookupNotEmpty(MailServerError):
    """The tables hold other rows already; the text says how many."""


def read_all(storage: Storage) -> Rows:
    """Every row of tables that nobody in this process has open. Blocks. Raises MailServerError, MailServerDown."""
    storage.open(FILE_MODE, -1)
    try:
        return storage.rows()
    finally:
        storage.close()


def fill(storage: Storage, rows: Rows) -> None:
    """Put ``rows`` into empty tables, all or nothing, and read them again. Tables that hold exactly these rows are
    left as they are, so that a copy which was cut short later on can be repeated. Blocks.

    Raises LookupNotEmpty, MailServerError (what was read is not what was put in), MailServerDown.
    """
    storage.open(FILE_MODE, -1)
    try:
        held = storage.rows()
        if same(held, rows):
            return
        if any(held):
            raise LookupNotEmpty(
                f"the lookup tables hold {len(held.mailboxes)} mailboxes and {len(held.domains)} domains already"
            )
        with storage.change() as run:
            for name in rows.domains:
                run("INSERT INTO domain (name) VALUES (?)", (name,))
            for row in rows.mailboxes:
                run(
                    "INSERT INTO mailbox (address, home, password, enabled, quota) VALUES (?, ?, ?, ?, ?)",
                    row,
                )
            for alias in rows.aliases:
                run("INSERT INTO alias (address, mailbox) VALUES (?, ?)", alias)
        if not same(storage.rows(), rows):
            raise MailServerError("the lookup tables do not hold what was put into them")
    finally:
        storage.close()


def same(one: Rows, other: Rows) -> bool:
    """Whether both hold the same rows, in any order."""
    return (set(one.domains), set(one.mailboxes), set(one.aliases)) == (
        set(other.domains),
        set(other.mailboxes),
        set(other.aliases),
    )
