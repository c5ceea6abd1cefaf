"""`postern serve --quickstart`: the file, the screen, the second start, and stopping."""

from __future__ import annotations

import imaplib
import json
import os
import shlex
import shutil
import signal
import smtplib
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.cli.main import run
from gateway.mail_files import LINK, STATE, mail_directory
from tests.support.databases import on_postgres
from tests.support.gateway_process import GatewayProcess, running_gateway


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running_gateway(tmp_path_factory.mktemp("quick")) as gateway:
        yield gateway


def test_the_file_holds_what_is_promised_and_is_private(quick: GatewayProcess) -> None:
    path = quick.data / "quickstart.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = json.loads(path.read_text())
    assert set(found) == {
        "base_url", "api_key", "organization_id", "inbox", "smtp", "submission", "imap", "webhook",
    }  # fmt: skip
    assert found["inbox"]["address"] == "agent@postern.test"
    assert found["inbox"]["id"].startswith("inb_")
    assert found["organization_id"].startswith("org_")
    assert stat.S_IMODE((quick.data / "operator.json").stat().st_mode) == 0o600
    assert on_postgres() or stat.S_IMODE((quick.data / "postern.db").stat().st_mode) == 0o600


def test_key_inbox_and_password_work(quick: GatewayProcess) -> None:
    inbox = quick.inbox
    assert quick.organization.call("GET", f"inboxes/{inbox['id']}")["email_address"] == inbox["address"]
    assert quick.organization.call("GET", "organizations")["org_id"] == quick.quickstart["organization_id"]
    with imaplib.IMAP4("127.0.0.1", quick.port("imap")) as imap:
        imap.login(inbox["address"], inbox["password"])
        assert imap.select("INBOX")[0] == "OK"
    with smtplib.SMTP("127.0.0.1", quick.port("submission")) as smtp:
        smtp.login(inbox["address"], inbox["password"])
    with smtplib.SMTP("127.0.0.1", quick.port("smtp")) as smtp:
        assert smtp.ehlo()[0] == 250


def test_the_curl_lines_work_when_pasted(quick: GatewayProcess) -> None:
    lines = [line for line in quick.log.splitlines() if line.startswith("curl ")]
    assert len(lines) == 3
    answers = [json.loads(subprocess.check_output(shlex.split(line), timeout=30)) for line in lines]
    assert answers[0]["message_id"].startswith("msg_")
    assert "messages" in answers[1]
    assert answers[2]["secret"].startswith("whsec_")
    end = time.monotonic() + 20
    while True:
        listed = json.loads(subprocess.check_output(shlex.split(lines[1]), timeout=30))
        if {one["direction"] for one in listed["messages"]} == {"inbound", "outbound"}:
            break
        assert time.monotonic() < end, listed
        time.sleep(0.1)


def test_the_screen_warns_and_names_the_docs(quick: GatewayProcess) -> None:
    assert "development profile" in quick.log
    assert "not for the internet" in quick.log
    assert f"{quick.base_url}/docs" in quick.log
    assert httpx.get(f"{quick.base_url}/docs", trust_env=False).status_code == 200


def test_a_second_start_reuses_everything(quick: GatewayProcess) -> None:
    before = (quick.data / "quickstart.json").read_text()
    operator = json.loads((quick.data / "operator.json").read_text())["api_key"]
    quick.restart()
    assert (quick.data / "quickstart.json").read_text() == before
    assert json.loads((quick.data / "operator.json").read_text())["api_key"] == operator
    quick.kill()
    quick.start()
    assert (quick.data / "quickstart.json").read_text() == before
    names = [one["name"] for one in quick.organization.call("GET", "api-keys")["data"]]
    assert sorted(names) == ["operator", "quickstart"]


def test_a_lost_file_and_a_deleted_inbox_are_made_again(quick: GatewayProcess) -> None:
    before = quick.inbox
    (quick.data / "quickstart.json").unlink()
    quick.restart()
    assert quick.inbox["id"] == before["id"]
    assert quick.inbox["password"] != before["password"]
    quick.organization.call("DELETE", f"inboxes/{before['id']}")
    quick.restart()
    assert quick.inbox["address"] == before["address"]
    assert quick.inbox["id"] != before["id"]


def test_sigint_stops_it(quick: GatewayProcess) -> None:
    quick._end(signal.SIGINT, 0)
    quick.start()


def test_sigterm_during_the_start_leaves_nothing(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        gateway.stop()
        for delay in (0.5, 1.0):
            process = subprocess.Popen(
                gateway.command("serve", "--quickstart", "--port", "0"),
                env=gateway.environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(delay)
            process.terminate()
            process.wait(15)
        gateway.start()  # the lock is free, no daemon is in the way


def test_a_second_gateway_on_the_same_data_is_refused(quick: GatewayProcess) -> None:
    done = quick.postern("serve", "--port", "0")
    assert done.returncode == 4
    assert (
        "--roles" if on_postgres() else "--data"
    ) in done.stderr  # beside PostgreSQL it may run without the mail
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_said(quick: GatewayProcess, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*quick.command("serve", "--port", port)[:-1], str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 4
    assert port in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize("name", ["POSTERN_HTTP_HOST", "POSTERN_MAIL_HOST"])
def test_quickstart_is_refused_beyond_loopback(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, "0.0.0.0")
    monkeypatch.setattr("gateway.logs.configure", lambda *_: None)
    assert run(["serve", "--quickstart", "--data", str(tmp_path / "new")]) == 2
    assert "this machine only" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_blanks_in_the_path_and_a_closed_directory(tmp_path: Path) -> None:
    closed = tmp_path / "a closed" / "place with blanks"
    closed.mkdir(parents=True)
    (tmp_path / "a closed").chmod(0o700)
    with running_gateway(tmp_path) as other:
        other.stop()
        gateway = GatewayProcess(closed)
        gateway.start()
        try:
            made = gateway.organization.call("GET", f"inboxes/{gateway.inbox['id']}")
            assert made["email_address"] == "agent@postern.test"
            if os.geteuid() == 0:
                assert (closed / "mail-server").is_symlink()
        finally:
            gateway.stop()
            _forget_moved_mail(closed)


def _forget_moved_mail(data: Path) -> None:
    used = mail_directory(data, development=True)
    if used.is_symlink():
        used.unlink()
    link = data / LINK
    if link.is_symlink():
        place = link.readlink()
        assert place.parent == STATE
        shutil.rmtree(place)
        if not any(STATE.iterdir()):
            STATE.rmdir()
