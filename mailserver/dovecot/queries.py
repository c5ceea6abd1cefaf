"""What Dovecot asks of the lookup tables; it puts quotes into what it fills in for its variables."""

# ruff: noqa: S608 - what is put together here are expressions of this package

from __future__ import annotations

from dataclasses import dataclass

from mailserver.lookup import Lookup
from mailserver.lookup_rule import reached


@dataclass(frozen=True, slots=True)
class Variables:
    """How a version of Dovecot writes what it fills into a query, and what it expects of one."""

    user: str  # the address asked for, in lower case
    local: str  # its local part, in lower case
    domain: str  # its domain, in lower case
    protocol: str  # who asks: lmtp, imap, quota-status, ...
    quota: str  # the column that sets a mailbox's own quota, made of the column ``quota`` (octets or null)


def user_query(lookup: Lookup, mail: str, variables: Variables) -> str:
    """Whose mailbox a user's is. ``mail``: the directory of the homes.

    To LMTP, and to the quota service that is asked before it, an alias or a stranger is the mailbox that takes his
    mail: an alias of several is taken apart before, and would be the first's.
    Anyone else is asked for himself only: a login never opens another's mailbox, nor brings a removed one back.
    ``recipient_delimiter`` is for the mailbox's Sieve filters alone (RFC 5233): LMTP itself must not cut a tag off
    before it asks, because a mailbox may have the delimiter in its name.
    """
    t, user = lookup.prefix, variables.user
    takers = reached(lookup, f"'{variables.local}'", f"'{variables.domain}'")
    return (
        f"SELECT address AS user, '{mail}/' || home AS home, '+' AS recipient_delimiter, {variables.quota}"
        f" FROM {t}mailbox WHERE enabled > 0 AND address = CASE WHEN '{variables.protocol}' IN ('lmtp', 'quota-status')"
        f" THEN (SELECT min(address) FROM ({takers}) AS takers) ELSE '{user}' END"
    )


def password_query(lookup: Lookup, variables: Variables) -> str:
    """The credential of a mailbox's person."""
    return (
        f"SELECT address AS user, password FROM {lookup.prefix}mailbox"
        f" WHERE address = '{variables.user}' AND enabled = 1 AND password IS NOT NULL"
    )


def iterate_query(lookup: Lookup) -> str:
    """Every mailbox, for doveadm(1)."""
    return f"SELECT address AS user FROM {lookup.prefix}mailbox WHERE enabled = 1"
