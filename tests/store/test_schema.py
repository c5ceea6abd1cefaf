"""The migrations of every release, run one after the other, come to the schema that the models describe."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from gateway import __version__
from gateway.store import schema
from gateway.store.engine import Store, StoreDown
from gateway.store.migrate import SchemaTooNew, migrate
from tests.support.postgres_server import PostgresCluster

_HISTORY = "schema_migration"


def _plain(sql: str) -> str:
    return re.sub(r"\s+", " ", sql.replace("IF NOT EXISTS ", "")).strip()


def test_sqlite_migrations_come_to_the_models(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:{tmp_path / 'one.db'}")) as store:
        migrate(store)
    with closing(sqlite3.connect(tmp_path / "one.db")) as db:
        made = {
            name: _plain(sql)
            for name, sql in db.execute("SELECT name, sql FROM sqlite_master WHERE sql > ''")
        }
    with closing(sqlite3.connect(":memory:")) as db:
        for statement in schema.statements("sqlite"):
            db.execute(statement)
        wanted = {
            name: _plain(sql)
            for name, sql in db.execute("SELECT name, sql FROM sqlite_master WHERE sql > ''")
        }
    ours = {name: sql for name, sql in made.items() if _HISTORY not in name and name != "sqlite_sequence"}
    assert ours == {name: sql for name, sql in wanted.items() if name != "sqlite_sequence"}
    assert len(ours) > 60


def _described(url: str) -> set[tuple[object, ...]]:
    """Columns, indexes, triggers and functions of a PostgreSQL database, as it describes them itself."""
    found: set[tuple[object, ...]] = set()
    with psycopg.connect(url) as db:
        for query in (
            "SELECT table_name, column_name, data_type, is_nullable, column_default, generation_expression "
            "FROM information_schema.columns WHERE table_schema = 'public'",
            "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
            "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
            "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
        ):
            found |= {tuple(row) for row in db.execute(query) if _HISTORY not in str(row[0])}
    return found


def test_postgresql_migrations_come_to_the_models(postgres: PostgresCluster) -> None:
    migrated, wanted = postgres.new_database(), postgres.new_database()
    store = Store(migrated)
    migrate(store)
    store.close()
    with psycopg.connect(wanted) as db:
        for statement in schema.statements("postgresql"):
            db.execute(statement.encode())
    ours = _described(migrated)
    assert ours == _described(wanted)
    assert len(ours) > 200


def test_a_database_without_letters_is_refused_with_words(postgres: PostgresCluster) -> None:
    """What `createdb` makes where PostgreSQL was installed without a locale: its text would come back as octets."""
    postgres.run("CREATE DATABASE plain_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    with (
        closing(Store(postgres.url("plain_ascii"))) as store,
        pytest.raises(StoreDown, match=r"SQL_ASCII.*CREATE DATABASE … ENCODING 'UTF8'"),
    ):
        migrate(store)


def test_a_database_of_a_newer_release_is_refused_with_words(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'one.db'}"
    for made in (True, False):
        with closing(Store(url)) as store:
            assert bool(migrate(store)) == made
    with closing(sqlite3.connect(tmp_path / "one.db")) as db:
        db.execute(f"INSERT INTO {_HISTORY} (name, applied) VALUES ('9999_future', '2030-01-01')")
        db.commit()
    refusal = rf"newer Postern wrote this database.*9999_future, which Postern {re.escape(__version__)} does not know"
    told = pytest.raises(SchemaTooNew, match=refusal)
    with closing(Store(url)) as store, told:
        migrate(store)
