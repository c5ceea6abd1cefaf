"""A quota for each inbox: octets, 0 for no limit, null for the mail server's default."""

from typing import Any

from peewee import SqliteDatabase


def up(migrator: Any, db: Any) -> None:
    kind = "INTEGER" if isinstance(db, SqliteDatabase) else "BIGINT"
    db.execute_sql(f'ALTER TABLE "inbox" ADD COLUMN "quota" {kind}')
