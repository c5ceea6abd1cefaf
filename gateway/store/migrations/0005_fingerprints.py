"""Since when an inbox tells mail apart by fingerprints, how much of its mail failed DMARC, and listing times.

Mail that is there keeps the ids it has. The triggers are frozen as text beside this file.
"""

from pathlib import Path
from typing import Any

from peewee import SqliteDatabase

from gateway.records.ids import now_us

_COUNT = (
    "INSERT INTO row_total (kind, inbox_id, hidden, n) SELECT 'dmarc_fail', inbox_id, 1, count(*) FROM label "
    "WHERE label = 'unauthenticated' GROUP BY inbox_id"
)


def up(migrator: Any, db: Any) -> None:
    engine = "sqlite" if isinstance(db, SqliteDatabase) else "postgresql"
    kind, mark = ("INTEGER", "?") if engine == "sqlite" else ("BIGINT", "%s")
    db.execute_sql(f'ALTER TABLE "inbox" ADD COLUMN "fingerprints_since" {kind} NOT NULL DEFAULT 0')
    db.execute_sql(f'UPDATE "inbox" SET "fingerprints_since" = {mark}', (now_us(),))  # noqa: S608
    db.execute_sql(
        'CREATE TABLE "listing_time" ("message_id" VARCHAR(255) NOT NULL PRIMARY KEY, '
        f'"inbox_id" VARCHAR(255) NOT NULL, "at" {kind} NOT NULL)'
    )
    db.execute_sql('CREATE INDEX "listingtime_inbox_id" ON "listing_time" ("inbox_id")')
    db.execute_sql(_COUNT)
    text = Path(__file__).with_name(f"0005_fingerprints.{engine}.sql").read_text("utf-8")
    for statement in text.strip().split("\n\n"):
        # without parameters a percent sign is one, to both drivers
        db.execute_sql(statement)
