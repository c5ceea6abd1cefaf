"""Where the lookup tables live: what :class:`mailserver.directory.Directory` needs of SQLite and of PostgreSQL.

====================  ====================================================================================
``domain``            ``name``: a domain whose mail ends here
``mailbox``           ``address``; ``home``, a directory's name; ``password``, a hash or null; ``enabled``: 1,
                      0 while it is being removed, 2 while it is being made; ``quota`` in octets or null
``alias``             ``address`` -> ``mailbox``, one row a target. ``@domain`` is the domain's catch-all; a
                      target of '' refuses the address, even where the catch-all would take it
====================  ====================================================================================

Statements are written once, with ``?`` for values, in the SQL that both engines know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

Execute = Callable[[str, Sequence[object]], int]
"""Runs a statement in the transaction at hand; answers how many rows it touched."""

MailboxRow = tuple[str, str, "str | None", int, "int | None"]


class Rows(NamedTuple):
    """All there is: names of domains; mailboxes as in the table; (address, target) of aliases."""

    domains: list[str]
    mailboxes: list[MailboxRow]
    aliases: list[tuple[str, str]]


class Storage(Protocol):
    """One open database. Every method blocks; the caller sees to it that one thread at a time is in here."""

    def open(self, mode: int, group: int) -> None:
        """Make the tables where there are none. ``mode`` and ``group`` (a gid, -1 for none) are for a file."""

    def close(self) -> None: ...

    def rows(self) -> Rows:
        """Everything, as of now."""

    def changed(self) -> bool:
        """Whether somebody else changed something since the last ``rows``. Costs no table scan."""

    def change(self) -> AbstractContextManager[Execute]:
        """A transaction: durable when it ends, undone when it raises."""


SELECT_DOMAINS = "SELECT name FROM domain"
SELECT_MAILBOXES = "SELECT address, home, password, enabled, quota FROM mailbox"
SELECT_ALIASES = "SELECT address, mailbox FROM alias"
