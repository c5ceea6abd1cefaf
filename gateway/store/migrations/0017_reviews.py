"""Messages that are held until a person decides, and since when one that was held may leave."""

from typing import Any

from peewee import SqliteDatabase


def up(migrator: Any, db: Any) -> None:
    number = "INTEGER" if isinstance(db, SqliteDatabase) else "BIGINT"
    db.execute_sql(f'ALTER TABLE "outbox" ADD COLUMN "queued_at" {number}')
    name = "VARCHAR(255)"
    db.execute_sql(
        f'CREATE TABLE "review" ("id" {name} NOT NULL PRIMARY KEY, "organization_id" {name} NOT NULL, '
        f'"inbox_id" {name} NOT NULL, "message_id" {name} NOT NULL, "direction" {name} NOT NULL, '
        f'"reasons_json" TEXT NOT NULL, "digest" TEXT NOT NULL, "state" {name} NOT NULL, "asked_by" {name}, '
        f'"decided_by" TEXT, "decided_at" {number}, "reason" TEXT, "expires_at" {number} NOT NULL, '
        f'"created_at" {number} NOT NULL, "updated_at" {number} NOT NULL)'
    )
    db.execute_sql('CREATE INDEX "review_inbox_id" ON "review" ("inbox_id")')
    db.execute_sql('CREATE UNIQUE INDEX "review_message_id" ON "review" ("message_id")')
    db.execute_sql(
        'CREATE INDEX "review_organization_id_created_at_id" ON "review" ("organization_id", "created_at", "id")'
    )
    db.execute_sql('CREATE INDEX "review_state_expires_at" ON "review" ("state", "expires_at")')
