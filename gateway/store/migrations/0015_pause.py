"""Pauses: what may not leave, since when, and who said so."""

from typing import Any

from peewee import SqliteDatabase


def up(migrator: Any, db: Any) -> None:
    number = "INTEGER" if isinstance(db, SqliteDatabase) else "BIGINT"
    db.execute_sql(
        'CREATE TABLE "pause" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "level" VARCHAR(255) NOT NULL, '
        '"subject" VARCHAR(255) NOT NULL, "organization_id" VARCHAR(255), "reason" TEXT, '
        f'"paused_by" TEXT NOT NULL, "authority" VARCHAR(255) NOT NULL, "since" {number} NOT NULL, '
        f'"ended_at" {number}, "ended_by" TEXT, "unparked_to" {number})'
    )
    db.execute_sql('CREATE INDEX "pause_organization_id" ON "pause" ("organization_id")')
    db.execute_sql('CREATE INDEX "pause_ended_at" ON "pause" ("ended_at")')
    db.execute_sql('CREATE INDEX "pause_subject" ON "pause" ("subject")')
    db.execute_sql('CREATE UNIQUE INDEX "pause_holds" ON "pause" ("subject") WHERE ("ended_at" IS NULL)')
    db.execute_sql(
        'CREATE INDEX "pause_unparks" ON "pause" ("unparked_to") WHERE ("unparked_to" IS NOT NULL)'
    )
