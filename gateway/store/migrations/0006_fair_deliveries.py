"""Whose delivery it is and when it was tried, for fair shares and for order; what was written of a webhook that is off.

What is off already has dropped what came since: nobody is written to about it now.
"""

from typing import Any

from peewee import SqliteDatabase


def up(migrator: Any, db: Any) -> None:
    kind = "INTEGER" if isinstance(db, SqliteDatabase) else "BIGINT"
    db.execute_sql(f'ALTER TABLE "webhook" ADD COLUMN "off_mailed_at" {kind}')
    db.execute_sql(
        "UPDATE webhook SET off_mailed_at = updated_at WHERE enabled = 0 AND disabled_reason IS NOT NULL"
    )
    db.execute_sql("""ALTER TABLE "delivery" ADD COLUMN "organization_id" TEXT NOT NULL DEFAULT ''""")
    db.execute_sql(f'ALTER TABLE "delivery" ADD COLUMN "tried_at" {kind}')
    db.execute_sql(f'ALTER TABLE "delivery" ADD COLUMN "planned_at" {kind}')
    db.execute_sql(
        "UPDATE delivery SET organization_id = coalesce((SELECT webhook.organization_id FROM webhook "
        "WHERE webhook.id = delivery.webhook_id), '') WHERE state = 'pending'"
    )
    db.execute_sql(
        'CREATE INDEX "delivery_state_organization_id_next_at" '
        'ON "delivery" ("state", "organization_id", "next_at")'
    )
    db.execute_sql(
        "UPDATE delivery SET planned_at = next_at, tried_at = created_at "
        "WHERE state = 'pending' AND attempts > 0 AND next_at < 4611686018427387904"
    )
