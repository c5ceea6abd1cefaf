"""People's mail passwords, aliases and quotas over a backup and a restore, wherever the lookup tables are."""

from __future__ import annotations

import json
import shutil
import smtplib
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest

from gateway.backup import catalog, lookup
from gateway.backup.make import digest
from gateway.backup.postgres import environment, put_back
from gateway.backup.records import BackupError
from mailserver.lookup import Lookup
from mailserver.lookup_copy import fill, read_all, same
from mailserver.lookup_postgresql import SCHEMA, PostgresqlStorage
from mailserver.lookup_storage import Rows
from tests.support.gateway_process import GatewayProcess, Organization, running_gateway
from tests.support.postgres_server import PostgresCluster
from tests.support.waiting import until
from tests.transfer.full_inbox import deliver, empty_place, mail, person, shown
from tests.transfer.test_backup import answer

Main = Literal["sqlite", "postgresql"]
Tables = Literal["sqlite", "same", "separate"]

ROWS = Rows(
    ["a.example", "b.example"],
    [
        ("one@a.example", "one@a.example~1", "{SHA512-CRYPT}$6$x\\y\tz\n", 1, None),
        ("two@a.example", "two@a.example~2", None, 1, 0),
        ("three@b.example", "three@b.example~3", "{X}\\N", 0, 5_000_000),
    ],
    [("info@a.example", "one@a.example"), ("info@a.example", "two@a.example"), ("@b.example", "")],
)


def placed(main: Main, tables: Tables, postgres: PostgresCluster) -> dict[str, Any]:
    """Settings for fresh databases."""
    found: dict[str, Any] = {"database__url": "" if main == "sqlite" else postgres.new_database()}
    if tables != "sqlite":
        found["mail__lookup"] = "postgresql"
    if tables == "separate":
        found["mail__lookup_url"] = postgres.new_database()
    return found


def submits(gateway: GatewayProcess, address: str, password: str, subject: str) -> None:
    """Hand in a mail to oneself as a person's mail program does."""
    with smtplib.SMTP("127.0.0.1", gateway.port("submission"), timeout=30) as smtp:
        smtp.login(address, password)
        smtp.send_message(mail(address, subject, From=address))


def arrives(organization: Organization, inbox: str, subject: str) -> None:
    """Wait for a mail of this subject."""
    until(lambda: subject in {row["subject"] for row in shown(organization, inbox).values()})


MATRIX = [
    (("sqlite", "sqlite"), ("sqlite", "sqlite")),
    (("sqlite", "separate"), ("sqlite", "separate")),
    (("postgresql", "sqlite"), ("postgresql", "sqlite")),
    (("postgresql", "same"), ("postgresql", "same")),
    (("postgresql", "separate"), ("postgresql", "separate")),
    (("sqlite", "separate"), ("postgresql", "same")),
    (("postgresql", "same"), ("postgresql", "sqlite")),
]


@pytest.mark.parametrize(("before", "after"), MATRIX, ids=lambda one: "-".join(one))
def test_the_same_password_logs_in_after_a_restore(
    before: tuple[Main, Tables], after: tuple[Main, Tables], tmp_path: Path, postgres: PostgresCluster
) -> None:
    with (
        running_gateway(tmp_path, **placed(*before, postgres)) as gateway,
        empty_place(tmp_path, **placed(*after, postgres)) as other,
    ):
        organization = gateway.organization
        address, second = (organization.new_inbox(name)["email_address"] for name in ("ann", "bob"))
        passwords = {
            one: organization.call("POST", f"inboxes/{one}/credentials")["password"]
            for one in (address, second)
        }
        domain = address.partition("@")[2]
        answer(gateway, "inbox", "quota", second, "7M")
        answer(gateway, "alias", "add", f"info@{domain}", address)
        deliver(gateway, mail(f"info@{domain}", "by the alias"))
        until(lambda: len(shown(organization, address)) == 1)
        key = gateway.api_key
        made = answer(gateway, "backup", str(tmp_path / "b"), "--mail", "--verify")
        gateway.stop()
        shutil.rmtree(gateway.data)
        gateway.data.mkdir(mode=0o711)

        restored = answer(other, "restore", made["backup"])
        assert restored["passwords"] >= 2
        other.start()
        there = Organization(organization.id, key, other.base_url)
        for one, password in passwords.items():
            with person(other, one, password) as client:
                assert client.select("INBOX")[0] == "OK"
            submits(other, one, password, "by submission")
            arrives(there, one, "by submission")
        deliver(other, mail(f"info@{domain}", "by the alias again"))
        arrives(there, address, "by the alias again")
        assert answer(other, "inbox", "show", second)["quota"]["quota_bytes"] == 7 * 2**20


def test_the_filters_of_a_mailbox_come_back(tmp_path: Path) -> None:
    """Vacation answers among them. The files are as ManageSieve lays them out."""
    script = b'require ["vacation"];\nvacation "I am away";\n'
    with running_gateway(tmp_path) as gateway, empty_place(tmp_path) as other:
        address = gateway.organization.new_inbox("ann")["email_address"]
        [home] = gateway.data.glob("mail/ann@*")
        (home / "sieve").mkdir()
        for name in ("away", "other"):
            (home / "sieve" / f"{name}.sieve").write_bytes(script)
        (home / ".dovecot.sieve").symlink_to("sieve/away.sieve")
        made = answer(gateway, "backup", str(tmp_path / "b"), "--mail", "--verify")
        assert answer(other, "restore", made["backup"])["filters"] == 1
        [there] = other.data.glob("mail/ann@*")
        assert {one.name: one.read_bytes() for one in (there / "sieve").iterdir()} == {
            "away.sieve": script,
            "other.sieve": script,
        }
        assert (there / ".dovecot.sieve").read_bytes() == script
        owners = {one.lstat().st_uid for one in (there, *there.rglob("*"))}
        assert owners == {(other.data / "mail").stat().st_uid}
        other.start()
        deliver(other, mail(address, "after"))
        there_too = Organization(gateway.organization.id, gateway.api_key, other.base_url)
        arrives(there_too, address, "after")


def test_a_gateway_without_its_keys_or_tables_makes_no_backup(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    for name in ("secret", "server.key", "lookup/lookup.db"):
        [file] = [one for one in gateway.data.rglob(Path(name).name) if one.is_file()]
        hidden = file.with_name("hidden")
        file.rename(hidden)
        try:
            said = gateway.postern("backup", str(tmp_path / "b"), "--json")
        finally:
            hidden.rename(file)
        assert said.returncode != 0
        assert Path(name).name in said.stderr or "no gateway" in said.stderr
    assert not list((tmp_path / "b").glob("postern-*")) if (tmp_path / "b").exists() else True


def test_a_backup_that_lacks_its_lookup_tables_does_not_verify(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    folder = Path(answer(gateway, "backup", str(tmp_path / "b"))["backup"])
    manifest = folder / catalog.MANIFEST
    whole = manifest.read_text()
    said = json.loads(whole)
    # as format 1 said it of a gateway whose tables were in PostgreSQL: nothing of them
    shutil.move(folder / catalog.LOOKUP, tmp_path / "kept")
    del said["files"][catalog.LOOKUP], said["lookup"]
    manifest.write_text(json.dumps(said))
    assert (
        "lookup tables are missing"
        in answer(gateway, "backup", str(folder), "--verify-only", code=1)["error"]
    )
    # and with fewer passwords than the manifest counts
    shutil.copyfile(tmp_path / "kept", folder / catalog.LOOKUP)
    with closing(sqlite3.connect(folder / catalog.LOOKUP)) as db, db:
        db.execute("DELETE FROM mailbox")
    said = json.loads(whole)
    said["files"][catalog.LOOKUP] = digest(folder / catalog.LOOKUP)
    manifest.write_text(json.dumps(said))
    assert (
        "lookup tables are not those"
        in answer(gateway, "backup", str(folder), "--verify-only", code=1)["error"]
    )
    shutil.copyfile(tmp_path / "kept", folder / catalog.LOOKUP)
    for name in (catalog.SECRETS[0], catalog.SECRETS[1]):
        short = json.loads(whole)
        del short["files"][name]
        manifest.write_text(json.dumps(short))
        assert (
            f"{name} is missing" in answer(gateway, "backup", str(folder), "--verify-only", code=1)["error"]
        )


@pytest.mark.parametrize("where", ["separate", "same"])
def test_a_dump_of_format_1_gives_its_rows_back(
    where: str, tmp_path: Path, postgres: PostgresCluster
) -> None:
    url = postgres.new_database()
    fill(PostgresqlStorage(url), ROWS)
    folder = tmp_path / "backup"
    folder.mkdir()
    name = catalog.LOOKUP_DUMP if where == "separate" else catalog.DUMP
    with psycopg.connect(url) as db:
        db.execute("CREATE TABLE organization (id int)")
    subprocess.run(
        ["pg_dump", "--format=custom", f"--file={folder / name}"],
        env={"PATH": "/usr/bin:/bin", **environment(url)},
        check=True,
    )
    assert same(lookup.rows_in(folder), ROWS)
    # the records come back without the tables, which have a way of their own
    other = postgres.new_database()
    put_back(other, folder / name)
    with psycopg.connect(other) as db:
        assert db.execute("SELECT count(*) FROM organization").fetchone() == (0,)
        assert db.execute("SELECT to_regnamespace(%s)", (SCHEMA,)).fetchone() == (None,)
    lookup.put_back(Lookup(tmp_path / "lookup.db", other), ROWS)
    assert lookup.lost(Lookup(tmp_path / "lookup.db", other), ROWS, {"one@a.example"}) == []


def test_filled_tables_are_never_overwritten(tmp_path: Path, postgres: PostgresCluster) -> None:
    for target in (Lookup(tmp_path / "lookup.db"), Lookup(tmp_path / "none.db", postgres.new_database())):
        fill(target.storage(), ROWS)
        lookup.put_back(target, ROWS)  # the same rows: a restore that was cut short goes on
        other = ROWS._replace(domains=["c.example"])
        for refuses in (lookup.refuse_filled, lookup.put_back):
            with pytest.raises(BackupError, match="already"):
                refuses(target, other)
        assert set(read_all(target.storage()).domains) == set(ROWS.domains)
        changed = ROWS._replace(mailboxes=[("one@a.example", "one@a.example~1", "{X}new", 1, None)])
        assert lookup.lost(target, changed, {"one@a.example"}) == ["one@a.example"]


def test_tables_of_a_release_without_quotas_are_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / catalog.LOOKUP)) as db, db:
        db.executescript(
            "CREATE TABLE domain (name TEXT PRIMARY KEY); CREATE TABLE alias (address TEXT, mailbox TEXT);"
            "CREATE TABLE mailbox (address TEXT PRIMARY KEY, home TEXT, password TEXT, enabled INTEGER);"
            "INSERT INTO mailbox VALUES ('one@a.example', 'h', 'p', 1)"
        )
    assert lookup.rows_in(tmp_path).mailboxes == [("one@a.example", "h", "p", 1, None)]
