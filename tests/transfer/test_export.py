"""Exports are read by other programs, and by another import; nothing is lost on the way."""

from __future__ import annotations

import json
import mailbox
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.servers import data_directory
from tests.support.stock_dovecot import as_oneself, maildir_settings
from tests.support.waiting import until
from tests.transfer.full_inbox import deliver, mail, person
from tests.transfer.test_backup import answer
from tests.transfer.test_import import Newcomer

FOLDER = '"Kunden/M&APw-ller.GmbH"'


@pytest.fixture
def full(gateway: GatewayProcess, organization: Organization) -> Newcomer:
    """An inbox with folders, flags, many keywords, a draft, a rule, a webhook and lines that mbox must quote."""
    made = Newcomer(gateway, organization)
    deliver(
        gateway,
        mail(made.address, "first", "x\n\nFrom here on\n>From there\n", Message_ID="<q1@x.example>"),
        mail(made.address, "second", In_Reply_To="<q1@x.example>"),
        mail(made.address, "third"),
    )
    until(lambda: len(made.shown()) == 3)
    with person(gateway, made.address, made.password) as client:
        client.create(FOLDER)
        client.select("INBOX")
        client.store("1", "+FLAGS", "(\\Seen \\Answered " + " ".join(f"label-{n}" for n in range(30)) + ")")
        client.uid("MOVE", "2", FOLDER)
    organization.call(
        "POST",
        f"inboxes/{made.address}/drafts",
        json={
            "to": ["x@outside.example"],
            "subject": "draft",
            "text": "…",
            "attachments": [{"filename": "a.txt", "content": "aGVsbG8="}],
        },
    )
    organization.call(
        "POST",
        "webhooks",
        json={
            "url": "http://127.0.0.1:8099/x",
            "event_types": ["message.received"],
        },
    )
    until(lambda: "label-29" in str(made.shown()) and "folder:" in str(made.shown()))
    return made


def facts(root: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / name).read_text("utf-8").splitlines()]


def test_maildir(full: Newcomer, tmp_path: Path) -> None:
    gateway, organization = full.gateway, full.organization
    target = tmp_path / "out"
    done = answer(gateway, "export", "--inbox", full.address, "--to", str(target))
    assert done["messages"] == 4  # the draft is one
    root = target / "inboxes" / full.address
    before = full.shown()
    told = {one["message_id"]: one for one in facts(root, "messages.jsonl")}
    assert {name: set(one["labels"]) for name, one in told.items()} == {
        name: set(one["labels"]) for name, one in before.items()
    }
    assert {one["thread_id"] for one in facts(root, "threads.jsonl")} == {
        one["thread_id"] for one in before.values()
    }
    [draft] = facts(root, "drafts.jsonl")
    assert [one.read_bytes() for one in (root / "drafts" / draft["draft_id"]).iterdir()] == [b"hello"]
    [about] = [json.loads(one.read_text()) for one in (target / "organizations").iterdir()]
    assert [one["url"] for one in about["webhooks"]] == ["http://127.0.0.1:8099/x"]
    assert "secret" not in json.dumps(about)

    # as Python reads it
    box = mailbox.Maildir(root / "mail", create=False)
    assert {one["Subject"] for one in box} == {"first", "third"}
    [first] = [one for one in box if one["Subject"] == "first"]
    assert {"R", "S"} <= set(first.get_flags())
    assert len(box.list_folders()) >= 5

    # and as it comes back
    again = Newcomer(gateway, organization)
    assert again.bring(str(target))["appended"] == 4
    assert same(again) == same(full)
    refused = gateway.postern("export", "--inbox", full.address, "--to", str(target))
    assert refused.returncode != 0
    assert "it is there already" in refused.stderr


def same(one: Newcomer) -> dict[str, tuple[set[str], int]]:
    """What must come back: labels, and how many messages share the thread."""
    rows = one.shown().values()
    threads = [row["thread_id"] for row in rows]
    return {row["subject"]: (set(row["labels"]), threads.count(row["thread_id"])) for row in rows}


def test_mbox_in_one_file(full: Newcomer, tmp_path: Path) -> None:
    target = tmp_path / "out.tar.gz"
    done = answer(full.gateway, "export", "--inbox", full.address, "--to", str(target), "--format", "mbox")
    assert done["messages"] == 4
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out.tar.gz"]
    subprocess.run(["tar", "-xzf", target, "--one-top-level=unpacked"], cwd=tmp_path, check=True)
    box = mailbox.mbox(tmp_path / "unpacked" / "inboxes" / full.address / "mail" / "INBOX.mbox", create=False)
    assert sorted(one["Subject"] for one in box) == ["first", "third"]
    [first] = [one for one in box if one["Subject"] == "first"]
    assert "R" in first.get_flags()
    assert "\n>From here on\n>>From there\n" in first.get_payload()
    box.close()
    again = Newcomer(full.gateway, full.organization)
    assert again.bring(str(target))["appended"] == 4
    assert same(again) == same(full)
    assert again.bring(str(target))["known"] == 4


@pytest.mark.skipif(os.geteuid() != 0, reason="Dovecot reads it as another user")
def test_dovecot_reads_the_maildir(full: Newcomer, tmp_path: Path) -> None:
    """A stock Dovecot, on the exported directory as its mail: folders, flags and keywords are there."""
    with data_directory(tmp_path) as place:
        target = place / "out"
        answer(full.gateway, "export", "--inbox", full.address, "--to", str(target))
        box = place / "box"
        shutil.copytree(target / "inboxes" / full.address / "mail", box)
        subprocess.run(["chown", "-R", "nobody:nogroup", str(box)], check=True)
        config = place / "dovecot.conf"
        config.write_text(
            f"{maildir_settings(box)}mail_uid = nobody\nmail_gid = nogroup\nfirst_valid_uid = 1\n"
            f"base_dir = {place}/run\nnamespace inbox {{\n  inbox = yes\n  separator = /\n}}\nssl = no\n"
        )
        doveadm = ["doveadm", "-c", str(config), "-f", "tab"]
        env = {"USER": "nobody", "HOME": str(place), "PATH": os.environ["PATH"]}
        uid = pwd.getpwnam("nobody").pw_uid
        found = subprocess.run(
            [*doveadm, "fetch", *as_oneself(), "mailbox flags hdr.subject", "mailbox", "*", "all"],
            env=env, capture_output=True, text=True, user=uid, group=65534, extra_groups=[],
        )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert "second" in found.stdout, (found.stdout, found.stderr)
    rows = [line.split("\t") for line in found.stdout.splitlines()[1:]]
    by_subject = {subject: (folder, flags) for folder, flags, subject in rows}
    assert by_subject["second"][0].startswith("Kunden/Müller_GmbH~")  # a dot is a level in Maildir++
    assert {"\\Seen", "\\Answered", "label-0"} <= set(by_subject["first"][1].split())
