"""Our section numbers name the same octets as Dovecot's, over every corpus message."""

from __future__ import annotations

import imaplib
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.mime.headers import split_head
from gateway.mime.limits import DEFAULT_LIMITS
from gateway.mime.parse import parse
from gateway.mime.structure import read_tree
from gateway.mime.transfer import decode_part
from tests.support.servers import data_directory
from tests.support.stock_dovecot import maildir_settings

IMAP = Path("/usr/lib/dovecot/imap")


@pytest.fixture
def imap(tmp_path: Path, corpus_messages: list[Path]) -> Iterator[imaplib.IMAP4_stream]:
    if not IMAP.exists():
        pytest.skip("Dovecot is not installed")
    with data_directory(tmp_path) as root:
        for name in ("m/cur", "m/new", "m/tmp", "run", "home"):
            (root / name).mkdir(parents=True)
        for number, path in enumerate(corpus_messages):
            octets = re.sub(rb"\r?\n", b"\r\n", path.read_bytes())
            (root / "m" / "cur" / f"{1_000_000 + number}.x:2,").write_bytes(octets)
        user = "nobody" if os.geteuid() == 0 else os.environ.get("USER", "me")
        (root / "d.conf").write_text(
            maildir_settings(root / "m")
            + f"base_dir = {root}/run\nlog_path = {root}/log\nmail_home = {root}/home\n"
            "first_valid_uid = 0\nfirst_valid_gid = 0\nprotocols = imap\nssl = no\ndefault_vsz_limit = 1 G\n"
            + ("mail_uid = nobody\nmail_gid = nogroup\n" if user == "nobody" else "")
        )
        prefix = ""
        if user == "nobody":
            if shutil.which("setpriv") is None:
                pytest.skip("setpriv is not installed")
            prefix = "setpriv --reuid=nobody --regid=nogroup --clear-groups "
            for path in [root, *root.rglob("*")]:
                shutil.chown(path, "nobody", "nogroup")
        # -k: 2.4 would forget who it is when it has its configuration read
        command = f"{prefix}env USER={user} HOME={root}/home {IMAP} -k -c {shlex.quote(str(root / 'd.conf'))}"
        yield imaplib.IMAP4_stream(command + " 2>/dev/null")


def test_every_attachment_section_gives_dovecots_octets(
    imap: imaplib.IMAP4_stream, corpus_messages: list[Path]
) -> None:
    imap.select(readonly=True)
    compared = different = 0
    for uid, path in enumerate(corpus_messages, 1):
        raw = re.sub(rb"\r?\n", b"\r\n", path.read_bytes())
        leaves = read_tree(raw, split_head(raw), DEFAULT_LIMITS).leaves[:60]
        items = " ".join(f"BODY.PEEK[{leaf.section}]" for leaf in leaves)
        _, rows = imap.uid("FETCH", str(uid), f"({items})")
        got: dict[str, bytes] = {}
        for row in rows:
            line = row[0] if isinstance(row, tuple) else row
            if isinstance(row, tuple) and (literal := re.search(rb"BODY\[([\d.]+)\] \{\d+\}$", row[0])):
                got[literal[1].decode()] = row[1]
            for short in re.finditer(rb'BODY\[([\d.]+)\] "([^"]*)"', line or b""):
                got[short[1].decode()] = short[2]
        attached = {attachment.part for attachment in parse(raw).attachments if attachment.encoding}
        for leaf in leaves:
            theirs = decode_part(got.get(leaf.section, b""), leaf.encoding)
            compared += 1
            if theirs != leaf.content():
                different += 1
                assert leaf.section not in attached, (path, leaf.section)
    imap.logout()
    assert compared > 1500
    assert different < compared * 0.015  # broken multiparts, which we show as text and Dovecot as nothing
