"""What an earlier version of Dovecot stored goes on under the one that is installed."""

from __future__ import annotations

import json
import os
import shutil
import smtplib
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mailserver.base import Envelope
from mailserver.machine import mail_user
from tests.mailserver.dovecot_data import mailbox_content, make
from tests.mailserver.started import ALICE, BOB, Started, started
from tests.mailserver.test_sieve import wait_for
from tests.support.ports import keep_port
from tests.support.servers import data_directory


def unpacked(archive: Path, tmp_path: Path, data: Path) -> dict[str, Any]:
    """Lay the data directory out as the mail user's own; answers what the mailboxes held."""
    with tarfile.open(archive) as tar:
        # Python 3.11.2 has no filters, and later versions warn without one
        tar.extractall(tmp_path, **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))  # type: ignore[arg-type]
    shutil.copytree(tmp_path / "data", data, dirs_exist_ok=True, symlinks=True)
    if os.geteuid() == 0:
        user, group = mail_user(None)
        for path in (data / "mail", *(data / "mail").rglob("*")):
            if not path.is_symlink():
                shutil.chown(path, user, group)
    held: dict[str, Any] = json.loads((tmp_path / "held.json").read_text("utf-8"))
    return held


@pytest.mark.parametrize("mailbox_format", make.FORMATS)
def test_mailboxes_of_2_3_go_on(mailbox_format: str, tmp_path: Path) -> None:
    with data_directory(tmp_path / "place") as data:
        data.mkdir(exist_ok=True)
        held = unpacked(make.HERE / f"2.3-{mailbox_format}.tar.xz", tmp_path, data)
        compiled = data / "dovecot/sent.svbin"
        os.utime(
            compiled, (2e9, 2e9)
        )  # newer than its source, so nothing but its start says that it must be made anew
        settings = {"mailbox_format": mailbox_format, "sieve_port": keep_port()}
        with started("embedded", data_dir=data, **settings) as one:
            assert mailbox_content(one) == held
            assert compiled.stat().st_mtime < 2e9
            works(one)
            found = mailbox_content(one)
        for name, folder in held.items():
            assert found[name]["messages"][: len(folder["messages"])] == folder["messages"]
        # and what this version stored is there at the next start
        with started("embedded", data_dir=data, **settings) as one:
            assert mailbox_content(one) == found


def works(one: Started) -> None:
    """The filter of before still files, the copy still goes to Sent."""
    for subject in ("invoice 2", "hello again"):
        with smtplib.SMTP(one.smtp.host, one.smtp.port, "far.test", timeout=20) as client:
            client.sendmail(BOB, ALICE, f"From: {BOB}\r\nTo: {ALICE}\r\nSubject: {subject}\r\n\r\nx\r\n")
    wait_for(one, ALICE, "Invoices", "invoice 2")
    wait_for(one, ALICE, "INBOX", "hello again")
    server = one.server
    copy = Envelope(ALICE, (server.sent_address(ALICE),), b"From: alice@x.test\r\nSubject: new\r\n\r\nx\r\n")
    for hop in server.plan(copy.recipients):
        assert all(reply.ok for reply in one.call(server.transmit, hop, copy).values())
    wait_for(one, ALICE, "Sent", "new")
