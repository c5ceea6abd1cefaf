"""Commands when no gateway runs: each starts one for its own time and leaves no process behind."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import smtplib
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store.queries.mailbox_index import forget_inbox
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from mailserver.process import below
from tests.support.gateway_process import GatewayProcess
from tests.support.servers import data_directory, dovecot_missing, postfix_missing


@pytest.fixture
def idle(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[GatewayProcess]:
    """A data directory on which nothing runs."""
    server: Any = getattr(request, "param", "embedded")
    reason = dovecot_missing() if server == "embedded" else postfix_missing()
    if reason:
        pytest.skip(reason)
    with data_directory(tmp_path) as data:
        ports: dict[str, Any] = {f"mail.{name}_port": 0 for name in ("smtp", "imap", "submission")}
        gateway = GatewayProcess(data / "gateway", server, settings=dict(ports, profile="development"))
        yield gateway
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.stop()
        assert below(data) == []


def answer(gateway: GatewayProcess, *arguments: str) -> Any:
    done = gateway.postern(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_init_then_work_then_serve(idle: GatewayProcess) -> None:
    made = answer(idle, "init", "--domain", "agents.test")
    config = (idle.data / "postern.toml").read_text("utf-8")
    assert 'domain = "agents.test"' in config.splitlines()
    assert made["config"] == str(idle.data / "postern.toml")
    again = idle.postern("init")
    assert again.returncode == 0
    assert "was there already" in again.stdout
    assert answer(idle, "init")["api_key"] is None

    inbox = answer(idle, "inbox", "create", "first")
    assert inbox["email_address"] == "first@agents.test"
    key = answer(idle, "key", "create", "more")
    assert {one["name"] for one in answer(idle, "key", "list")} == {"first", "operator", "more"}

    idle.start()
    assert idle.organization.call("GET", "inboxes/first@agents.test")["inbox_id"] == inbox["inbox_id"]
    assert key["key"] not in idle.log


def test_what_is_sent_without_a_gateway_goes_out_with_it_or_with_the_next(idle: GatewayProcess) -> None:
    answer(idle, "init")
    answer(idle, "inbox", "create", "a")
    sent = answer(idle, "send", "--from", "a@postern.test", "--to", "a@postern.test", "--text", "kept")
    idle.start()
    rows = received(idle, "a@postern.test")
    assert rows[0]["preview"] == "kept"
    listed = idle.organization.call("GET", "inboxes/a@postern.test/messages")["messages"]
    assert sent["message_id"] in [one["message_id"] for one in listed]


def received(gateway: GatewayProcess, inbox: str, count: int = 1) -> list[dict[str, Any]]:
    end = time.monotonic() + 20
    while True:
        rows = gateway.organization.call("GET", f"inboxes/{inbox}/messages")["messages"]
        found = [one for one in rows if one["direction"] == "inbound"]
        if len(found) >= count:
            return found
        assert time.monotonic() < end, rows
        time.sleep(0.1)


def test_rebuild_gives_the_same_index(idle: GatewayProcess) -> None:
    idle.data.mkdir()
    idle.data.chmod(0o711)
    idle.start()
    inbox = idle.inbox["address"]
    for number in range(3):
        body = {"to": inbox, "subject": f"Nr {number}", "text": f"text {number}", "labels": ["kept"]}
        idle.organization.call("POST", f"inboxes/{inbox}/messages/send", json=body)
    received(idle, inbox, 3)
    before = index(idle)
    idle.stop()
    shown = idle.postern("rebuild")
    assert shown.returncode == 0, shown.stderr
    assert "6 messages of 1 inboxes" in shown.stdout
    assert answer(idle, "rebuild", "--inbox", inbox)["messages"] == 6
    assert idle.postern("rebuild", "--inbox", "nobody@postern.test").returncode == 3
    idle.start()
    assert index(idle) == before


@pytest.mark.parametrize("with_mail_waiting", [True, False])
@pytest.mark.parametrize(
    "idle", ["embedded", pytest.param("postfix_dovecot", marks=pytest.mark.root)], indirect=True
)
def test_rebuild_needs_no_port_of_the_gateway_and_announces_what_waits(
    idle: GatewayProcess, with_mail_waiting: bool
) -> None:
    """Its ports are taken by others. Mail came that no gateway had read: it is in the mailbox, and has no event."""
    idle.data.mkdir()
    idle.data.chmod(0o711)
    idle.start()
    inbox = idle.inbox["address"]
    deliver(idle, inbox, "read before")
    received(idle, inbox, 1)
    idle.stop()
    if with_mail_waiting:
        idle.database(forget_everything)
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        for name, one in zip(("smtp", "imap", "submission"), taken, strict=True):
            idle.settings[f"mail.{name}_port"] = one.getsockname()[1]
        shown = idle.postern("rebuild", "--json")
        assert shown.returncode == 0, shown.stderr
        assert json.loads(shown.stdout)["messages"] == 1
    query = "SELECT type FROM event WHERE message_id IS NOT NULL"
    assert idle.database(lambda tx: sql(tx).rows(query)) == [{"type": "message.received"}]


def forget_everything(tx: Tx) -> None:
    """As if the mail had come while nothing ran."""
    for inbox in sql(tx).rows("SELECT id FROM inbox"):
        forget_inbox(tx, inbox["id"])
    sql(tx).run("DELETE FROM event WHERE message_id IS NOT NULL")


def deliver(gateway: GatewayProcess, to: str, subject: str) -> None:
    text = f"From: ann@world.test\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nhello\r\n"
    with smtplib.SMTP("127.0.0.1", gateway.port("smtp"), timeout=20) as smtp:
        smtp.sendmail("ann@world.test", [to], text)


def index(gateway: GatewayProcess) -> list[tuple[Any, ...]]:
    rows = gateway.organization.call("GET", f"inboxes/{gateway.inbox['address']}/messages")["messages"]
    return sorted((one["message_id"], one["thread_id"], one["subject"], tuple(one["labels"])) for one in rows)


def test_a_database_elsewhere_is_private_too_and_must_be_there(idle: GatewayProcess) -> None:
    elsewhere = idle.data.parent / "elsewhere.db"
    idle.settings["database.url"] = f"sqlite:{elsewhere}"
    answer(idle, "init")
    assert elsewhere.stat().st_mode & 0o777 == 0o600
    assert not (idle.data / "postern.db").exists()
    assert idle.postern("rebuild").returncode == 0
    elsewhere.unlink()
    gone = idle.postern("rebuild")
    assert gone.returncode == 3
    assert str(idle.data) in gone.stderr


def test_a_place_that_cannot_be_written_is_named(idle: GatewayProcess) -> None:
    idle.settings["database.url"] = f"sqlite:{idle.data.parent / 'missing' / 'postern.db'}"
    done = idle.postern("serve", "--port", "0")
    assert done.returncode == 4
    assert str(idle.data.parent / "missing" / "postern.db") in done.stderr
    assert "database.url" in done.stderr
    assert "--port" not in done.stderr


@pytest.mark.parametrize("command", [["tail"], ["rebuild"]])
def test_what_needs_a_gateway_or_its_data_says_so(idle: GatewayProcess, command: list[str]) -> None:
    done = idle.postern(*command)
    assert done.returncode in (3, 4)
    assert str(idle.data) in done.stderr
    assert not idle.data.exists()


def interpreter_for(user: pwd.struct_passwd) -> list[str]:
    """A Python that another user may run; root's own often lies where nobody else may look."""
    for one in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with contextlib.suppress(OSError):
            tried = [one, "-c", "import aiosmtpd, msgspec, gateway"]
            done = subprocess.run(
                tried, env=modules(), cwd="/", capture_output=True,
                user=user.pw_uid, group=user.pw_gid, extra_groups=[], check=False,
            )  # fmt: skip
            if done.returncode == 0:
                return [one]
    pytest.skip(f"there is no Python here that {user.pw_name} may run")


def modules() -> dict[str, str]:
    places = (str(Path(__file__).parents[2]), sysconfig.get_path("purelib"))
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(places)}


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone starts what belongs to others")
def test_root_backs_up_the_mail_of_a_gateway_that_is_stopped(tmp_path: Path) -> None:
    """It is started as its own user: what it writes is not root's, and it is gone afterwards."""
    if reason := dovecot_missing():
        pytest.skip(reason)
    user = pwd.getpwnam("nobody")
    python = interpreter_for(user)
    with data_directory(tmp_path) as place:
        os.chown(place, user.pw_uid, user.pw_gid)
        ports: dict[str, Any] = {f"mail.{name}_port": 0 for name in ("smtp", "imap", "submission")}
        gateway = GatewayProcess(place / "gateway", settings=dict(ports, profile="development"))

        def run(*arguments: str, **options: Any) -> str:
            done = subprocess.run(
                [*python, *gateway.command(*arguments)[1:]], env=gateway.environment() | modules(),
                cwd="/", capture_output=True, text=True, timeout=120, check=False, **options,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return done.stdout

        as_user: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        run("init", **as_user)
        run("inbox", "create", "kept", **as_user)
        run("send", "--from", "kept@postern.test", "--to", "kept@postern.test", "--text", "kept", **as_user)
        made = json.loads(run("backup", str(tmp_path / "backups"), "--mail", "--json"))
        assert made["mail"]["inboxes"] == 1
        assert Path(made["backup"]).stat().st_uid == 0
        assert {one.lstat().st_uid for one in gateway.data.rglob("*")} == {user.pw_uid}
        assert below(place) == []
