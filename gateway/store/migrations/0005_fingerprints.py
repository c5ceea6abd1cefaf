"""When an inbox began to tell received mail apart by fingerprints: mail that is there keeps the ids it has."""

from typing import Any

from peewee import SqliteDatabase

from gateway.store.ids import now_us


def up(migrator: Any, db: Any) -> None:
    sqlite = isinstance(db, SqliteDatabase)
    kind, mark = ("INTEGER", "?") if sqlite else ("BIGINT", "%s")
    db.execute_sql(f'ALTER TABLE "inbox" ADD COLUMN "fingerprints_since" {kind} NOT NULL DEFAULT 0')
    db.execute_sql(f'UPDATE "inbox" SET "fingerprints_since" = {mark}', (now_us(),))  # noqa: S608
