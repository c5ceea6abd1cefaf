"""The schema of release 0.1.0, as text beside this file: statements with an empty line between them.

Frozen: later changes come as numbered files of their own, and none of them reads the models.
"""

from pathlib import Path
from typing import Any

from peewee import SqliteDatabase


def up(migrator: Any, db: Any) -> None:
    engine = "sqlite" if isinstance(db, SqliteDatabase) else "postgresql"
    text = Path(__file__).with_name(f"0001_initial.{engine}.sql").read_text("utf-8")
    for statement in text.strip().split("\n\n"):
        # without parameters a percent sign is one, to both drivers
        db.execute_sql(statement)
