"""The migrations of an earlier version, for tests of what the next one does with rows that are there."""

from __future__ import annotations

import shutil
from pathlib import Path

import gateway.store.migrate as migrating


def migrations_before(level: str, tmp_path: Path) -> Path:
    """A folder below ``tmp_path`` with the migrations older than ``level``."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    for one in Path(migrating._DIRECTORY).iterdir():
        if one.is_file() and one.name.split(".")[0] < level:
            shutil.copy(one, folder)
    return folder
