"""Log records in the journal's native protocol: fields, line feeds, sizes, and what happens without a journal."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import logs
from gateway.service import journal
from tests.systemd.manager import Datagrams, entry_of, short_directory

KEY = "inai_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"


@pytest.fixture
def journald(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Datagrams]:
    made = Datagrams(short_directory(tmp_path) / "journal")
    monkeypatch.setattr(journal.JournalHandler.__init__, "__defaults__", (str(made.path),))
    yield made
    for one in logging.getLogger().handlers:
        if isinstance(one, journal.JournalHandler):
            one.close()
    made.close()


def taken(journald: Datagrams) -> dict[str, str]:
    data = journald.take()
    assert data is not None
    return entry_of(data)


def test_extra_becomes_fields(journald: Datagrams) -> None:
    logs.configure("info", "journal")
    fields = {"inbox": "a@b.test", "message_id": "msg_1", "event": "message.received", "ms": 1.5}
    logging.getLogger("postern.x").warning("two\nlines %s", "é", extra=fields)
    entry = taken(journald)
    assert entry["MESSAGE"] == "two\nlines é"
    assert entry["PRIORITY"] == "4"
    assert entry["SYSLOG_IDENTIFIER"] == "postern"
    assert entry["LOGGER"] == "postern.x"
    assert entry["POSTERN_INBOX"] == "a@b.test"
    assert entry["POSTERN_MESSAGE_ID"] == "msg_1"
    assert entry["POSTERN_EVENT"] == "message.received"
    assert entry["POSTERN_MS"] == "1.5"
    assert entry["CODE_FILE"] == __file__
    assert entry["CODE_FUNC"] == "test_extra_becomes_fields"


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", "7"), ("info", "6"), ("error", "3"), ("critical", "2")]
)
def test_levels_are_priorities(journald: Datagrams, level: str, priority: str) -> None:
    logs.configure("debug", "journal")
    getattr(logging.getLogger("postern.x"), level)("words")
    assert taken(journald)["PRIORITY"] == priority


def test_a_field_cannot_forge_another(journald: Datagrams) -> None:
    logs.configure("info", "journal")
    logging.getLogger("postern.x").info(
        "words", extra={"inbox": "x\nPRIORITY=0\nMESSAGE=forged", "odd-näme": 1}
    )
    entry = taken(journald)
    assert entry["MESSAGE"] == "words"
    assert entry["PRIORITY"] == "6"
    assert entry["POSTERN_INBOX"] == "x\nPRIORITY=0\nMESSAGE=forged"
    assert entry["POSTERN_ODD_N_ME"] == "1"


def test_secrets_are_cut_out_and_exceptions_told(journald: Datagrams) -> None:
    logs.configure("info", "journal")
    try:
        raise ValueError(f"no {KEY}")
    except ValueError:
        logging.getLogger("postern.x").exception("failed with %s", KEY, extra={"password": "hunter2"})
    entry = taken(journald)
    assert KEY not in str(entry)
    assert entry["POSTERN_PASSWORD"] == "…"
    assert "ValueError" in entry["MESSAGE"]


def test_what_no_datagram_holds_arrives_whole(journald: Datagrams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_BUFFER", 65536)
    logs.configure("info", "journal")
    logging.getLogger("postern.x").info("%s", "x" * 3_000_000)
    assert taken(journald)["MESSAGE"] == "x" * 3_000_000


def test_without_a_journal_it_goes_to_standard_error(
    journald: Datagrams, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    logs.configure("info", "journal", stream)
    journald.close()
    os.unlink(journald.path)
    logging.getLogger("postern.x").info("still told", extra={"inbox": "a@b.test"})
    line = json.loads(stream.getvalue())
    assert (line["message"], line["inbox"]) == ("still told", "a@b.test")


def test_auto_is_the_journal_only_where_standard_error_is(
    journald: Datagrams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "stderr").open("w+") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino + 1}")
        logs.configure("info", "auto")
        logging.getLogger("postern.x").info("a line")
        stream.seek(0)
        assert json.loads(stream.read())["message"] == "a line"
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        logs.configure("info", "auto")
        logging.getLogger("postern.x").info("an entry")
    assert taken(journald)["MESSAGE"] == "an entry"
