"""What Dovecot asks of the lookup tables (dovecot-sql.conf.ext); it puts quotes into what it fills in for ``%``."""

# ruff: noqa: S608 - what is put together here are expressions of this package

from __future__ import annotations

from mailserver.lookup import Lookup
from mailserver.lookup_rule import reached


def settings(lookup: Lookup, mail: str) -> dict[str, str]:
    """What the template is filled with."""
    return {
        "DRIVER": lookup.driver,
        "CONNECT": lookup.connect,
        "PASSWORD_QUERY": password_query(lookup),
        "USER_QUERY": user_query(lookup, mail),
        "ITERATE_QUERY": iterate_query(lookup),
    }


def user_query(lookup: Lookup, mail: str) -> str:
    """Whose mailbox a user's is. ``mail``: the directory of the homes.

    To LMTP, and to the quota service that is asked before it, an alias or a stranger is the mailbox that takes his
    mail: an alias of several is taken apart before, and would be the first's.
    Anyone else is asked for himself only: a login never opens another's mailbox, nor brings a removed one back.
    """
    t = lookup.prefix
    takers = reached(lookup, "'%Lu'", "'@%Ld'")
    return (
        f"SELECT address AS user, '{mail}/' || home AS home, '*:storage=' || quota || 'B' AS quota_rule"
        f" FROM {t}mailbox WHERE enabled > 0 AND address = CASE WHEN '%s' IN ('lmtp', 'quota-status')"
        f" THEN (SELECT min(address) FROM ({takers}) AS takers) ELSE '%Lu' END"
    )


def password_query(lookup: Lookup) -> str:
    """The credential of a mailbox's person."""
    return (
        f"SELECT address AS user, password FROM {lookup.prefix}mailbox"
        " WHERE address = '%Lu' AND enabled = 1 AND password IS NOT NULL"
    )


def iterate_query(lookup: Lookup) -> str:
    """Every mailbox, for doveadm(1)."""
    return f"SELECT address AS user FROM {lookup.prefix}mailbox WHERE enabled = 1"
