"""Backup while mail flows, wipe, restore: the same gateway."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.store.sql import sql
from tests.support.databases import on_postgres
from tests.support.gateway_process import GatewayProcess, Organization, running_gateway
from tests.support.waiting import until
from tests.transfer.full_inbox import deliver, empty_place, mail, person, rows_of, shown

EVENTS = "SELECT id FROM event ORDER BY seq"


def answer(gateway: GatewayProcess, *arguments: str, code: int = 0, **options: Any) -> Any:
    done = gateway.postern(*arguments, "--json", **options)
    assert done.returncode == code, (done.stdout, done.stderr)
    return json.loads(done.stdout if code == 0 else done.stderr.splitlines()[-1])


def test_backup_under_traffic_then_wipe_then_restore(tmp_path: Path) -> None:
    target = tmp_path / "backups"
    with running_gateway(tmp_path) as gateway, empty_place(tmp_path) as other:
        organization = gateway.organization
        address = organization.new_inbox("main")["email_address"]
        password = organization.call("POST", f"inboxes/{address}/credentials")["password"]
        second = organization.new_inbox("second")["email_address"]
        organization.call(
            "POST",
            f"inboxes/{address}/messages/send",
            json={"to": [second], "subject": "to a neighbour", "text": "hi"},
        )
        deliver(
            gateway,
            *(mail(address, f"history {n}", Message_ID=f"<h{n}@outside.example>") for n in range(30)),
            mail(address, "Re: history 0", In_Reply_To="<h0@outside.example>"),
        )
        # beside the 31: the Sent copy
        until(lambda: len(shown(organization, address)) >= 32 and len(shown(organization, second)) == 1)
        with person(gateway, address, password) as client:
            client.create('"Kunden/M&APw-ller.GmbH"')
            client.select("INBOX")
            client.store("1:3", "+FLAGS", "(\\Seen \\Flagged)")
            client.store("2", "+FLAGS", "(" + " ".join(f"label-{n}" for n in range(30)) + ")")
            client.uid("MOVE", "4", '"Kunden/M&APw-ller.GmbH"')
            client.uid("MOVE", "5", "Junk")
        hook = organization.call(
            "POST", "webhooks", json={"url": "http://127.0.0.1:8099/x", "event_types": ["message.received"]}
        )
        draft = organization.call(
            "POST",
            f"inboxes/{address}/drafts",
            json={
                "to": ["x@outside.example"],
                "subject": "not yet",
                "text": "…",
                "attachments": [{"filename": "a.txt", "content": "aGVsbG8="}],
            },
        )
        settled: dict[str, Any] = {}

        def moved() -> bool:
            settled.update(shown(organization, address))
            labels = [label for one in settled.values() for label in one["labels"]]
            return "folder:Kunden/Müller.GmbH" in labels and "spam" in labels and "label-29" in labels

        until(moved)
        neighbour = shown(organization, second)

        stop = threading.Event()

        def traffic() -> None:
            n = 0
            while not stop.is_set():
                deliver(gateway, mail(address, f"meanwhile {n}"))
                n += 1

        flow = threading.Thread(target=traffic)
        flow.start()
        try:
            made = answer(gateway, "backup", str(target), "--mail", "--verify", "--keep", "1")
        finally:
            stop.set()
            flow.join()
        assert made["verified"] is True
        assert made["mail"]["inboxes"] == 3
        assert made["mail"]["messages"] >= len(settled) + 1
        key, first_id = gateway.api_key, draft["draft_id"]
        gateway.stop()
        told = rows_of(Path(made["backup"]), EVENTS)
        assert told
        shutil.rmtree(gateway.data)
        gateway.data.mkdir(mode=0o711)

        restored = answer(other, "restore", made["backup"])
        assert restored["refused"] == []
        occupied = answer(other, "restore", made["backup"], code=1)
        assert "holds a gateway already" in occupied["error"]
        other.start()
        same = Organization(organization.id, key, other.base_url)
        after = shown(same, address)
        assert {one: after.get(one) for one in settled} == settled
        assert shown(same, second) == neighbour
        assert [one["webhook_id"] for one in same.call("GET", "webhooks")["webhooks"]] == [hook["webhook_id"]]
        there = same.call("GET", f"inboxes/{address}/drafts/{first_id}")
        assert there["subject"] == "not yet"
        assert len(same.call("GET", f"inboxes/{address}/drafts")["drafts"]) == 1
        with person(other, address, password) as client:
            found = client.select('"Kunden/M&APw-ller.GmbH"')[1][0]
            assert found == b"1"
        # nothing that was known is told again, and what came in during the backup is there but no news
        assert other.database(lambda tx: [(row["id"],) for row in sql(tx).rows(EVENTS)]) == told
        deliver(other, mail(address, "after"))
        until(lambda: any(one["subject"] == "after" for one in shown(same, address).values()))


def test_the_next_backup_links_what_the_last_one_holds_and_old_ones_go(
    gateway: GatewayProcess, organization: Organization, tmp_path: Path
) -> None:
    address = organization.new_inbox()["email_address"]
    deliver(gateway, mail(address, "kept"))
    until(lambda: shown(organization, address))
    first = Path(answer(gateway, "backup", str(tmp_path / "b"), "--mail")["backup"])
    deliver(gateway, mail(address, "newer"))
    until(lambda: len(shown(organization, address)) == 2)
    second = Path(answer(gateway, "backup", str(tmp_path / "b"), "--mail", "--keep", "2")["backup"])
    old = {one.name.rpartition(":")[0]: one for one in (first / "mail" / address / "cur").iterdir()}
    new = {one.name.rpartition(":")[0]: one for one in (second / "mail" / address / "cur").iterdir()}
    assert len(old) == 1
    assert len(new) == 2
    assert all(new[name].samefile(path) for name, path in old.items())
    third = answer(gateway, "backup", str(tmp_path / "b"), "--keep", "1")
    assert third["removed"] == [first.name, second.name]
    assert [one.name for one in (tmp_path / "b").iterdir()] == [Path(third["backup"]).name]


def test_a_backup_made_in_the_same_second_gets_the_next_ones_name(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    from gateway.backup.catalog import name_now

    taken = name_now()
    for stamp in range(5):
        later = datetime.strptime(taken, "postern-%Y%m%dT%H%M%SZ") + timedelta(seconds=stamp)
        (tmp_path / later.strftime("postern-%Y%m%dT%H%M%SZ")).mkdir()
    assert Path(answer(gateway, "backup", str(tmp_path))["backup"]).name > later.strftime(
        "postern-%Y%m%dT%H%M%SZ"
    )


def test_one_file_and_what_is_damaged_does_not_verify(gateway: GatewayProcess, tmp_path: Path) -> None:
    file = tmp_path / "one.tar.gz"
    made = answer(gateway, "backup", str(file), "--verify")
    assert made["backup"] == str(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert answer(gateway, "backup", str(file), "--verify-only")["verified"] is True
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
    assert str(file) in answer(gateway, "backup", str(file), "--verify-only", code=1)["error"]

    folder = Path(answer(gateway, "backup", str(tmp_path / "dir"))["backup"])
    if on_postgres():
        changed = folder / "postern.pgdump"
        changed.write_bytes(changed.read_bytes()[:-1])
    else:
        changed = folder / "postern.db"
        with closing(sqlite3.connect(changed)) as database, database:
            database.execute("DELETE FROM api_key")
    said = answer(gateway, "backup", str(folder), "--verify-only", code=1)["error"]
    assert f"{changed.name} is not what it was" in said
    (folder / "secret").unlink()
    assert answer(gateway, "backup", str(folder), "--verify-only", code=1)["error"]


def test_verified_says_in_the_same_line_what_is_not_in_it(gateway: GatewayProcess, tmp_path: Path) -> None:
    for options, words in (([], "NO MAIL is in it"), (["--mail"], " messages of ")):
        done = gateway.postern("backup", str(tmp_path / "b"), "--verify", *options)
        first = done.stdout.splitlines()[0]
        assert "verified: " in first
        assert words in first


def test_a_backup_is_secret_and_holds_no_deleted_row(
    gateway: GatewayProcess, organization: Organization, tmp_path: Path
) -> None:
    inbox = organization.new_inbox("vanishing-name-of-an-inbox")
    organization.call("DELETE", f"inboxes/{inbox['inbox_id']}")
    folder = Path(answer(gateway, "backup", str(tmp_path / "b"))["backup"])
    assert (folder.parent.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o700, 0o700)
    assert rows_of(folder, "SELECT count(*) FROM message") == [(0,)]  # derived: made by rebuild
    assert rows_of(folder, "SELECT count(*) FROM organization")[0][0] > 0
    if not on_postgres():  # pg_dump writes rows that are there, and nothing else
        [(said,)] = rows_of(folder, "SELECT count(*) FROM event WHERE type = 'inbox.deleted'")
        logged = "SELECT count(*) FROM audit_entry WHERE object_name LIKE 'vanishing-name%'"
        [(entries,)] = rows_of(folder, logged)
        left = (folder / "postern.db").read_bytes().count(b"vanishing-name-of-an-inbox")
        # the event that says so, in its row and indexes; the audit log, which names it and shows its address
        assert 0 < left <= 3 * said + 2 * entries


def test_a_database_elsewhere_comes_back_to_where_the_settings_say(tmp_path: Path) -> None:
    first, second = (f"sqlite:{tmp_path / name / 'records.db'}" for name in ("first", "second"))
    (tmp_path / "first").mkdir()
    with (
        running_gateway(tmp_path, database__url=first) as gateway,
        empty_place(tmp_path, database__url=second) as other,
    ):
        gateway.organization.new_inbox("elsewhere")
        made = answer(gateway, "backup", str(tmp_path / "b"), "--mail", "--verify")
        answer(other, "restore", made["backup"])
        assert not (other.data / "postern.db").exists()
        assert (
            other.database(lambda tx: sql(tx).value("SELECT 1 FROM inbox WHERE username = 'elsewhere'")) == 1
        )
        shutil.rmtree(other.data)
        occupied = answer(other, "restore", made["backup"], code=1)
        assert "records.db is a database already" in occupied["error"]
        assert not (other.data / "secret").exists()


def test_the_settings_file_comes_back_where_there_is_none(gateway: GatewayProcess, tmp_path: Path) -> None:
    said = "[limits]\ninboxes = 77\n"
    (gateway.data / "postern.toml").write_text(said)
    try:
        made = answer(gateway, "backup", str(tmp_path / "b"), "--verify")
    finally:
        (gateway.data / "postern.toml").unlink()
    with empty_place(tmp_path) as other:
        answer(other, "restore", made["backup"])
        assert (other.data / "postern.toml").read_text() == said
        shown = other.postern("config")
        assert "77" in shown.stdout, shown.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_nothing_but_the_target_is_written(tmp_path: Path) -> None:
    """As the systemd unit runs it: the data directory cannot be written, and the gateway need not run."""
    tried = subprocess.run(["unshare", "-m", "true"], capture_output=True, text=True)
    if tried.returncode != 0:  # in a plain chroot, whose root is no mount
        pytest.skip(f"no mounts of its own here: {tried.stderr.strip()}")
    with running_gateway(tmp_path) as gateway:
        readonly = f"mount --bind {gateway.data} {gateway.data} && mount -o remount,ro,bind {gateway.data}"
        inside = ["unshare", "-m", "sh", "-c", readonly + ' && exec "$@"', "sh"]

        def names(target: str) -> list[str]:
            command = gateway.command("backup", str(tmp_path / target), "--verify", "--json")
            done = subprocess.run(
                [*inside, *command], env=gateway.environment(), capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            backup = Path(json.loads(done.stdout)["backup"])
            return [name for (name,) in rows_of(backup, "SELECT username FROM inbox ORDER BY username")]

        gateway.organization.new_inbox("late-1")
        assert "late-1" in names("running")
        gateway.stop()
        assert "late-1" in names("stopped")
        gateway.start()
        gateway.organization.new_inbox("late-2")
        gateway.kill()
        assert "late-2" in names("killed")


@pytest.mark.skipif(os.geteuid() != 0, reason="giving away needs root")
def test_what_root_makes_in_a_directory_of_anothers_is_that_ones(
    gateway: GatewayProcess, organization: Organization, tmp_path: Path
) -> None:
    address = organization.new_inbox()["email_address"]
    deliver(gateway, mail(address, "kept"))
    until(lambda: shown(organization, address))
    target = tmp_path / "b"
    target.mkdir()
    os.chown(target, 12345, 12346)
    made = Path(answer(gateway, "backup", str(target), "--mail")["backup"])
    packed = Path(answer(gateway, "backup", str(target / "one.tar.gz"))["backup"])
    everything = [made, *made.rglob("*"), packed]
    assert len(everything) > 5
    assert {(one.stat().st_uid, one.stat().st_gid) for one in everything} == {(12345, 12346)}
