"""Mailboxes that an earlier version of Dovecot wrote, and what was in them.

``python -m tests.mailserver.dovecot_data.make`` writes ``VERSION-FORMAT.tar.xz`` with the Dovecot that is installed.
"""

from __future__ import annotations

import imaplib
import re
from typing import Any

from tests.mailserver.started import ALICE, Started

FILTER = """require ["fileinto", "mailbox"];
if header :contains "subject" "invoice" { fileinto :create "Invoices"; }
"""


def mailbox_content(started: Started) -> dict[str, Any]:
    """Every folder of Alice's: UIDVALIDITY, subscription, and UID, flags, date and text of each message."""
    found: dict[str, Any] = {}
    with imaplib.IMAP4(started.imap.host, started.imap.port) as imap:
        imap.login(ALICE, "secret")
        subscribed = imap.lsub()[1]
        for line in imap.list()[1]:
            assert isinstance(line, bytes)
            if b"\\Noselect" in line:
                continue
            name = line.split(b' "/" ')[1]
            count = int(imap.select(name.decode(), readonly=True)[1][0] or 0)
            (validity,) = imap.response("UIDVALIDITY")[1]
            messages = []
            if count:
                rows = imap.fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1]
                messages = [_message(row) for row in rows if isinstance(row, tuple)]
            found[name.decode()] = {
                "uidvalidity": int(validity),
                "subscribed": any(one and one.endswith(name) for one in subscribed),
                "messages": messages,
            }
    return found


def _message(row: tuple[bytes, bytes]) -> dict[str, Any]:
    head = row[0].decode()
    uid, flags, date = (
        re.findall(pattern, head)[0]
        for pattern in (r"UID (\d+)", r"FLAGS \((.*?)\)", r'INTERNALDATE "(.*?)"')
    )
    kept = sorted(flag for flag in flags.split() if flag != "\\Recent")
    return {"uid": int(uid), "flags": kept, "date": date, "text": row[1].decode("latin-1")}
