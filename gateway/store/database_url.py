"""Where the database is: as ``database.url`` says, or a SQLite file in the data directory."""

from __future__ import annotations

from pathlib import Path

_SQLITE = "sqlite:"


def database_url(setting: str, data_dir: Path) -> str:
    """The database's URL; ``setting`` is ``database.url``, which may be empty."""
    return setting or f"{_SQLITE}{data_dir / 'postern.db'}"


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for another database."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None
