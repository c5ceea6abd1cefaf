"""The first schema. Later changes come as numbered files of their own; this one is frozen at release 1."""

from typing import Any

from peewee import SqliteDatabase

from gateway.store import models, totals


def up(migrator: Any, db: Any) -> None:
    tables = models.KEPT + models.DERIVED
    with db.bind_ctx(tables):
        db.create_tables(tables)
    sqlite = isinstance(db, SqliteDatabase)
    totals.create(db, sqlite=sqlite)
    if sqlite:
        db.execute_sql(
            "CREATE VIRTUAL TABLE message_search USING fts5("
            "subject, people, body, tokenize='unicode61 remove_diacritics 2')"
        )
    else:
        db.execute_sql(
            "CREATE TABLE message_search (rowid BIGINT PRIMARY KEY, subject TEXT, people TEXT, body TEXT, "
            "document TSVECTOR GENERATED ALWAYS AS (to_tsvector('simple', "
            "coalesce(subject,'') || ' ' || coalesce(people,'') || ' ' || coalesce(body,''))) STORED)"
        )
        db.execute_sql("CREATE INDEX message_search_document ON message_search USING GIN (document)")
