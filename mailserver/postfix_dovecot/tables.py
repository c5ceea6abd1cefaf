"""What Postfix asks of the lookup tables: one query a table, in the words of either engine.

The rule they follow is that of :mod:`mailserver.directory`. Postfix itself would look for
``name+tag@domain``, ``name@domain`` and ``@domain`` in turn, and take a catch-all for a mailbox that is being removed;
so the whole rule is in one query, which is asked with the first of these and answers the others the same, or nothing:
Postfix does not ask at all where ``%u`` would be empty. It also puts quotes into what it fills in for ``%``.

Mail for one mailbox goes to Dovecot under the address it was sent to, and Dovecot's own query finds the mailbox
(:mod:`mailserver.lookup_dovecot`): so every report about the delivery names the alias, and so does Delivered-To (which
Dovecot adds where a mail comes for one recipient at a time). Only an alias of several mailboxes is taken apart by
Postfix.
"""

# ruff: noqa: S608 - what is put together here are expressions of this module; Postfix and Dovecot quote values

from __future__ import annotations

from mailserver.addresses import SENT_MARK
from mailserver.lookup import Lookup
from mailserver.lookup_rule import named, reached


def tables(lookup: Lookup, run: str) -> dict[str, str]:
    """File name -> query of each table. ``run``: the directory of Dovecot's sockets."""
    t = lookup.prefix
    local, domain = "lower('%u')", "lower('%d')"
    mark = f"{lookup.locate}({local}, '{SENT_MARK}')"
    takers = reached(lookup, local, domain)
    return {
        "domains.cf": f"SELECT name FROM {t}domain WHERE name = lower('%s')",
        "mailboxes.cf": f"{takers} ORDER BY address LIMIT 1",
        "aliases.cf": "SELECT address FROM (SELECT address, count(*) OVER () AS many"
        f" FROM ({takers}) AS reached) AS counted WHERE many > 1 ORDER BY address",
        "logins.cf": f"WITH RECURSIVE {named(lookup, local, domain)}"
        f" SELECT address FROM {t}mailbox WHERE address = (SELECT address FROM named) AND enabled = 1"
        f" UNION SELECT a.mailbox FROM {t}alias AS a JOIN {t}mailbox AS m ON m.address = a.mailbox"
        " WHERE a.address = (SELECT address FROM named) AND m.enabled = 1"
        f" AND NOT EXISTS (SELECT 1 FROM {t}mailbox WHERE address = a.address)",
        "sent-guard.cf": f"SELECT '550 5.1.1 no such mailbox here' FROM {t}domain"
        f" WHERE name = {domain} AND {mark} > 0",
        "sent-transport.cf": f"SELECT 'sent:unix:{run}/lmtp-sent' FROM {t}mailbox"
        f" WHERE address = substr({local}, 1, abs({mark} - 1)) || '@' || {domain} AND enabled = 1 AND {mark} > 1",
    }
