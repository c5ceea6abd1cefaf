"""A real gateway in a process of its own: ``postern serve`` on free ports, with the development profile.

::

    with running_gateway(tmp_path, webhooks__retry_scale=0.01) as gateway:
        requests go to gateway.base_url with gateway.headers
        gateway.kill(); gateway.start()      # SIGKILL and a new start on the same data
        gateway.restart()                    # SIGTERM and a new start

``stop`` and ``kill`` fail when a process of the gateway is left behind.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
import pytest

from gateway.core.accounts.keys import new_key, new_secret
from gateway.records.ids import OrganizationId, new_ulid, now_us
from gateway.store.engine import Store
from gateway.store.queries.keys import add_key
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from mailserver.process import below
from tests.support.databases import database_url, on_postgres
from tests.support.ports import keep_ports
from tests.support.servers import data_directory, dovecot_missing, postfix_missing

T = TypeVar("T")
Server = Literal["embedded", "postfix_dovecot"]
_ROOT = Path(__file__).resolve().parent.parent.parent
_PORTS = ("--port", "--smtp-port", "--imap-port", "--submission-port")
START_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Organization:
    """An organization of a running gateway, made for one test, with a key of its own."""

    id: str
    api_key: str
    base_url: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"}

    def client(self, **options: Any) -> httpx.Client:
        """A client of ``/api/v0`` with the key: ``client.get("inboxes")``. Close it, or use ``with``."""
        options.setdefault("verify", False)  # plain http: spares loading certificates for each client
        return httpx.Client(
            base_url=f"{self.base_url}/api/v0/", headers=self.headers, timeout=30, trust_env=False, **options
        )

    def call(self, method: str, path: str, **options: Any) -> Any:
        """One call below ``/api/v0`` that must succeed; answers its JSON (None for an empty answer)."""
        with self.client() as client:
            answer = client.request(method, path.lstrip("/"), **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def new_inbox(self, username: str | None = None, **fields: Any) -> dict[str, Any]:
        """A new inbox, with a name of its own unless one is given."""
        body = {"username": username or f"test-{secrets.token_hex(5)}", **fields}
        made: dict[str, Any] = self.call("POST", "inboxes", json=body)
        return made


@dataclass
class GatewayProcess:
    """A ``postern serve --quickstart`` on ``data``. The values below are those of the latest start."""

    data: Path
    server: Server = "embedded"
    settings: dict[str, Any] = field(default_factory=dict)
    quickstart: dict[str, Any] = field(default_factory=dict)
    ports: list[int] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return str(self.quickstart["base_url"])

    @property
    def api_key(self) -> str:
        return str(self.quickstart["api_key"])

    @property
    def headers(self) -> dict[str, str]:
        return self.organization.headers

    @property
    def organization(self) -> Organization:
        """The first organization, with the quickstart key."""
        return Organization(self.quickstart["organization_id"], self.api_key, self.base_url)

    @property
    def inbox(self) -> dict[str, str]:
        """The quickstart inbox: id, address, password."""
        return dict(self.quickstart["inbox"])

    def port(self, service: Literal["smtp", "submission", "imap"]) -> int:
        return int(self.quickstart[service]["port"])

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        """Everything the gateway has written, of all its starts."""
        return (self.data / "gateway.log").read_text("utf-8", "replace")

    def environment(self) -> dict[str, str]:
        """The settings as ``POSTERN_…``, for other ``postern`` commands on the same data."""
        found = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
        wanted: dict[str, Any] = {"mail.server": self.server, "log.level": "info"}
        if on_postgres():
            wanted["database.url"] = database_url(self.data)
        wanted |= {name.replace("__", "."): value for name, value in self.settings.items()}
        for name, value in wanted.items():
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            found["POSTERN_" + name.replace(".", "_").upper()] = text
        return found

    def command(self, *arguments: str) -> list[str]:
        """The command line of a ``postern`` command on this data directory."""
        return [sys.executable, "-m", "gateway.cli.main", *arguments, "--data", str(self.data)]

    def postern(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a ``postern`` command on this data directory."""
        options.setdefault("timeout", 60)
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            cwd=_ROOT,
            capture_output=True,
            text=True,
            **options,
        )

    def start(self) -> None:
        """Start and wait until requests are answered. Ports stay those of the first start."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        self.ports = self.ports or keep_ports(len(_PORTS), self)
        ports = [
            word for option, port in zip(_PORTS, self.ports, strict=True) for word in (option, str(port))
        ]
        with open(self.data / "gateway.log", "ab") as log:
            self.process = subprocess.Popen(
                self.command("serve", "--quickstart", *ports),
                env=self.environment(),
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while _read(self.data / "operator.json").get("pid") != self.process.pid:
            code = self.process.poll()
            if code is not None or time.monotonic() > end:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"the gateway did not start (exit {code}):\n{self.log[-4000:]}")
            time.sleep(0.05)
        self.quickstart = _read(self.data / "quickstart.json")

    def stop(self) -> None:
        """SIGTERM; fails unless it ends well and leaves no process behind."""
        self._end(signal.SIGTERM, 0)

    def kill(self) -> None:
        """SIGKILL, as a crash; fails when a process is left behind."""
        self._end(signal.SIGKILL, -signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def children(self) -> list[int]:
        """Pids of every process below the gateway's."""
        return sorted(_descendants(self.pid))

    def new_organization(self, name: str = "Test") -> Organization:
        """A fresh organization with its default pod and a key, written straight into the database."""
        now, key = now_us(), new_secret()
        organization = {"id": new_ulid(), "name": name, "created_at": now, "updated_at": now}
        pod = {"id": new_ulid(), "organization_id": organization["id"], "name": "Default", "is_default": 1}

        def write(tx: Tx) -> None:
            sql(tx).insert("organization", organization)
            sql(tx).insert("pod", pod | {"created_at": now, "updated_at": now})
            add_key(tx, new_key(key, OrganizationId(str(organization["id"])), name="test"))

        self.database(write)
        return Organization(f"org_{organization['id']}", key, self.base_url)

    def database(self, work: Callable[[Tx], T]) -> T:
        """Run ``work`` in a transaction on the gateway's own database, from outside."""
        url = self.environment().get("POSTERN_DATABASE_URL") or f"sqlite:{self.data / 'postern.db'}"
        store = Store(url, connections=2)
        try:
            return store.write_now(work)
        finally:
            store.close()

    def _end(self, how: signal.Signals, expected: int) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            left = _descendants(self.pid)
            os.kill(self.pid, how)
            try:
                code = self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.kill(self.pid, signal.SIGKILL)
                self.process.wait()
                raise AssertionError(
                    f"still there {STOP_SECONDS:g} s after {how.name}:\n{self.log[-4000:]}"
                ) from None
        else:
            left, code, expected = set(), self.process.returncode, 0
        # after a SIGKILL nobody ends Dovecot's processes: they notice, and auth waits up to 30 s for its clients
        end = time.monotonic() + (10 if how == signal.SIGTERM else 45)
        while gone := [pid for pid in left | set(below(self.data)) if _alive(pid)]:
            if time.monotonic() > end:
                raise AssertionError(f"left behind after {how.name}: {[_command(pid) for pid in gone]}")
            time.sleep(0.05)
        assert code == expected, f"exit code {code} after {how.name}:\n{self.log[-4000:]}"


@contextmanager
def running_gateway(tmp_path: Path, server: Server = "embedded", **settings: Any) -> Iterator[GatewayProcess]:
    """A started gateway, stopped at the end; ``settings`` are dotted names with ``__`` for the dot."""
    reason = postfix_missing() if server == "postfix_dovecot" else dovecot_missing()
    if reason:
        pytest.skip(reason)
    with data_directory(tmp_path) as data:
        gateway = start_gateway(data, server, **settings)
        try:
            yield gateway
        finally:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.stop()


def start_gateway(data: Path, server: Server = "embedded", **settings: Any) -> GatewayProcess:
    """A started gateway on ``data`` (which the mail user must be able to enter). The caller stops it."""
    gateway = GatewayProcess(data, server, settings)
    gateway.start()
    return gateway


def _read(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return value
    except (OSError, ValueError):
        return {}


def _descendants(pid: int) -> set[int]:
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry))
    found: set[int] = set()
    todo = [pid]
    while todo:
        for child in parents.get(todo.pop(), []):
            found.add(child)
            todo.append(child)
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return str(pid)
