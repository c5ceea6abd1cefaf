"""Mail on the command line: listed, read, moved and deleted, and hostile mail on a terminal."""

from __future__ import annotations

import base64
import imaplib
import json
import re
import smtplib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.visible import cells
from tests.cli.terminal import in_terminal
from tests.cli.test_commands import answer
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.waiting import until

HOSTILE_SUBJECT = "\x1b]0;owned\x07\x1b[31mRed\x1b[0m"
HOSTILE = (
    'From: "support@bank.example" <x@evil.example>\r\nTo: {to}\r\nSubject: ' + HOSTILE_SUBJECT + "\r\n"
    "Message-ID: <{name}@evil.example>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "clear \x1b[2J\x1b[H the screen\r\nrun safe\u202egpj.exe\r\n"
)


def deliver(gateway: GatewayProcess, to: str, mail: str) -> None:
    with smtplib.SMTP("127.0.0.1", gateway.port("smtp"), timeout=30) as client:
        client.sendmail("x@evil.example", [to], mail.encode())


def letter(to: str, number: int, sender: str = "ann@world.example", more: str = "") -> str:
    return (
        f"From: Ann <{sender}>\r\nTo: {to}\r\nSubject: Letter {number}\r\n"
        f"Message-ID: <{number}.{to}>\r\n{more}\r\nText {number}\r\n"
    )


def listed(gateway: GatewayProcess, inbox: str, *arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = answer(gateway, "message", "list", "--inbox", inbox, *arguments)["messages"]
    return rows


def waited(gateway: GatewayProcess, inbox: str, count: int) -> list[dict[str, Any]]:
    until(lambda: gateway.organization.call("GET", f"inboxes/{inbox}/messages")["total"] >= count)
    return listed(gateway, inbox)


def new_inbox(gateway: GatewayProcess) -> str:
    return str(gateway.organization.new_inbox()["email_address"])


@pytest.fixture(scope="module")
def hostile(gateway: GatewayProcess) -> dict[str, Any]:
    """A message of an inbox that holds nothing else."""
    inbox = new_inbox(gateway)
    deliver(gateway, inbox, HOSTILE.format(to=inbox, name="hostile"))
    (message,) = waited(gateway, inbox, 1)
    return message | {"address": inbox}


def test_list_show_and_raw_for_programs(
    gateway: GatewayProcess, hostile: dict[str, Any], tmp_path: Path
) -> None:
    shown = answer(gateway, "message", "show", hostile["message_id"])
    assert shown["from"] == '"support@bank.example" <x@evil.example>'
    assert "unread" in shown["labels"]
    by_name = answer(gateway, "message", "show", "--inbox", hostile["address"], "<hostile@evil.example>")
    assert by_name["message_id"] == hostile["message_id"]
    assert "unread" in by_name["labels"]
    file = tmp_path / "mail.eml"
    wrote = answer(gateway, "message", "raw", hostile["message_id"], "--output", str(file))
    octets = file.read_bytes()
    assert (
        wrote["size"]
        == len(octets)
        == len(base64.b64decode(answer(gateway, "message", "raw", hostile["message_id"])["content"]))
    )
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"clear \x1b[2J\x1b[H the screen\r\n" in octets
    piped = subprocess.run(
        gateway.command("message", "raw", hostile["message_id"]),
        env=gateway.environment(),
        capture_output=True,
        timeout=60,
    )
    assert (piped.returncode, piped.stdout) == (0, octets)
    again = gateway.postern("message", "raw", hostile["message_id"], "--output", str(file))
    assert again.returncode == 2
    assert "is there already" in again.stderr


@pytest.mark.parametrize("how", ["list", "show", "raw", "headers", "delete"])
def test_hostile_mail_cannot_act_on_the_terminal(
    gateway: GatewayProcess, hostile: dict[str, Any], how: str
) -> None:
    message = hostile["message_id"]
    arguments = {
        "list": ["message", "list", "--inbox", hostile["address"]],
        "show": ["message", "show", message],
        "raw": ["message", "raw", message],
        "headers": ["message", "show", message, "--headers"],
        "delete": ["message", "delete", message],
    }[how]
    if how == "delete":  # it asks, on standard error, naming the mail
        done = gateway.postern(*arguments, input="n\n")
        assert done.returncode == 130
        text = done.stdout + done.stderr
    else:
        text = in_terminal(gateway, *arguments, NO_COLOR="1", PAGER="cat").text
        piped = gateway.postern(*arguments).stdout
        text += piped if how != "raw" else ""  # which is octet for octet, where no terminal is
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]", text)
    assert "x@evil.example" in text
    if how in ("show", "raw", "headers"):
        assert "clear ␛[2J␛[H the screen" in text
        assert "safe<U+202E>gpj.exe" in text
    as_json = in_terminal(gateway, "message", "show", message, "--json").text
    assert not re.search("[\x1b\x7f-\x9f\u202a-\u202e]", as_json)
    assert json.loads(as_json)["text"] == "clear \x1b[2J\x1b[H the screen\nrun safe\u202egpj.exe\n"


def test_a_list_fits_the_terminal_and_is_coloured_there_alone(gateway: GatewayProcess) -> None:
    inbox = new_inbox(gateway)
    long = f"somebody.with.a.long.name@{'x' * 30}.world.example"
    deliver(gateway, inbox, letter(inbox, 1, long).replace("Letter 1", "Letter 1 " + "with many words " * 9))
    deliver(gateway, inbox, letter(inbox, 2).replace("Letter 2", "=?utf-8?b?5pel5pys6Kqe44Gu5Lu25ZCN?="))
    rows = waited(gateway, inbox, 2)
    arguments = ("message", "list", "--inbox", inbox)
    for width in (80, 120):
        seen = in_terminal(gateway, *arguments, width=width, NO_COLOR="1")
        assert "\x1b" not in seen.text
        assert len(seen.lines) == 3
        assert all(cells(line) <= width for line in seen.lines)
        assert all(any(row["message_id"] in line for line in seen.lines) for row in rows)
        assert "world.example" in seen.text  # an address keeps its end
    assert "日本語の件名" in seen.text
    assert "\x1b[1m" in in_terminal(gateway, *arguments).text
    assert "\x1b" not in in_terminal(gateway, *arguments, TERM="dumb").text
    piped = gateway.postern(*arguments).stdout
    assert "\x1b" not in piped
    assert long in piped
    assert ("with many words " * 9).strip() in piped


def test_what_is_longer_than_the_screen_is_paged(gateway: GatewayProcess) -> None:
    inbox = new_inbox(gateway)
    for number in range(12):
        deliver(gateway, inbox, letter(inbox, number))
    waited(gateway, inbox, 12)
    arguments = ("message", "list", "--inbox", inbox)
    paged = in_terminal(gateway, *arguments, height=10, PAGER="sed s/^/paged:/")
    assert len([line for line in paged.lines if line.startswith("paged:") and "msg_" in line]) == 12
    fits = in_terminal(gateway, *arguments, height=40, PAGER="sed s/^/paged:/")
    assert "paged:" not in fits.text
    assert fits.text.count("msg_") == 12
    told = in_terminal(gateway, *arguments, "--no-pager", height=10, PAGER="sed s/^/paged:/")
    assert "paged:" not in told.text
    piped = subprocess.run(
        gateway.command(*arguments),
        env=gateway.environment() | {"PAGER": "sed s/^/paged:/", "LINES": "5"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "paged:" not in piped.stdout
    asked = in_terminal(gateway, *arguments, "--json", height=10, PAGER="sed s/^/paged:/")
    assert len(json.loads(asked.text)["messages"]) == 12


def test_lists_are_narrowed_and_read_page_after_page(gateway: GatewayProcess) -> None:
    inbox = new_inbox(gateway)
    for number in range(5):
        deliver(
            gateway, inbox, letter(inbox, number, "bob@other.example" if number == 3 else "ann@world.example")
        )
    rows = waited(gateway, inbox, 5)
    (bob,) = listed(gateway, inbox, "--from", "bob@other")
    assert bob["subject"] == "Letter 3"
    (found,) = listed(gateway, inbox, "--search", "letter 4")
    assert found["subject"] == "Letter 4"
    answer(gateway, "message", "label", bob["message_id"], "--add", "kept")
    assert [one["subject"] for one in listed(gateway, inbox, "--label", "kept")] == ["Letter 3"]
    assert len(listed(gateway, inbox, "--after", "1d")) == 5
    assert listed(gateway, inbox, "--before", "1d") == []
    first = answer(gateway, "message", "list", "--inbox", inbox, "--limit", "2")
    rest = answer(
        gateway, "message", "list", "--inbox", inbox, "--limit", "9", "--page-token", first["next_page_token"]
    )
    assert (first["count"], first["total"], rest["count"]) == (2, 5, 3)
    ids = [one["message_id"] for one in first["messages"] + rest["messages"]]
    assert ids == [one["message_id"] for one in rows]
    shown = gateway.postern("message", "list", "--inbox", inbox, "--limit", "2")
    assert f"--page-token {first['next_page_token']}" in shown.stderr
    assert len(shown.stdout.splitlines()) == 3


def test_moving_is_what_a_mail_program_sees(gateway: GatewayProcess) -> None:
    inbox = new_inbox(gateway)
    deliver(gateway, inbox, letter(inbox, 1))
    (message,) = waited(gateway, inbox, 1)
    person = gateway.organization.call("POST", f"inboxes/{inbox}/credentials")

    def in_folder(name: str) -> int:
        with imaplib.IMAP4("127.0.0.1", gateway.port("imap")) as imap:
            imap.login(person["username"], person["password"])
            kind, _ = imap.select(f'"{name}"', readonly=True)
            return len(imap.search(None, "ALL")[1][0].split()) if kind == "OK" else -1

    for to, folder in (
        ("junk", "Junk"),
        ("trash", "Trash"),
        ("archive", "Archive"),
        ("Receipts", "Receipts"),
    ):
        moved = answer(gateway, "message", "move", message["message_id"], to)
        assert moved["count"] == 1
        assert (in_folder(folder), in_folder("INBOX")) == (1, 0)
    answer(gateway, "message", "move", message["message_id"], "inbox")
    assert (in_folder("INBOX"), in_folder("Receipts")) == (1, 0)
    wrong = gateway.postern("message", "move", message["message_id"], "sent")
    assert wrong.returncode == 2
    assert "was received" in wrong.stderr
    bad = gateway.postern("message", "move", message["message_id"], "../x")
    assert bad.returncode == 1
    assert "names no folder" in bad.stderr


def test_read_unread_and_labels(gateway: GatewayProcess) -> None:
    inbox = new_inbox(gateway)
    for number in range(2):
        deliver(gateway, inbox, letter(inbox, number))
    ids = [one["message_id"] for one in waited(gateway, inbox, 2)]
    answer(gateway, "message", "read", *ids)
    assert listed(gateway, inbox, "--unread") == []
    answer(gateway, "message", "unread", ids[0])
    assert [one["message_id"] for one in listed(gateway, inbox, "--unread")] == ids[:1]
    answer(gateway, "message", "label", *ids, "--add", "starred", "--add", "Größe")
    assert all({"starred", "Größe"} <= set(one["labels"]) for one in listed(gateway, inbox))
    answer(gateway, "message", "label", ids[0], "--remove", "Größe")
    assert [one["message_id"] for one in listed(gateway, inbox, "--label", "Größe")] == ids[1:]
    assert gateway.postern("message", "label", ids[0]).returncode == 2


def test_delete_asks_and_deletes_all_or_none(gateway: GatewayProcess) -> None:
    inbox = new_inbox(gateway)
    for number in range(2):
        deliver(gateway, inbox, letter(inbox, number))
    ids = [one["message_id"] for one in waited(gateway, inbox, 2)]
    asked = gateway.postern("message", "delete", *ids, input="n\n")
    assert asked.returncode == 130
    assert "Letter 0" in asked.stderr
    missing = gateway.postern("message", "delete", ids[0], f"msg_{'0' * 26}", "--yes")
    assert missing.returncode == 3
    assert len(listed(gateway, inbox)) == 2
    assert answer(gateway, "message", "delete", *ids, "--yes")["deleted"] == ids
    assert listed(gateway, inbox, "--all") == []
    gone = gateway.postern("message", "show", ids[0])
    assert gone.returncode == 3
    assert "postern message list" in gone.stderr


def test_threads(gateway: GatewayProcess) -> None:
    inbox = new_inbox(gateway)
    deliver(gateway, inbox, letter(inbox, 1))
    (first,) = waited(gateway, inbox, 1)
    answers = f"In-Reply-To: <1.{inbox}>\r\nReferences: <1.{inbox}>\r\n"
    deliver(gateway, inbox, letter(inbox, 2, more=answers) + f"> Text 1\r\n{HOSTILE_SUBJECT}\r\n")
    waited(gateway, inbox, 2)
    (thread,) = answer(gateway, "thread", "list", "--inbox", inbox)["threads"]
    assert thread["thread_id"] == first["thread_id"]
    assert thread["message_count"] == 2
    whole = answer(gateway, "thread", "show", thread["thread_id"])
    assert [one["subject"] for one in whole["messages"]] == ["Letter 1", "Letter 2"]
    seen = in_terminal(gateway, "thread", "show", thread["thread_id"], NO_COLOR="1", PAGER="cat", height=60)
    assert seen.text.index("Text 1") < seen.text.index("Text 2")
    assert "\x1b" not in seen.text
    assert inbox in seen.text
    plural = gateway.postern("threads", "list", "--inbox", inbox)
    assert thread["thread_id"] in plural.stdout
    missing = gateway.postern("thread", "show", "thr_x")
    assert missing.returncode == 3
    assert "postern thread list" in missing.stderr


def test_attachments_and_html_are_named(gateway: GatewayProcess) -> None:
    inbox = new_inbox(gateway)
    body = {
        "to": [inbox],
        "subject": "With a file",
        "html": "<p>Only <b>HTML</b></p>",
        "attachments": [{"filename": "né.pdf", "content_type": "application/pdf", "content": "aGVsbG8="}],
    }
    gateway.organization.call("POST", f"inboxes/{inbox}/messages/send", json=body)
    until(lambda: len(listed(gateway, inbox, "--label", "received")) == 1)
    (message,) = listed(gateway, inbox, "--label", "received")
    shown = gateway.postern("message", "show", message["message_id"])
    assert "né.pdf  5 B, application/pdf" in shown.stdout
    assert "Only HTML" in shown.stdout
    html = gateway.postern("message", "show", message["message_id"], "--html")
    assert "<b>HTML</b>" in html.stdout
    headers = gateway.postern("message", "show", message["message_id"], "--headers")
    assert re.search("(?im)^message-id: ", headers.stdout)


def test_a_key_of_one_inbox_sees_only_its_own(
    gateway: GatewayProcess, organization: Organization, tmp_path: Path
) -> None:
    ours, theirs = (str(organization.new_inbox()["email_address"]) for _ in range(2))
    for inbox in (ours, theirs):
        deliver(gateway, inbox, letter(inbox, 1))
        until(lambda inbox=inbox: organization.call("GET", f"inboxes/{inbox}/messages")["total"])
    other = organization.call("GET", f"inboxes/{theirs}/messages")["messages"][0]["message_id"]
    key = organization.call("POST", f"inboxes/{ours}/api-keys", json={"name": "narrow"})["key"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            gateway.command(*arguments),
            env=gateway.environment() | {"POSTERN_URL": gateway.base_url, "POSTERN_KEY": key},
            capture_output=True,
            text=True,
            timeout=60,
        )

    (message,) = json.loads(run("message", "list", "--json").stdout)["messages"]
    assert message["to"] == [ours]
    assert run("message", "show", message["message_id"]).returncode == 0
    assert len(json.loads(run("thread", "list", "--json").stdout)["threads"]) == 1
    for arguments in (
        ["message", "show", other],
        ["message", "raw", other],
        ["message", "delete", other, "--yes"],
    ):
        refused = run(*arguments)
        assert refused.returncode == 3
        assert "Traceback" not in refused.stderr
    assert run("message", "list", "--inbox", theirs).returncode == 3
    assert json.loads(run("queue", "list", "--json").stdout)["queue"] == []
    assert run("queue", "retry", "--all").returncode == 3
    assert organization.call("GET", f"inboxes/{theirs}/messages")["total"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["message", "show", "nonsense"], 3, "there is no message nonsense"),
        (["message", "list", "--inbox", "nobody@postern.test"], 3, "postern inbox list"),
        (["message", "list", "--after", "yesterday"], 2, "is no time"),
        (["message", "list", "--limit", "0"], 2, "limit"),
        (["message", "list", "--page-token", "x"], 1, "page_token"),
        (["message", "move", "msg_x"], 2, "ID"),
        (["thread", "list", "--search", " "], 1, "q takes"),
    ],
)
def test_mistakes_have_one_clear_sentence(
    gateway: GatewayProcess, arguments: list[str], code: int, words: str
) -> None:
    done = gateway.postern(*arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_shell_completes_the_names(gateway: GatewayProcess) -> None:
    words = {"_POSTERN_COMPLETE": "bash_complete", "COMP_WORDS": "postern message ", "COMP_CWORD": "2"}
    done = subprocess.run(
        [gateway.command()[0], "-c", "from gateway.cli.main import postern; postern(prog_name='postern')"],
        env=gateway.environment() | words,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert {"plain,list", "plain,show", "plain,raw", "plain,move"} <= set(done.stdout.split())
