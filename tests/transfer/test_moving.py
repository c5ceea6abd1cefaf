"""A server that outgrows SQLite: its backup, restored onto PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from gateway.backup.moving import TABLES, put_into_postgresql
from gateway.backup.records import BackupError
from gateway.mail_files import LINK
from gateway.store.engine import Store
from gateway.store.sql import sql
from tests.support.gateway_process import Organization, running_gateway
from tests.support.postgres_server import PostgresCluster
from tests.support.waiting import until
from tests.transfer.full_inbox import deliver, empty_place, mail, shown
from tests.transfer.test_backup import answer
from tests.upgrade.make import RELEASES, unpack_release


def test_everything_goes_on_over_postgresql(tmp_path: Path, postgres: PostgresCluster) -> None:
    with (
        running_gateway(tmp_path, database__url="") as gateway,
        empty_place(tmp_path, database__url=postgres.new_database()) as other,
    ):
        organization = gateway.organization
        address = organization.new_inbox("main")["email_address"]
        hook = {"url": "https://hooks.example/x", "event_types": ["message.received"]}
        organization.call("POST", "webhooks", json=hook)
        organization.call(
            "POST", f"inboxes/{address}/drafts", json={"subject": "half done", "text": "Grüße 😀"}
        )
        deliver(gateway, mail(address, "one"), mail(address, "two"))
        until(lambda: len(shown(organization, address)) == 2)
        before, key = shown(organization, address), gateway.api_key
        made = answer(gateway, "backup", str(tmp_path / "b"), "--mail", "--verify")
        gateway.stop()
        secrets = files_named(gateway.data, "secret", "server.key")
        assert len(secrets) == 2

        assert answer(other, "restore", made["backup"])["messages"] >= 2
        other.start()
        there = Organization(organization.id, key, other.base_url)
        assert shown(there, address) == before
        assert there.call("GET", "webhooks")["webhooks"][0]["url"] == hook["url"]
        [draft] = there.call("GET", f"inboxes/{address}/drafts")["drafts"]
        assert draft["subject"] == "half done"
        assert files_named(other.data, "secret", "server.key") == secrets
        # numbers that the database gives go on after those there are
        new = there.new_inbox("made-there")["email_address"]
        deliver(other, mail(new, "three"), mail(address, "four"))
        until(lambda: len(shown(there, address)) == 3 and len(shown(there, new)) == 1)


def files_named(data: Path, *names: str) -> dict[str, str]:
    """Where such files are in a data directory and behind its links, and what they hold."""
    return {
        str(one.relative_to(data)): one.read_text()
        for folder in (data, data / LINK)
        for one in folder.rglob("*")
        if one.name in names
    }


def records_of(release: Path, into: Path) -> Path:
    """The SQLite file of a release's data directory."""
    unpack_release(release, into)
    return into / "data" / "postern.db"


def rows(found: list[tuple[object, ...]]) -> Counter[tuple[object, ...]]:
    return Counter(tuple(bytes(one) if isinstance(one, memoryview) else one for one in row) for row in found)


@pytest.mark.parametrize("release", sorted(RELEASES.glob("*.tar.xz")), ids=lambda one: one.name)
def test_every_row_of_an_older_release_arrives_as_it_is(
    release: Path, tmp_path: Path, postgres: PostgresCluster
) -> None:
    file, url = records_of(release, tmp_path), postgres.new_database()
    counts = put_into_postgresql(file, url)
    store = Store(url)
    try:
        with closing(sqlite3.connect(file)) as db:
            known = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for table in TABLES:
                if table not in known:  # a later version's; contacts are those of the mail that is there
                    assert counts[table] == 0 or table == "contact"
                    continue
                cursor = db.execute(f'SELECT * FROM "{table}"')
                names = ", ".join(f'"{one[0]}"' for one in cursor.description)
                there = store.read_now(lambda tx: sql(tx).rows(f'SELECT {names} FROM "{table}"'))  # noqa: B023
                wanted = cursor.fetchall()
                assert rows([tuple(one.values()) for one in there]) == rows(wanted), table
                assert counts[table] == len(wanted)
        assert sum(counts.values()) > 15
        assert len([one for one in counts.values() if one]) > 8
    finally:
        store.close()
    with pytest.raises(BackupError, match="not empty"):
        put_into_postgresql(file, url)


def test_what_is_cut_short_leaves_nothing(tmp_path: Path, postgres: PostgresCluster) -> None:
    file, url = records_of(RELEASES / "0.1.0.tar.xz", tmp_path), postgres.new_database()
    with closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE organization SET created_at = 'yesterday'")
        db.commit()
    with pytest.raises(BackupError, match="organization"):
        put_into_postgresql(file, url)
    with closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE organization SET created_at = 5")
        db.commit()
    assert put_into_postgresql(file, url)["organization"] >= 1
