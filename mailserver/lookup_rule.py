"""Who gets mail to an address, as SQL: the rule of :mod:`mailserver.directory`."""

# ruff: noqa: S608 - what is put together here are expressions of this package

from __future__ import annotations

from mailserver.lookup import Lookup


def named(lookup: Lookup, local: str, domain: str) -> str:
    """Two tables for WITH RECURSIVE: ``part`` has the local part of an address as it is, then without its last tag, and
    so on; ``named`` the longest of these that is a mailbox or an alias, if any. The arguments are SQL expressions."""
    t = lookup.prefix
    # what stays when every octet after the last delimiter is taken off
    shorter = "substr(local, 1, length(rtrim(local, replace(local, '+', ''))) - 1)"
    known = " OR ".join(
        f"EXISTS (SELECT 1 FROM {t}{table} AS held WHERE held.address = part.local || '@' || {domain})"
        for table in ("mailbox", "alias")
    )
    return (
        f"part(local) AS (SELECT {local} UNION ALL SELECT {shorter} FROM part WHERE {lookup.locate}(local, '+') > 0),"
        f" named(address) AS (SELECT local || '@' || {domain} FROM part WHERE local <> '' AND ({known})"
        " ORDER BY length(local) DESC LIMIT 1)"
    )


def reached(lookup: Lookup, local: str, domain: str) -> str:
    """A query for the mailboxes that take mail to an address; both arguments are SQL expressions."""
    t = lookup.prefix
    mailbox = f"SELECT address FROM {t}mailbox WHERE address = (SELECT address FROM named)"
    return (
        f"WITH RECURSIVE {named(lookup, local, domain)}"
        f" SELECT address FROM {t}mailbox WHERE enabled = 1 AND address IN ({mailbox}"
        f" UNION ALL SELECT mailbox FROM {t}alias WHERE address = CASE WHEN EXISTS ({mailbox}) THEN NULL"
        f" ELSE coalesce((SELECT address FROM named), '@' || {domain}) END)"
    )
