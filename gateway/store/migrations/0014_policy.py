"""Policies of organizations, pods and inboxes, each version a row."""

from typing import Any

from peewee import SqliteDatabase


def up(migrator: Any, db: Any) -> None:
    time = "INTEGER" if isinstance(db, SqliteDatabase) else "BIGINT"
    db.execute_sql(
        'CREATE TABLE "policy" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "organization_id" VARCHAR(255) NOT NULL, '
        '"pod_id" VARCHAR(255), "inbox_id" VARCHAR(255), "subject" VARCHAR(255) NOT NULL, '
        '"version" INTEGER NOT NULL, "rule_json" TEXT NOT NULL, "key_id" VARCHAR(255), '
        f'"created_at" {time} NOT NULL)'
    )
    db.execute_sql('CREATE INDEX "policy_organization_id" ON "policy" ("organization_id")')
    db.execute_sql('CREATE UNIQUE INDEX "policy_subject_version" ON "policy" ("subject", "version")')
