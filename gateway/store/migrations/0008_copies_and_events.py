"""Which copies of a message a sender repeated, and which event a message has."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    db.execute_sql('ALTER TABLE "location" ADD COLUMN "repeat" INTEGER NOT NULL DEFAULT 0')
    db.execute_sql('CREATE INDEX "event_message_id" ON "event" ("message_id")')
