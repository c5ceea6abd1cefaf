"""Who gets mail to an address, as SQL: the rule of :meth:`mailserver.directory.Directory.targets`."""

# ruff: noqa: S608 - what is put together here are expressions of this package

from __future__ import annotations

from mailserver.lookup import Lookup


def reached(lookup: Lookup, address: str, catch_all: str) -> str:
    """A query for the mailboxes that take mail to ``address``; both are SQL expressions."""
    t = lookup.prefix
    mailbox = f"SELECT address FROM {t}mailbox WHERE address = {address}"
    alias = f"SELECT mailbox FROM {t}alias WHERE address = {address}"
    return (
        f"SELECT address FROM {t}mailbox WHERE enabled = 1 AND address IN ({mailbox}"
        f" UNION ALL SELECT mailbox FROM {t}alias WHERE address = CASE WHEN EXISTS ({mailbox}) THEN NULL"
        f" WHEN EXISTS ({alias}) THEN {address} ELSE {catch_all} END)"
    )
