"""Messages that were indexed without having been read, to be read again."""

from typing import Any

from peewee import SqliteDatabase


def up(migrator: Any, db: Any) -> None:
    kind = "INTEGER" if isinstance(db, SqliteDatabase) else "BIGINT"
    db.execute_sql(
        'CREATE TABLE "reread" ("message_id" VARCHAR(255) NOT NULL PRIMARY KEY, "inbox_id" VARCHAR(255) NOT NULL, '
        f'"due_at" {kind} NOT NULL, "tries" INTEGER NOT NULL DEFAULT 0)'
    )
    db.execute_sql('CREATE INDEX "reread_inbox_id_due_at" ON "reread" ("inbox_id", "due_at")')
