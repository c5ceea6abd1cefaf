"""A return path for each of several recipients of a message: the token in it."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    db.execute_sql('ALTER TABLE "outbox_recipient" ADD COLUMN "token" VARCHAR(255)')
    db.execute_sql(
        'CREATE UNIQUE INDEX "outboxrecipient_token" ON "outbox_recipient" ("token") WHERE ("token" IS NOT NULL)'
    )
