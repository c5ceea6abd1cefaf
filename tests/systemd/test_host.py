"""The units on a booted host, under systemd as Debian 12 has it: ready, hung, restarted, shut in, and what they log."""

from __future__ import annotations

import json
import os
import shutil
import signal
import smtplib
import socket
import ssl
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.extract import files
from tests.support.waiting import until
from tests.systemd.test_units import EXPOSURE
from tests.vps.certificates import Certificate, certificate_for
from tests.vps.host import Host, booted, hosts_missing
from tests.vps.install import VENV, binds, build_wheel, install
from tests.vps.network import Place

pytestmark = [pytest.mark.root, pytest.mark.slow]

DOMAIN = "agents.test"
HOSTNAME = f"mail.{DOMAIN}"
AGENT = f"agent@{DOMAIN}"
ADDRESS = "192.0.2.10"
SETTINGS = "/etc/postern/postern.toml"
SOCKET = "/run/postern/http.sock"


@dataclass
class Box:
    """A host with everything set up, and no world."""

    host: Host
    here: Place
    key: str
    certificate: Certificate

    def show(self, unit: str, *names: str) -> list[str]:
        return self.host.run(
            "systemctl", "show", unit, "--value", *(f"-P{one}" for one in names)
        ).stdout.split("\n")

    def pid(self, unit: str = "postern.service") -> int:
        """Its main process, as the host counts."""
        return int(self.show(unit, "MainPID")[0])

    def ours(self, pid: int) -> int:
        """The same process as this machine counts."""
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    status = Path(f"/proc/{entry}/status").read_text()
                    same = os.readlink(f"/proc/{entry}/ns/pid") == os.readlink(
                        f"/proc/{self.host.pid}/ns/pid"
                    )
                except OSError:
                    continue
                if same and f"NSpid:\t{entry}\t{pid}\n" in status:
                    return int(entry)
        raise AssertionError(f"no process {pid} on {self.host.name}")

    def entries(self, *words: str) -> list[dict[str, Any]]:
        """The journal's entries, with their fields."""
        self.host.run("journalctl", "--sync", check=False)
        out = self.host.run("journalctl", "-q", "--no-pager", "-o", "json", *words).stdout
        return [json.loads(line) for line in out.splitlines()]

    def call(self, method: str, path: str, **options: Any) -> Any:
        def work() -> Any:
            with httpx.Client(trust_env=False, verify=False, timeout=60) as client:
                answer = client.request(
                    method,
                    f"http://127.0.0.1:8025{path}",
                    headers={"Authorization": f"Bearer {self.key}"},
                    **options,
                )
            assert answer.is_success, f"{answer.status_code} {answer.text}\n{self.host.journal('postern')}"
            return answer.json()

        return self.here(work)

    def deliver(self, mail: bytes) -> None:
        def work() -> None:
            with smtplib.SMTP("127.0.0.1", 25, local_hostname="abroad.test", timeout=60) as client:
                client.sendmail("", [AGENT], mail)  # no name server tells of a sender's domain here

        self.here(work)

    def received(self, subject: str) -> dict[str, Any]:
        """The message, once it is listed."""

        def found() -> list[dict[str, Any]]:
            listed: list[dict[str, Any]] = self.call("GET", f"/api/v0/inboxes/{AGENT}/messages")["messages"]
            return [one for one in listed if one["subject"] == subject]

        [message] = until(found, 60, f"{subject!r} does not come")
        return message


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    if missing := hosts_missing():
        pytest.skip(missing)
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    certificate = certificate_for(HOSTNAME)
    with booted("units", binds(wheel)) as host, ExitStack() as stack:
        install(host, wheel)
        # the reader of PDFs is imported late, when nothing is read any more but Python's own directories
        [packages] = host.path(f"{VENV}/lib").glob("python3.*/site-packages")
        shutil.copytree(Path(sysconfig.get_path("purelib")) / "pypdf", packages / "pypdf")
        host.run("ip", "address", "add", f"{ADDRESS}/24", "dev", "lo")
        host.path("/root/chain.pem").write_text(certificate.chain)
        host.path("/root/key.pem").write_text(certificate.key)
        words = ["--domain", DOMAIN, "--hostname", HOSTNAME, "--public-address", ADDRESS, "--inbox", "agent"]
        words += [
            "--tls-cert",
            "/root/chain.pem",
            "--tls-key",
            "/root/key.pem",
            "--instead",
            "--yes",
            "--json",
        ]
        told = json.loads(host.run("postern", "setup", *words, timeout=300).stdout)
        here = Place(host)
        stack.callback(here.close)
        yield Box(host, here, told["api_key"], certificate)


@contextmanager
def override(box: Box, unit: str, text: str) -> Iterator[None]:
    """A drop-in for a unit that is not running; taken away at the end."""
    folder = f"/etc/systemd/system/{unit}.d"
    box.host.run("mkdir", "-p", folder)
    box.host.path(f"{folder}/test.conf").write_text(text)
    box.host.run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        box.host.path(f"{folder}/test.conf").unlink()
        box.host.run("systemctl", "daemon-reload")


def test_all_is_up_and_says_so(box: Box) -> None:
    units = [f"postern{one}" for one in (".service", ".socket", "-dovecot.service", "-postfix.service")]
    units += ["postern-milter.service", "postern-tls.path", "postern-backup.timer", "postern-doctor.timer"]
    assert set(box.host.run("systemctl", "is-active", *units).stdout.split()) == {"active"}
    assert until(lambda: box.show("postern", "StatusText")[0].startswith("running: "), 60)
    assert "postern-backup.timer" in box.host.run("systemctl", "list-timers", "--no-pager").stdout
    for unit in ("postern", "postern-dovecot", "postern-postfix", "postern-milter"):
        assert box.show(unit, "Slice")[0] == "postern.slice"
    assert box.show("postern.slice", "MemoryHigh")[0] not in ("", "infinity")


def test_systemd_gives_the_figures_that_are_promised(box: Box) -> None:
    for unit, most in EXPOSURE.items():
        limit = f"--threshold={round(most * 10)}"
        done = box.host.run(
            "systemd-analyze", "security", "--no-pager", limit, unit.replace("@.", "@8027."), check=False
        )
        assert done.returncode == 0, f"{unit} {done.stdout[-120:]}"


@pytest.mark.parametrize(
    ("unit", "closed"),
    [
        (
            "postern",
            ["/etc", "/etc/postern", "/etc/postern/credentials", "/usr/local", "/var/log"],
        ),
        (
            "postern-milter",
            ["/etc", "/var/lib/postern", "/var/lib/postern/dkim", "/var/spool/postern-postfix"],
        ),
        (
            "postern-dovecot",
            ["/etc", "/etc/postern", "/var/log", "/var/lib/postern-postfix"],
        ),
        ("postern-postfix", ["/etc", "/etc/postern", "/etc/postern/tls", "/var/lib/postern"]),
    ],
)
def test_a_unit_writes_in_its_own_places_alone(box: Box, unit: str, closed: list[str]) -> None:
    """Root itself, in the unit's view of the files, cannot."""
    inside = ["nsenter", "--target", str(box.pid(unit)), "--mount", "--"]
    for folder in closed:
        done = box.host.run(*inside, "touch", f"{folder}/stray", check=False)
        assert done.returncode != 0, f"{unit} may write in {folder}"
        assert "Read-only file system" in done.stderr, done.stderr
    assert box.host.run(*inside, "ls", "-A", "/root", "/home", check=False).stdout.count("\n\n") <= 1
    assert "key.pem" not in box.host.run(*inside, "ls", "-A", "/root", check=False).stdout


def test_dovecot_cannot_read_what_is_the_gateways_own(box: Box) -> None:
    box.host.run("systemctl", "restart", "postern-dovecot")
    inside = ["nsenter", "--target", str(box.pid("postern-dovecot")), "--mount", "--user", "--"]
    for name in ("secret", "postern.db", "operator.json"):
        assert box.host.run("test", "-s", f"/var/lib/postern/{name}")
        done = box.host.run(*inside, "wc", "-c", f"/var/lib/postern/{name}", check=False)
        assert done.stdout.split()[:1] in ([], ["0"]), done.stdout


def test_dovecot_has_no_right_of_roots_and_its_ports_are_open(box: Box) -> None:
    status = box.host.run("cat", f"/proc/{box.pid('postern-dovecot')}/status").stdout
    capabilities = dict(line.split(":") for line in status.splitlines() if line.startswith("Cap"))
    assert {int(one, 16) for one in capabilities.values()} == {0}, capabilities

    context = ssl.create_default_context(cadata=box.certificate.chain)

    def greeted() -> list[bytes]:
        found = []
        for address in ("127.0.0.1", ADDRESS, "::1"):
            for port in (143, 4190):
                with socket.create_connection((address, port), 20) as client:
                    found.append(client.recv(5))
            with (
                socket.create_connection((address, 993), 20) as client,
                context.wrap_socket(client, server_hostname=HOSTNAME) as secured,
            ):
                found.append(secured.recv(5))
        return found

    assert box.here(greeted) == [b"* OK ", b'"IMPL', b"* OK "] * 3
    box.host.run("systemctl", "reload", "postern-dovecot")
    assert box.here(greeted) == [b"* OK ", b'"IMPL', b"* OK "] * 3


def test_a_stopped_dovecot_is_not_started_by_whoever_connects(box: Box) -> None:
    def refused() -> bool:
        try:
            box.here(socket.create_connection, ("127.0.0.1", 143), 20).close()
        except ConnectionRefusedError:
            return True
        return False

    box.host.run("systemctl", "stop", "postern-dovecot")
    try:
        # `systemctl stop` waits for the service; its ports are closed right after
        until(refused, 20, "its ports stay open")
        assert box.show("postern-dovecot", "ActiveState")[0] == "inactive"
    finally:
        box.host.run("systemctl", "start", "postern-dovecot")
    with box.here(socket.create_connection, ("127.0.0.1", 143), 20) as client:
        assert client.recv(5) == b"* OK "


def test_a_dovecot_that_was_killed_comes_back_with_its_ports(box: Box) -> None:
    before = box.pid("postern-dovecot")
    os.kill(box.ours(before), signal.SIGKILL)
    until(lambda: box.pid("postern-dovecot") not in (0, before), 30, "it is not restarted")
    until(lambda: box.show("postern-dovecot", "ActiveState")[0] == "active", 30, "it does not come back")
    with box.here(socket.create_connection, ("127.0.0.1", 143), 20) as client:
        assert client.recv(5) == b"* OK "


def test_attachments_are_read_inside_the_sandbox(box: Box) -> None:
    """Word by our reader, a PDF by pypdf, a picture by tesseract."""
    wanted = {
        "letter.docx": files.docx(files.paragraph("The wharf opens at nine")),
        "letter.pdf": files.pdf("The wharf opens at ten"),
        "letter.png": files.picture("The wharf is shut"),
    }
    attached = [(name, _KINDS[name.rpartition(".")[2]], content) for name, content in wanted.items()]
    box.deliver(files.mail(*attached, to=AGENT, subject="three kinds"))
    message = box.received("three kinds")
    for name, words in (("letter.docx", "nine"), ("letter.pdf", "ten"), ("letter.png", "wharf")):
        text = box.call("GET", f"/v1/attachments/{message['message_id']}/{name}/text")
        assert words in json.dumps(text), text


_KINDS = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "png": "image/png",
}


def test_the_journal_finds_an_inboxs_lines(box: Box) -> None:
    box.deliver(files.mail(to=AGENT, subject="to be found"))
    message = box.received("to be found")
    found = box.entries("-u", "postern", f"POSTERN_INBOX={AGENT}", "POSTERN_EVENT=message.received")
    [entry] = [one for one in found if one.get("POSTERN_MESSAGE_ID") == message["message_id"]]
    assert entry["PRIORITY"] == "6"
    assert entry["SYSLOG_IDENTIFIER"] == "postern"
    assert entry["LOGGER"] == "postern.events"
    assert entry["CODE_FILE"].endswith("gateway/events/log.py")
    assert box.entries("-u", "postern", "POSTERN_STATUS=200", "-n", "1")


def test_a_restart_refuses_and_drops_nobody(box: Box) -> None:
    """New connections all the while, over both listeners, also with requests that take their time."""
    stop = threading.Event()
    answered: list[int] = []
    failed: list[str] = []

    def hammer(transport: Callable[[], httpx.BaseTransport], path: str) -> None:
        while not stop.is_set():
            try:
                with httpx.Client(transport=transport(), timeout=60) as client:
                    answer = client.get(
                        f"http://127.0.0.1:8025{path}", headers={"Authorization": f"Bearer {box.key}"}
                    )
                    if answer.status_code == 200:
                        answered.append(answer.status_code)
                    else:
                        failed.append(f"{path}: {answer.status_code}")
            except httpx.HTTPError as error:
                failed.append(f"{path}: {type(error).__name__}: {error}")

    unix = str(box.host.path(SOCKET))
    makers = [
        (lambda: httpx.HTTPTransport(), one) for one in ("/health", f"/api/v0/inboxes/{AGENT}/messages")
    ]
    makers += [(lambda: httpx.HTTPTransport(uds=unix), "/v1/inboxes")]
    threads = [threading.Thread(target=box.here, args=(hammer, maker, path)) for maker, path in makers]
    before = box.pid()
    for one in threads:
        one.start()
    try:
        for _ in range(2):
            enough = len(answered) + 50
            until(lambda: len(answered) >= enough or failed, 60, "no answers")  # noqa: B023
            box.host.run("systemctl", "restart", "postern.service")
        enough = len(answered) + 50
        until(lambda: len(answered) >= enough or failed, 60, "no answers after the restarts")
    finally:
        stop.set()
        for one in threads:
            one.join(90)
    assert not failed, failed[:5]
    assert box.pid() != before


def test_mail_is_taken_while_the_gateway_is_down(box: Box) -> None:
    box.host.run("systemctl", "stop", "postern.socket", "postern.service")
    try:
        box.deliver(files.mail(to=AGENT, subject="came meanwhile"))
    finally:
        box.host.run("systemctl", "start", "postern.socket", "postern.service")
    box.received("came meanwhile")


def test_a_hung_gateway_is_restarted(box: Box) -> None:
    with override(box, "postern.service", "[Service]\nWatchdogSec=3\nTimeoutAbortSec=2\n"):
        box.host.run("systemctl", "restart", "postern.service")
        before = box.pid()
        os.kill(box.ours(before), signal.SIGSTOP)
        until(lambda: box.pid() not in (0, before), 60, "it is not restarted")
        until(lambda: box.show("postern", "ActiveState")[0] == "active", 60, "it does not come back")
        assert any("Watchdog timeout" in one["MESSAGE"] for one in box.entries("-u", "postern", "-n", "200"))
    box.host.run("systemctl", "restart", "postern.service")


def test_secrets_come_as_credentials(box: Box) -> None:
    file = box.host.path(SETTINGS)
    before = file.read_text()
    try:
        assert "[mail]\n" in before
        file.write_text(
            before.replace("[mail]\n", '[mail]\nsmarthost = "127.0.0.1:9"\nsmarthost_password = "@relay"\n')
        )
        assert box.host.run("systemctl", "restart", "postern.service", check=False).returncode != 0
        told = [one["MESSAGE"] for one in box.entries("-u", "postern", "-n", "20")]
        assert any("mail.smarthost_password: cannot read the credential" in one for one in told), told
        box.host.path("/etc/postern/credentials/relay").write_text("s3cret\n")
        box.host.run("chmod", "600", "/etc/postern/credentials/relay")
        box.host.run("systemctl", "restart", "postern.service")
        assert box.call("GET", "/health")["status"] == "ok"
    finally:
        file.write_text(before)
        box.host.path("/etc/postern/credentials/relay").unlink(missing_ok=True)
        box.host.run("systemctl", "restart", "postern.service")


def test_a_new_certificate_is_taken_up(box: Box) -> None:
    renewed = certificate_for(HOSTNAME)
    box.host.path("/etc/postern/tls/privkey.pem").write_text(renewed.key)
    box.host.path("/etc/postern/tls/fullchain.pem").write_text(renewed.chain)
    expected = ssl.PEM_cert_to_DER_cert(
        renewed.chain[: renewed.chain.index("-----END CERTIFICATE-----") + 26]
    )

    def shown(port: int) -> bytes:
        def work() -> bytes:
            return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((ADDRESS, port), timeout=10))

        return bytes(box.here(work))

    for port in (993, 465):
        until(lambda: shown(port) == expected, 60, f"port {port} shows the old certificate")  # noqa: B023


def test_the_backup_timer_has_something_to_start(box: Box) -> None:
    box.host.run("systemctl", "start", "postern-backup.service")
    [made] = box.host.path("/var/backups/postern").iterdir()
    assert any(made.iterdir())
