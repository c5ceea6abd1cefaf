"""The first schema. Later changes come as numbered files of their own; this one is frozen at release 1."""

from typing import Any

from peewee import SqliteDatabase

from gateway.store import schema


def up(migrator: Any, db: Any) -> None:
    for statement in schema.statements("sqlite" if isinstance(db, SqliteDatabase) else "postgresql"):
        db.execute_sql(statement)
