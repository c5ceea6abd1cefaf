"""Writing a mailbox as mbox files, one a folder, in the mboxrd way: ``>*From `` gets one ``>`` more, so that it can
be undone. Flags are in Status, X-Status and X-Keywords, the date in the From_ line, as mail programs expect."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.transfer.item import to_unix
from gateway.transfer.mailbox_out import FolderOut, Listed, each, folders, listing
from gateway.transfer.maildir_names import directory_of
from gateway.transfer.sources import MBOXES
from mailserver.imap import Client

_FROM = re.compile(rb"^(>*From )", re.MULTILINE)
_RETURN = re.compile(rb"^return-path:[ \t]*<([^<>\s]{1,250})>", re.IGNORECASE | re.MULTILINE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def write_mboxes(client: Client, into: Path) -> tuple[int, int]:
    """Write every folder below ``into``; answers messages and octets. Safe to repeat."""
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    named: dict[str, dict[str, str]] = {}
    messages = size = 0
    for name, on_server, role in folders(client):
        folder = listing(client, name, on_server, role)
        file = (directory_of(name)[1:] or "INBOX") + ".mbox"
        named[file] = {"name": name, "role": role}
        made, octets = _write(client, folder, into / file)
        messages, size = messages + made, size + octets
    (into / MBOXES).write_text(json.dumps(named, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return messages, size


def _write(client: Client, folder: FolderOut, file: Path) -> tuple[int, int]:
    size = 0
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:

        def take(one: Listed, raw: bytes) -> None:
            nonlocal size
            out.write(framed(raw, one.flags, one.date))
            size += one.size

        made = each(client, folder, take)
    return made, size


def framed(raw: bytes, flags: Iterable[str], date: int) -> bytes:
    """A message as it is in the file, with the empty line after it."""
    text = to_unix(raw)
    sender = _RETURN.search(text[:65536].partition(b"\n\n")[0])
    line = b"From " + (sender[1] if sender else b"MAILER-DAEMON") + b" " + _asctime(date) + b"\n"
    end = b"" if text.endswith(b"\n") else b"\n"
    return line + _status(list(flags)) + _FROM.sub(rb">\1", text) + end + b"\n"


def _status(flags: list[str]) -> bytes:
    lowered = {flag.lower() for flag in flags}
    lines = ["Status: " + ("RO" if "\\seen" in lowered else "O")]
    letters = {"\\answered": "A", "\\flagged": "F", "\\draft": "T", "\\deleted": "D"}
    more = "".join(letter for flag, letter in letters.items() if flag in lowered)
    if more:
        lines.append("X-Status: " + more)
    keywords = [flag for flag in flags if not flag.startswith("\\")]
    if keywords:
        lines.append("X-Keywords: " + " ".join(keywords))
    return "\n".join([*lines, ""]).encode("utf-8", "replace")


def _asctime(micros: int) -> bytes:
    when = _EPOCH + timedelta(microseconds=micros)
    day, month = _DAYS[when.weekday()], _MONTHS[when.month - 1]
    return f"{day} {month} {when.day:2d} {when:%H:%M:%S} {when.year}".encode()
