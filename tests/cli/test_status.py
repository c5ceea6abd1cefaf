"""``postern status``: one screen, with the gateway running, degraded, down, elsewhere."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway import __version__
from tests.cli.terminal import in_terminal
from tests.support.databases import on_postgres
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.ports import keep_port
from tests.support.servers import data_directory


def certificate(folder: Path, days: int) -> tuple[Path, Path]:
    """A certificate for mail.postern.test that is valid for so many days more, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.postern.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("mail.postern.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for one in (cert_file, key_file):
        one.chmod(0o644)
    return cert_file, key_file


@pytest.fixture(scope="module")
def own_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("status")
    with data_directory(folder) as open_to_dovecot:
        cert, key = certificate(open_to_dovecot, 40)
        ports: dict[str, Any] = {f"mail__{name}_port": keep_port() for name in ("imaps", "submissions")}
        with running_gateway(folder, mail__tls_cert=cert, mail__tls_key=key, **ports) as gateway:
            yield gateway


def status(gateway: GatewayProcess, code: int, **options: Any) -> dict[str, Any]:
    done = gateway.postern("status", "--json", **options)
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_running_gateway_is_seen_whole(own_gateway: GatewayProcess) -> None:
    found = status(own_gateway, 0)
    assert (found["running"], found["ready"], found["version"]) == (True, True, __version__)
    assert found["uptime_seconds"] >= 0
    assert found["parts"]["database"]["ok"]
    assert found["queue"]["waiting"] == 0
    assert found["mail"]["inboxes"] == 1
    assert found["database"]["kind"] == ("PostgreSQL" if on_postgres() else "SQLite")
    assert found["database"]["size"] > 0
    assert found["disks"][0]["free"] > 0
    assert found["certificate"]["name"] == "mail.postern.test"
    assert found["certificate"]["days_left"] == 40
    address = own_gateway.inbox["address"]
    body = {"to": [address], "subject": "s", "text": "t"}
    own_gateway.organization.call("POST", f"inboxes/{address}/messages/send", json=body)
    while status(own_gateway, 0)["mail"]["last_received_at"] is None:
        pass
    mail = status(own_gateway, 0)["mail"]
    assert mail["last_sent_at"] is not None
    assert mail["messages"] == 2
    for width in (80, 120):
        seen = in_terminal(own_gateway, "status", width=width, height=24, NO_COLOR="1")
        assert seen.code == 0
        assert len(seen.lines) <= 20
        assert "mail.postern.test, valid 40 days more" in seen.text
        assert "2 messages, 1 inbox, 1 organization" in seen.text
    assert "\x1b" in in_terminal(own_gateway, "status").text
    assert "\x1b" not in own_gateway.postern("status").stdout


def test_another_key_sees_what_it_reaches_and_nothing_of_the_machine(own_gateway: GatewayProcess) -> None:
    organization = own_gateway.new_organization()
    organization.new_inbox()
    environment = own_gateway.environment() | {
        "POSTERN_URL": own_gateway.base_url,
        "POSTERN_KEY": organization.api_key,
    }
    done = subprocess.run(
        own_gateway.command("status", "--json"), env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["mail"] == {"inboxes": 1, "messages": 0}
    assert "disks" not in found
    assert "certificate" not in found
    environment["POSTERN_KEY"] = "inai_wrong"
    wrong = subprocess.run(
        own_gateway.command("status"), env=environment, capture_output=True, text=True, timeout=60
    )
    assert wrong.returncode == 3
    environment["POSTERN_URL"] = "http://127.0.0.1:9"
    nobody = subprocess.run(
        own_gateway.command("status"), env=environment, capture_output=True, text=True, timeout=60
    )
    assert nobody.returncode == 4
    assert "no gateway answers at http://127.0.0.1:9" in nobody.stdout


def test_only_the_operators_key_opens_the_route(own_gateway: GatewayProcess) -> None:
    import httpx

    for headers, code in (({}, 401), (own_gateway.headers, 404)):
        found = httpx.get(f"{own_gateway.base_url}/operator/status", headers=headers, trust_env=False)
        assert found.status_code == code
        assert "disks" not in found.text


def test_a_gateway_that_is_down_is_shown_with_what_is_known(own_gateway: GatewayProcess) -> None:
    before = status(own_gateway, 0)
    own_gateway.stop()
    try:
        found = status(own_gateway, 4)
        assert not found["running"]
        assert str(own_gateway.data) in found["error"]
        assert "postern serve" in found["fix"]
        assert found["mail"] == before["mail"]
        assert found["certificate"]["days_left"] == 40
        shown = own_gateway.postern("status")
        assert shown.returncode == 4
        assert "down  no gateway runs on" in shown.stdout
        assert shown.stderr == ""
        assert not list(own_gateway.data.glob("postern.lock.*"))
    finally:
        own_gateway.start()


def test_a_part_that_fails_is_named(own_gateway: GatewayProcess) -> None:
    dovecot = [
        pid for pid in own_gateway.children() if b"dovecot" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert dovecot
    for pid in dovecot:
        os.kill(pid, 19)  # SIGSTOP: it does not answer, and is not started again
    try:
        found = status(own_gateway, 1)
        failing = [name for name, part in found["parts"].items() if not part["ok"]]
        assert failing
        shown = own_gateway.postern("status")
        assert shown.returncode == 1
        assert "Fails" in shown.stdout
        assert "degraded" in shown.stdout
    finally:
        for pid in dovecot:
            os.kill(pid, 18)


def test_a_place_without_a_gateway_says_how_to_begin(tmp_path: Path) -> None:
    missing = GatewayProcess(tmp_path / "nothing")
    found = status(missing, 4)
    assert "no such directory" in found["error"]
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "empty").mkdir()
    if on_postgres():
        return
    empty = GatewayProcess(tmp_path / "empty")
    assert "postern serve --quickstart" in status(empty, 4)["fix"]
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_database_that_does_not_answer_is_named(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, settings={"database.url": "postgresql://x@127.0.0.1:9/x"})
    done = gateway.postern("status")
    assert done.returncode == 4
    assert "PostgreSQL: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
