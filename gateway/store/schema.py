"""The schema as this version's models have it, as SQL: what the migrations, all run, must come to.

A release's migrations are frozen as text and never read the models, so that a database of any release takes the same
way to today's. ``tests/store/test_schema.py`` compares the two; a change of a model without a migration fails there.
To see the statements: ``python -m gateway.store.schema sqlite|postgresql``.
"""

from __future__ import annotations

import sys
from typing import Any, Literal, get_args

import peewee

from gateway.store import models, row_counts

Engine = Literal["sqlite", "postgresql"]


def statements(engine: Engine) -> list[str]:
    """The statements that make every table, index, trigger and function, in order."""
    db: Any = _RecordingSqlite(None) if engine == "sqlite" else _RecordingPostgresql(None)
    tables = models.KEPT + models.DERIVED
    with db.bind_ctx(tables):
        db.create_tables(tables, safe=False)
    row_counts.create(db, sqlite=engine == "sqlite")
    for statement in _SEARCH[engine]:
        db.execute_sql(statement)
    return list(db.recorded)


_SEARCH: dict[str, list[str]] = {
    "sqlite": [
        "CREATE VIRTUAL TABLE message_search USING fts5("
        "subject, people, body, tokenize='unicode61 remove_diacritics 2')"
    ],
    "postgresql": [
        "CREATE TABLE message_search (rowid BIGINT PRIMARY KEY, subject TEXT, people TEXT, body TEXT, "
        "document TSVECTOR GENERATED ALWAYS AS (setweight(to_tsvector('simple', coalesce(subject,'')), 'A') || "
        "setweight(to_tsvector('simple', coalesce(people,'')), 'B') || to_tsvector('simple', coalesce(body,''))) "
        "STORED)",
        "CREATE INDEX message_search_document ON message_search USING GIN (document)",
    ],
}


class _Recording:
    """Keeps what it is asked to execute, and executes nothing."""

    recorded: list[str]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.recorded = []

    def execute_sql(self, sql: str, params: Any = None) -> None:
        assert not params, sql
        self.recorded.append(sql)


class _RecordingSqlite(_Recording, peewee.SqliteDatabase):
    pass


class _RecordingPostgresql(_Recording, peewee.PostgresqlDatabase):
    pass


if __name__ == "__main__":
    engines: dict[str, Engine] = {one: one for one in get_args(Engine)}
    if len(sys.argv) != 2 or sys.argv[1] not in engines:
        sys.exit("usage: python -m gateway.store.schema sqlite|postgresql")
    print("\n\n".join(statements(engines[sys.argv[1]])))
