"""A server over PostgreSQL with three gateways: `postern setup --database`, and postern@.service beside the first."""

from __future__ import annotations

import json
import smtplib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.mails import new_mail
from tests.support.postgres_server import postgres_missing
from tests.support.waiting import until
from tests.vps.host import Host, booted, hosts_missing
from tests.vps.install import binds, doctor, install
from tests.vps.network import Place

pytestmark = [pytest.mark.root, pytest.mark.slow]

DOMAIN, ADDRESS = "agents.test", "192.0.2.10"
DATABASE = "postgresql://postern:choose@127.0.0.1:5499/postern"
DATABASE_MADE = "CREATE DATABASE postern OWNER postern ENCODING 'UTF8' TEMPLATE template0"
GATEWAYS = {8025: "postern.service", 8027: "postern@8027.service", 8028: "postern@8028.service"}


@dataclass
class Server:
    """The host, and calls as from a program on it."""

    host: Host
    here: Place
    key: str

    def call(self, port: int, method: str, path: str, **options: Any) -> Any:
        """A request to the gateway at ``port``, again until it answers."""

        def work() -> Any:
            def answer() -> httpx.Response | None:
                try:
                    return httpx.request(
                        method, f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=60,
                        headers={"Authorization": f"Bearer {self.key}", **headers}, **options,
                    )  # fmt: skip
                except httpx.TransportError:
                    return None

            headers = options.pop("headers", {})
            found = until(answer, 60, f"{method} {path} at {port}")
            assert found.is_success, f"{found.status_code} {found.text}\n{self.host.journal()}"
            return found.json() if found.content else None

        return self.here(work)

    def deliver(self, to: str, subject: str) -> None:
        """A mail from the internet."""

        def work() -> None:
            with smtplib.SMTP("127.0.0.1", 25, local_hostname="abroad.test", timeout=60) as client:
                client.sendmail("", [to], new_mail(to, subject).as_bytes())

        self.here(work)

    def subjects(self, port: int, inbox: str) -> Counter[str]:
        """Of what the gateway at ``port`` lists as received."""
        listed = self.call(port, "GET", f"/api/v0/inboxes/{inbox}/messages?limit=100")["messages"]
        return Counter(one["subject"] for one in listed if "received" in one["labels"])

    def pid(self, unit: str) -> str:
        return self.host.run("systemctl", "show", "-P", "MainPID", unit).stdout.strip()


def sql(host: Host, *statements: str) -> None:
    """Run SQL as PostgreSQL's administrator."""
    words = [word for one in statements for word in ("-c", one)]
    host.run("runuser", "-u", "postgres", "--", "psql", "-p", "5499", *words)


@pytest.fixture(scope="module")
def server(wheel: Path) -> Iterator[Server]:
    if missing := hosts_missing() or postgres_missing():
        pytest.skip(missing)
    with booted("postgresql", binds(wheel)) as host, ExitStack() as stack:
        install(host, wheel)
        host.run("systemctl", "disable", "--now", "postfix", "dovecot.service", "dovecot.socket", check=False)
        host.run("ip", "address", "add", f"{ADDRESS}/24", "dev", "lo")
        version = max(host.path("/usr/lib/postgresql").iterdir(), key=lambda one: int(one.name)).name
        host.run("pg_createcluster", version, "mail", "-p", "5499")
        host.run("systemctl", "enable", "--now", f"postgresql@{version}-mail")
        sql(host, "CREATE ROLE postern LOGIN PASSWORD 'choose'", DATABASE_MADE)
        flags = ["--domain", DOMAIN, "--self-signed", "--public-address", ADDRESS, "--inbox", "agent"]
        flags += ["--database", DATABASE, "--instead", "--yes", "--json"]
        told = json.loads(host.run("postern", "setup", *flags, timeout=300).stdout)
        host.run("systemctl", "enable", "--now", *(one for one in GATEWAYS.values() if "@" in one))
        here = Place(host)
        stack.callback(here.close)
        yield Server(host, here, told["api_key"])


def test_each_of_them_does_what_the_others_do(server: Server) -> None:
    for port in GATEWAYS:
        name = f"made-at-{port}"
        made = server.call(port, "POST", "/api/v0/inboxes", json={"username": name})
        inbox = made["email"]
        server.deliver(inbox, f"to {name}")
        for other in GATEWAYS:
            until(lambda: server.subjects(other, inbox) == {f"to {name}": 1}, 30, f"{name} at {other}")  # noqa: B023
        body = {"to": f"agent@{DOMAIN}", "subject": f"from {name}", "text": "hello"}
        server.call(port, "POST", f"/api/v0/inboxes/{inbox}/messages/send", json=body)
    wanted = {f"from made-at-{port}": 1 for port in GATEWAYS}
    until(lambda: server.subjects(8028, f"agent@{DOMAIN}") == wanted, 30, "what was sent comes in")
    checks = doctor(server.host)
    found = [one for name in ("gateway", "ports", "database", "round-trip") for one in checks[name]]
    assert {one["level"] for one in found} == {"ok"}, found


def test_mail_goes_on_while_each_of_them_is_killed(server: Server) -> None:
    one, other = f"made-at-8025@{DOMAIN}", f"made-at-8027@{DOMAIN}"
    before = server.subjects(8025, one) + server.subjects(8025, other)
    wanted: Counter[str] = Counter()
    ports = list(GATEWAYS)
    for turn, unit in enumerate(GATEWAYS.values()):
        pid = server.pid(unit)
        for number in range(6):
            subject = f"{turn} {number}"
            server.deliver(one, f"in {subject}")
            if number == 2:
                server.host.run("systemctl", "kill", "--signal=KILL", unit)
            body = {"to": other, "subject": f"out {subject}", "text": "hello"}
            server.call(
                ports[(turn + number) % 3], "POST", f"/api/v0/inboxes/{one}/messages/send", json=body,
                headers={"Idempotency-Key": f"killed-{turn}-{number}"},
            )  # fmt: skip
            wanted += Counter((f"in {subject}", f"out {subject}"))
        until(lambda: server.pid(unit) not in ("0", pid), 60, f"{unit} does not come back")  # noqa: B023
    for port in GATEWAYS:
        until(
            lambda: server.subjects(port, one) + server.subjects(port, other) - before >= wanted,  # noqa: B023
            60,
            f"all of it at {port}",
        )
    found = server.subjects(8027, one) + server.subjects(8027, other)
    assert found == before + wanted, "nothing lost, nothing doubled"


def test_what_setup_changes_reaches_them_all(server: Server) -> None:
    before = {unit: server.pid(unit) for unit in GATEWAYS.values()}
    told = json.loads(
        server.host.run(
            "postern", "setup", "--yes", "--set", "limits.inboxes=77", "--json", timeout=120
        ).stdout
    )
    assert told["unchanged"] is False
    for port, unit in GATEWAYS.items():
        assert server.pid(unit) not in ("0", before[unit])
        assert server.call(port, "GET", f"/api/v0/inboxes/agent@{DOMAIN}")


def test_a_backup_is_restored_as_root_onto_an_empty_database(server: Server) -> None:
    run, units = server.host.run, ["postern.socket", *GATEWAYS.values()]
    mail = ["postern-postfix", "postern-dovecot", "postern-milter"]
    before = {port: server.subjects(port, f"made-at-{port}@{DOMAIN}") for port in GATEWAYS}
    run("postern", "backup", "/var/backups/postern", "--mail", timeout=120)
    [backup] = run("find", "/var/backups/postern", "-mindepth", "1", "-maxdepth", "1").stdout.split()
    run("systemctl", "stop", *units, *mail)
    sql(server.host, "DROP DATABASE postern", DATABASE_MADE)
    run("mv", "/var/lib/postern", "/var/lib/postern.before")
    run("systemd-tmpfiles", "--create")
    told = json.loads(run("postern", "restore", backup, "--json", timeout=120).stdout)
    assert (told["refused"], told["waiting"]) == ([], 0)
    assert run("find", "/var/lib/postern", "-user", "root").stdout == ""
    run("cmp", "/var/lib/postern.before/server.key", "/var/lib/postern/server.key")
    run("systemctl", "start", *mail, *units)
    assert {port: server.subjects(port, f"made-at-{port}@{DOMAIN}") for port in GATEWAYS} == before
    server.deliver(f"made-at-8025@{DOMAIN}", "after all")
    until(lambda: server.subjects(8027, f"made-at-8025@{DOMAIN}")["after all"] == 1, 30, "new mail")


def test_removal_takes_them_along(server: Server) -> None:
    server.host.run("postern", "setup", "--remove", "--purge", "--yes", timeout=120)
    left = server.host.run("find", "/etc/systemd/system", "-name", "*postern*").stdout
    assert left == ""
    assert (
        server.host.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "postern*").stdout == ""
    )
