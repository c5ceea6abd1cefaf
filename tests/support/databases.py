"""Which database tests run on: SQLite, or with POSTERN_TEST_DATABASE=postgresql a fresh database for each.

``database_url(path)`` is for a database that stands for the file ``path``: the same path means the same database.
The cluster is made when the first one is asked for, and ends with the process.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.support.postgres_server import PostgresCluster, postgres_cluster

_KNOWN = "POSTERN_TEST_DATABASES"  # path=URL lines, for processes that a test starts
_clusters: list[PostgresCluster] = []


def on_postgres() -> bool:
    """Whether POSTERN_TEST_DATABASE asks for PostgreSQL."""
    wanted = os.environ.get("POSTERN_TEST_DATABASE", "sqlite")
    assert wanted in ("sqlite", "postgresql"), f"POSTERN_TEST_DATABASE is {wanted!r}"
    return wanted == "postgresql"


def database_url(path: Path) -> str:
    """``sqlite:PATH``, or the URL of the PostgreSQL database that stands for it."""
    if not on_postgres():
        return f"sqlite:{path}"
    known = dict(line.split("=", 1) for line in os.environ.get(_KNOWN, "").splitlines())
    if str(path) not in known:
        known[str(path)] = _cluster().new_database()
        os.environ[_KNOWN] = "\n".join(f"{name}={url}" for name, url in known.items())
    return known[str(path)]


def _cluster() -> PostgresCluster:
    if not _clusters:
        stack = ExitStack()
        atexit.register(stack.close)
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postern-pg-")))
        _clusters.append(stack.enter_context(postgres_cluster(place)))
    return _clusters[0]
