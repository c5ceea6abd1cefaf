"""Secrets in the database: sealed under the key outside of it, on both engines, and those of older versions too."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway.backup.moving import put_into_postgresql
from gateway.backup.postgres import environment
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.sealing import PREFIX, SEALED, Sealer, WrongKey
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.support.postgres_server import PostgresCluster
from tests.upgrade.make import RELEASES, unpack_release

KEY = b"k" * 32


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database of each engine."""
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path / 'one.db'}"
    else:
        yield request.getfixturevalue("postgres").new_database()


def raw(url: str) -> bytes:
    """The octets of a database: its file and log, or what pg_dump writes and each page of the tables holds."""
    if url.startswith("sqlite:"):
        file = Path(url.removeprefix("sqlite:"))
        return b"".join(one.read_bytes() for one in file.parent.glob(f"{file.name}*"))
    found = subprocess.run(
        ["pg_dump"], env={"PATH": "/usr/bin:/bin", **environment(url)}, capture_output=True
    )
    assert found.returncode == 0, found.stderr
    with psycopg.connect(url) as db:
        db.execute("CHECKPOINT")
        for table in SEALED:
            [(path,)] = db.execute("SELECT pg_relation_filepath(%s)", (table,)).fetchall()
            [(page,)] = db.execute("SELECT pg_read_binary_file(%s)", (path,)).fetchall()
            found.stdout += bytes(page)
    return found.stdout


def hook(tx: Tx, id: str, secret: str, headers: str = "{}") -> None:
    row: dict[str, Any] = {
        "id": id, "number": 1, "organization_id": "o", "dialect": "agentmail", "url": "https://x.example/",
        "event_types_json": "[]", "inbox_ids_json": "[]", "pod_ids_json": "[]", "headers_json": headers,
        "enabled": 1, "secret": secret, "created_at": 1, "updated_at": 1,
    }  # fmt: skip
    sql(tx).insert("webhook", row)


def test_what_is_written_is_sealed_and_what_is_read_is_not(url: str) -> None:
    with closing(Store(url, sealer=Sealer(KEY))) as store:
        migrate(store)
        store.write_now(lambda tx: hook(tx, "a", "whsec_first", '{"Authorization": "Bearer theirs"}'))
        change = {"secret": "whsec_second", "old_secret": "whsec_first"}
        store.write_now(lambda tx: sql(tx).update("webhook", "id", "a", change))
        for rows in (
            store.read_now(lambda tx: sql(tx).rows("SELECT * FROM webhook")),
            store.read_now(lambda tx: [sql(tx).row("SELECT webhook.* FROM webhook") or {}]),
        ):
            assert (rows[0]["secret"], rows[0]["old_secret"]) == ("whsec_second", "whsec_first")
            assert rows[0]["headers_json"] == '{"Authorization": "Bearer theirs"}'
        kept = store.read_now(lambda tx: sql(tx).value("SELECT secret FROM webhook"))
        assert kept.startswith(PREFIX)
    for plain in (b"whsec_", b"Bearer theirs"):
        assert plain not in raw(url)


def test_rows_of_an_older_version_are_sealed_at_the_next_start(url: str) -> None:
    with closing(Store(url)) as store:
        migrate(store)
        for number in range(1200):
            store.write_now(lambda tx: hook(tx, f"h{number}", f"whsec_{number}"))  # noqa: B023
    assert b"whsec_7" in raw(url)
    with closing(Store(url, sealer=Sealer(KEY))) as store:
        migrate(store)
        held = store.read_now(lambda tx: sql(tx).rows("SELECT id, secret FROM webhook"))
        assert {one["id"]: one["secret"] for one in held} == {f"h{n}": f"whsec_{n}" for n in range(1200)}
    assert b"whsec_" not in raw(url)


def test_another_key_is_refused_and_nothing_is_lost(url: str) -> None:
    with closing(Store(url, sealer=Sealer(KEY))) as store:
        migrate(store)
        store.write_now(lambda tx: hook(tx, "a", "whsec_first"))
    with closing(Store(url)) as store:  # as a version that did not seal would have left it
        store.write_now(lambda tx: hook(tx, "b", "whsec_plain"))
    with closing(Store(url, sealer=Sealer(b"x" * 32))) as store:
        with pytest.raises(WrongKey, match="file `secret`: put back"):
            migrate(store)
        kept = store.read_now(lambda tx: sql(tx).value("SELECT secret FROM webhook WHERE id = 'b'"))
        assert kept == "whsec_plain"
    with closing(Store(url, sealer=Sealer(KEY))) as store:
        migrate(store)
        assert store.read_now(
            lambda tx: [one["secret"] for one in sql(tx).rows("SELECT secret FROM webhook ORDER BY id")]
        ) == [
            "whsec_first",
            "whsec_plain",
        ]


def test_a_value_does_not_open_in_another_column(tmp_path: Path) -> None:
    sealer = Sealer(KEY)
    sealed = sealer.seal("dkim_private", "-----BEGIN")
    assert sealer.open("dkim_private", sealed) == "-----BEGIN"
    with pytest.raises(WrongKey):
        sealer.open("secret", sealed)
    assert sealer.seal("secret", "a") != sealer.seal("secret", "a")
    assert [sealer.seal("secret", one) for one in (None, "", "{}")] == [None, "", "{}"]


@pytest.mark.parametrize("release", sorted(RELEASES.glob("*.tar.xz")), ids=lambda one: one.name)
def test_the_databases_of_releases_are_sealed(
    release: Path, tmp_path: Path, postgres: PostgresCluster
) -> None:
    unpack_release(release, tmp_path)
    file = tmp_path / "data" / "postern.db"
    with closing(sqlite3.connect(file)) as db:
        secrets = [one for (one,) in db.execute("SELECT secret FROM webhook")]
        keys = dict(db.execute("SELECT name, dkim_private FROM domain").fetchall())
    assert secrets
    assert keys
    moved = postgres.new_database()
    put_into_postgresql(file, moved)
    for url in (f"sqlite:{file}", moved):
        with closing(Store(url, sealer=Sealer(KEY))) as store:
            migrate(store)
            rows = store.read_now(lambda tx: sql(tx).rows("SELECT name, dkim_private FROM domain"))
            assert {one["name"]: one["dkim_private"] for one in rows} == keys
            rows = store.read_now(lambda tx: sql(tx).rows("SELECT secret FROM webhook"))
            assert sorted(one["secret"] for one in rows) == sorted(secrets)
        held = raw(url)
        assert b"PRIVATE KEY" not in held
        assert not [one for one in secrets if one.encode() in held]


def test_what_looks_sealed_is_sealed_like_any_text() -> None:
    sealer = Sealer(b"k" * 32)
    text = f"{PREFIX}of somebody's own"
    kept = sealer.seal("secret", text)
    assert kept != text
    assert sealer.open("secret", kept) == text
