"""What Postfix asks of the lookup database: one query a table. ``@RUN@`` is filled in by the rendering."""

from __future__ import annotations

_SENT = "WHERE instr('%u', '+sent-') > 1 AND address = substr('%u', 1, instr('%u', '+sent-') - 1) || '@%d'"

TABLES = {
    "domains.cf": "SELECT name FROM domain WHERE name = '%s'",
    "mailboxes.cf": "SELECT home FROM mailbox WHERE address = '%s' AND enabled = 1",
    "logins.cf": "SELECT address FROM mailbox WHERE address = '%s' AND enabled = 1",
    "sent-guard.cf": "SELECT '550 5.1.1 no such mailbox here' FROM mailbox " + _SENT,  # noqa: S608
    "sent-transport.cf": "SELECT 'lmtp:unix:@RUN@/lmtp-sent' FROM mailbox " + _SENT + " AND enabled = 1",  # noqa: S608
}
