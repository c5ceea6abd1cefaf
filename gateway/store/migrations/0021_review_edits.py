"""What was changed of a message while it was held."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    db.execute_sql("""ALTER TABLE "review" ADD COLUMN "edits_json" TEXT NOT NULL DEFAULT '[]'""")
