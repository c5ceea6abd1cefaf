"""Writes the data directory of an embedded server, and what its mailboxes hold, with the Dovecot that is installed."""

from __future__ import annotations

import imaplib
import io
import json
import smtplib
import tarfile
import tempfile
import time
from pathlib import Path

from mailserver.base import Envelope
from mailserver.dovecot import MailboxFormat, check_installation
from tests.mailserver.dovecot_data import FILTER, mailbox_content
from tests.mailserver.started import ALICE, BOB, Started, started
from tests.mailserver.test_sieve import upload
from tests.support.ports import keep_port
from tests.support.servers import data_directory

HERE = Path(__file__).parent
FORMATS: tuple[MailboxFormat, ...] = ("sdbox", "maildir")
_PASSING = {"data/run", "data/dovecot/dovecot.log", "data/dovecot/dovecot.out"}


def fill(one: Started) -> None:
    """Mail from outside, filed by a filter and by hand; flags, a label, an expunged message, a copy in Sent."""
    upload(one.server.settings.sieve_port, ALICE, FILTER)
    for number, subject in enumerate(["first", "invoice 1", "Grüße", "gone"]):
        head = f"From: {BOB}\r\nTo: {ALICE}\r\nMessage-ID: <{number}@x.test>\r\nSubject: {subject}"
        with smtplib.SMTP(one.smtp.host, one.smtp.port, "far.test", timeout=20) as client:
            client.sendmail(BOB, ALICE, f"{head}\r\n\r\n{'text ' * 500}\r\n".encode())
    server = one.server
    copy = Envelope(ALICE, (server.sent_address(ALICE),), b"From: alice@x.test\r\nSubject: sent\r\n\r\nx\r\n")
    for hop in server.plan(copy.recipients):
        assert all(reply.ok for reply in one.call(server.transmit, hop, copy).values())
    with imaplib.IMAP4(one.imap.host, one.imap.port) as imap:
        imap.login(ALICE, "secret")
        while int(imap.select("INBOX")[1][0] or 0) < 3:
            time.sleep(0.05)
        imap.store("1", "+FLAGS", "(\\Seen \\Flagged kept)")
        imap.store("3", "+FLAGS", "\\Deleted")
        imap.expunge()
        imap.create("Projects/&AMQ-rger")
        imap.subscribe("Projects/&AMQ-rger")
        imap.copy("2", "Projects/&AMQ-rger")
        while int(imap.select("Sent")[1][0] or 0) < 1:
            time.sleep(0.05)


def main() -> None:
    version = check_installation().version
    for mailbox_format in FORMATS:
        with tempfile.TemporaryDirectory() as scratch, data_directory(Path(scratch)) as data:
            settings = {"mailbox_format": mailbox_format, "sieve_port": keep_port()}
            with started("embedded", data_dir=data, **settings) as one:
                fill(one)
                held = json.dumps(mailbox_content(one), indent=1, ensure_ascii=False).encode()
            with tarfile.open(HERE / f"{version}-{mailbox_format}.tar.xz", "w:xz") as tar:
                tar.add(data, "data", filter=_kept)
                info = tarfile.TarInfo("held.json")
                info.size = len(held)
                tar.addfile(info, io.BytesIO(held))


def _kept(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without logs; and nobody's."""
    if info.name in _PASSING:
        return None
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


if __name__ == "__main__":
    main()
