"""What was sent, by the random part of its id: whether a request was answered before the database was restored."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    db.execute_sql(
        'CREATE INDEX "message_identity" ON "message" ("inbox_id", substr("id", 11), "timestamp") '
        "WHERE (\"direction\" = 'outbound')"
    )
