"""Threads that were joined: which ids they had, and where those lead now."""

from typing import Any

from peewee import SqliteDatabase


def up(migrator: Any, db: Any) -> None:
    number = "INTEGER" if isinstance(db, SqliteDatabase) else "BIGINT"
    db.execute_sql(
        'CREATE TABLE "thread_root" ("thread_id" VARCHAR(255) NOT NULL PRIMARY KEY, "inbox_id" VARCHAR(255) NOT NULL, '
        f'"number" {number} NOT NULL, "root" VARCHAR(255) NOT NULL, "since" {number} NOT NULL, '
        '"current_id" VARCHAR(255) NOT NULL)'
    )
    for column in ("inbox_id", "number", "current_id"):
        db.execute_sql(f'CREATE INDEX "threadroot_{column}" ON "thread_root" ("{column}")')
