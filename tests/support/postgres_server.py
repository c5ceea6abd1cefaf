"""A PostgreSQL cluster of the test run's own: Debian's binaries, a free loopback port, nothing of the machine's.

::

    def test_it(postgres):                    # the fixture of tests/conftest.py: one cluster for the run
        url = postgres.new_database()         # postgresql://postgres:…@127.0.0.1:PORT/name

    with postgres_cluster(tmp_path) as mine:  # one to stop, kill and start again
        mine.kill(); mine.start()

PostgreSQL refuses to run as root, so root runs it as Debian's user ``postgres``.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.support.ports import keep_port

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
_START_SECONDS = 60.0


def postgres_missing() -> str | None:
    """Why no cluster can be made here, or None."""
    if not _BINARIES and shutil.which("initdb") is None:
        return "PostgreSQL is not installed: apt install postgresql"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "there is no user postgres to run PostgreSQL as"
    return None


@dataclass
class PostgresCluster:
    """A cluster in ``directory``, on 127.0.0.1 only. ``url()`` names a database of it."""

    directory: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        """``postgresql://…`` of a database, by default as the superuser."""
        secret = self.password if password is None else password
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a fresh, empty database."""
        name = "test_" + secrets.token_hex(6)
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run SQL as the superuser, outside any transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Start and wait until it takes connections."""
        assert self.process is None, "it runs already"
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",  # what survives a killed process is in the kernel's hands; the machine does not fall
            "max_connections": "200",
            "log_min_messages": "warning",
        }
        arguments = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with open(self.directory / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                _as_postgres("postgres", "-D", str(self.directory / "data"), *arguments),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.kill()
                    raise AssertionError(f"PostgreSQL did not start:\n{self.log[-4000:]}") from None
                time.sleep(0.05)

    def stop(self) -> None:
        """End it in order; clients are cut off."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a crash would ("immediate" shutdown: the next start recovers from the log)."""
        self._end(signal.SIGQUIT)

    @property
    def log(self) -> str:
        return (self.directory / "server.log").read_text("utf-8", "replace")

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(60)
        self.process = None


@contextmanager
def postgres_cluster(tmp_path: Path) -> Iterator[PostgresCluster]:
    """A started cluster, stopped and deleted at the end. Skips where there is no PostgreSQL."""
    reason = postgres_missing()
    if reason:
        pytest.skip(reason)
    # pytest's own directories are closed to other users, so root gets another
    home = Path(tempfile.mkdtemp(prefix="postern-pg-", dir=None if os.geteuid() == 0 else tmp_path))
    try:
        cluster = PostgresCluster(home, keep_port(), secrets.token_hex(12))
        given = home / "password"
        given.write_text(cluster.password)
        if os.geteuid() == 0:
            for path in (home, given):
                shutil.chown(path, "postgres")
        subprocess.run(
            _as_postgres("initdb", "-D", str(home / "data"), "-U", "postgres", "-E", "UTF8", "--locale=C",
                         "--auth=scram-sha-256", f"--pwfile={given}", "--no-sync"),
            cwd=home, check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _as_postgres(program: str, *arguments: str) -> list[str]:
    path = str(_BINARIES[-1] / program) if _BINARIES else program
    command = [path, *arguments]
    if os.geteuid() == 0:
        # setpriv becomes the program itself: its pid and its signals are PostgreSQL's
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", *command]
    return command
