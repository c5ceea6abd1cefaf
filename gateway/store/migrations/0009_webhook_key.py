"""Which key answers for a webhook (null: the organization), whether it is a sandbox's; whence a sign-in was asked for.

Webhooks that exist already are the organization's.
"""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    db.execute_sql('ALTER TABLE "webhook" ADD COLUMN "key_id" VARCHAR(255)')
    db.execute_sql('ALTER TABLE "webhook" ADD COLUMN "test" INTEGER NOT NULL DEFAULT 0')
    db.execute_sql('CREATE INDEX "webhook_key_id" ON "webhook" ("key_id")')
    db.execute_sql('ALTER TABLE "cli_login" ADD COLUMN "network" TEXT NOT NULL DEFAULT \'\'')
