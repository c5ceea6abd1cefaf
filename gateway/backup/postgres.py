"""Copying and putting back the records of a PostgreSQL database, with its own tools.

pg_dump reads one snapshot while others write; derived tables are dumped without their rows. The connection is given
by environment variables: other users of the machine see the arguments of a command, and the URL holds a password.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from gateway.backup.records import BackupError
from gateway.store.sqlite_copy import EMPTY
from mailserver.lookup_postgresql import SCHEMA

_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "options": "PGOPTIONS",
}


def dump(url: str, target: Path) -> None:
    """Write the records to ``target`` in pg_dump's custom format. Blocks. Raises BackupError."""
    _run(
        url,
        "pg_dump",
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        f"--exclude-schema={SCHEMA}",  # the lookup tables, which may be in the same database: see ``lookup``
        *(f"--exclude-table-data={name}" for name in sorted(EMPTY)),
        f"--file={target}",
    )


def check(target: Path) -> None:
    """Read the whole of a dump. Blocks. Raises BackupError."""
    _run("", "pg_restore", "--file=/dev/null", str(target))


def data_as_text(dumped: Path, schema: str) -> str:
    """The rows of a schema's tables in a dump, as COPY statements. Blocks. Raises BackupError."""
    return _run("", "pg_restore", "--data-only", f"--schema={schema}", "--file=-", str(dumped))


def put_back(url: str, dumped: Path) -> None:
    """Fill the empty database at ``url`` with the records, all or nothing. Blocks. Raises BackupError."""
    name = environment(url).get("PGDATABASE", "")
    with tempfile.NamedTemporaryFile("w", prefix="postern-dump-") as wanted:
        # a dump of format 1 may hold the lookup tables, too: they have a way of their own
        wanted.write("\n".join(one for one in _contents(dumped) if SCHEMA not in one.split()))
        wanted.flush()
        _run(
            url,
            "pg_restore",
            "--no-owner",
            "--no-privileges",
            "--exit-on-error",
            "--single-transaction",
            f"--use-list={wanted.name}",
            f"--dbname={name}",
            str(dumped),
        )


def _contents(dumped: Path) -> list[str]:
    return _run("", "pg_restore", "--list", str(dumped)).splitlines()


def environment(url: str) -> dict[str, str]:
    """The environment by which PostgreSQL's tools reach ``url``."""
    import psycopg.conninfo

    parts = psycopg.conninfo.conninfo_to_dict(url) if url else {}
    return {_VARIABLES[name]: str(value) for name, value in parts.items() if name in _VARIABLES}


def _run(url: str, tool: str, *arguments: str) -> str:
    if shutil.which(tool) is None:
        raise BackupError(f"{tool} is not installed: apt install postgresql-client")
    done = subprocess.run(
        [tool, *arguments], env={**os.environ, **environment(url)}, capture_output=True, text=True
    )
    if done.returncode:
        raise BackupError(f"{tool}: {done.stderr.strip()[-1000:] or f'exit code {done.returncode}'}")
    return done.stdout
