"""Every reply about a recipient, where only the last was kept; and which API key asked for a message."""

from typing import Any

from peewee import SqliteDatabase


def up(migrator: Any, db: Any) -> None:
    sqlite = isinstance(db, SqliteDatabase)
    whole, key = ("INTEGER", "INTEGER") if sqlite else ("BIGINT", "BIGSERIAL")
    db.execute_sql('ALTER TABLE "outbox" ADD COLUMN "key_id" VARCHAR(255)')
    db.execute_sql(
        f'CREATE TABLE "outbox_reply" ("id" {key} NOT NULL PRIMARY KEY, "outbox_id" VARCHAR(255) NOT NULL, '
        '"address" TEXT NOT NULL, "source" VARCHAR(255) NOT NULL, "state" VARCHAR(255) NOT NULL, '
        '"number" INTEGER NOT NULL, "code" INTEGER, "status" TEXT, "said" TEXT, "remote" TEXT, '
        f'"at" {whole} NOT NULL, "next_at" {whole})'
    )
    db.execute_sql('CREATE INDEX "outboxreply_outbox_id" ON "outbox_reply" ("outbox_id")')
    db.execute_sql('CREATE INDEX "labelchange_message_id" ON "label_change" ("message_id")')
