"""A fleet: one PostgreSQL, one data directory, gateway processes in roles, killed and started again as a test wishes.

``mail`` is the process that runs the embedded mail server; the others attach to it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from gateway.core.accounts.keys import new_key, new_secret
from gateway.records.ids import OrganizationId, new_ulid, now_us
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.queries.keys import add_key
from gateway.store.sql import Row, sql
from gateway.store.transaction import Tx
from tests.support.ports import keep_port
from tests.support.postgres_server import PostgresCluster
from tests.support.servers import data_directory, dovecot_missing

T = TypeVar("T")
_ROOT = Path(__file__).resolve().parents[2]
WORK = "api,sync,outbox,events"


@dataclass
class Member:
    """One process. Its HTTP port stays the same from start to start."""

    fleet: Fleet
    name: str
    roles: str
    port: int = field(default_factory=keep_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.fleet.data / f"{self.name}.log").read_text("utf-8", "replace")

    def begin(self) -> None:
        """Start; does not wait."""
        with open(self.fleet.data / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway.cli.main", "serve", "--data", str(self.fleet.data),
                 "--roles", self.roles, "--port", str(self.port)],
                env=self.fleet.environment(), cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def wait(self, seconds: float = 60.0) -> None:
        """Until requests are answered."""
        assert self.process is not None
        end = time.monotonic() + seconds
        while True:
            try:
                if httpx.get(f"{self.base_url}/health", trust_env=False, timeout=5).is_success:
                    return
            except httpx.HTTPError:
                pass
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{self.name} does not answer:\n{self.log[-4000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM, and a good end."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(30)
        assert code == 0, f"{self.name} ended with {code}:\n{self.log[-4000:]}"

    def call(self, method: str, path: str, key: str, **options: Any) -> Any:
        """One call that must succeed; answers its JSON."""
        headers = {"Authorization": f"Bearer {key}", **options.pop("headers", {})}
        answer = httpx.request(
            method, self.base_url + path, headers=headers, trust_env=False, timeout=30, **options
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


@dataclass
class Fleet:
    """The machine that the processes share."""

    data: Path
    url: str
    settings: dict[str, Any]
    imap_port: int = field(default_factory=keep_port)
    smtp_port: int = field(default_factory=keep_port)
    members: list[Member] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        found = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
        wanted = {
            "profile": "development", "database.url": self.url, "database.connections": 6,
            "mail.imap_port": self.imap_port, "mail.smtp_port": self.smtp_port, "mail.submission_port": 0,
            "attachments.processes": 1, "log.level": "info", **self.settings,
        }  # fmt: skip
        for name, value in wanted.items():
            found["POSTERN_" + name.replace(".", "_").upper()] = str(value)
        return found

    def member(self, name: str, roles: str = WORK) -> Member:
        """A process, not started yet."""
        made = Member(self, name, roles)
        self.members.append(made)
        return made

    def key(self) -> tuple[str, str]:
        """A fresh organization: its bare id and a key."""
        now, key, organization = now_us(), new_secret(), new_ulid()
        at = {"created_at": now, "updated_at": now}

        def write(tx: Tx) -> None:
            sql(tx).insert("organization", {"id": organization, "name": "Test", **at})
            sql(tx).insert("pod", {"id": new_ulid(), "organization_id": organization, "is_default": 1, **at})
            add_key(tx, new_key(key, OrganizationId(organization), name="test"))

        self.database(write)
        return organization, key

    def database(self, work: Callable[[Tx], T]) -> T:
        """Run ``work`` on the database, from outside."""
        store = Store(self.url, connections=2)
        try:
            return store.write_now(work)
        finally:
            store.close()

    def rows(self, query: str, *args: object) -> list[Row]:
        return self.database(lambda tx: sql(tx).rows(query, *args))

    def pids(self) -> list[int]:
        return [one.process.pid for one in self.members if one.process and one.process.poll() is None]


@contextmanager
def fleet(postgres: PostgresCluster, tmp_path: Path, **settings: Any) -> Iterator[Fleet]:
    """A fleet with a fresh database and no member; every member is stopped at the end, the mail server last."""
    if reason := dovecot_missing():
        pytest.skip(reason)
    url = postgres.new_database()
    store = Store(url, connections=2)
    migrate(store)
    store.close()
    with data_directory(tmp_path) as data:
        made = Fleet(data, url, {name.replace("__", "."): value for name, value in settings.items()})
        try:
            yield made
        finally:
            for one in sorted(made.members, key=lambda one: "mail" in one.roles):
                if one.process is not None and one.process.poll() is None:
                    one.stop()
