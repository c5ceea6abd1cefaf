"""The audit log: who changed what of accounts, addresses, webhooks and rules."""

from typing import Any

from peewee import SqliteDatabase


def up(migrator: Any, db: Any) -> None:
    whole = "INTEGER" if isinstance(db, SqliteDatabase) else "BIGINT"
    db.execute_sql(
        'CREATE TABLE "audit_entry" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, '
        f'"organization_id" VARCHAR(255) NOT NULL, "created_at" {whole} NOT NULL, '
        '"actor" VARCHAR(255) NOT NULL, "key_id" VARCHAR(255), "via" VARCHAR(255) NOT NULL, '
        '"operation" VARCHAR(255) NOT NULL, "ip" VARCHAR(255), "request_id" VARCHAR(255), '
        '"action" VARCHAR(255) NOT NULL, "object_type" VARCHAR(255) NOT NULL, '
        '"object_id" VARCHAR(255) NOT NULL, "object_name" TEXT, "before_json" TEXT, "after_json" TEXT)'
    )
    db.execute_sql('CREATE INDEX "auditentry_created_at" ON "audit_entry" ("created_at")')
    db.execute_sql(
        'CREATE INDEX "auditentry_organization_id_created_at_id" '
        'ON "audit_entry" ("organization_id", "created_at", "id")'
    )
