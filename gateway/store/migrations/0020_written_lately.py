"""Who wrote to an inbox is found with when: what somebody wrote lately is read off the index."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    db.execute_sql('DROP INDEX "message_writer"')
    db.execute_sql(
        'CREATE INDEX "message_writer" ON "message" ("inbox_id", "from_email", "timestamp") '
        "WHERE (\"direction\" = 'inbound')"
    )
