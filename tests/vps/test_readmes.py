"""Every command block of the manual for a server, run in order on a bare server with systemd."""

from __future__ import annotations

import mailbox
import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.support.waiting import until
from tests.vps.certificates import certificate_for
from tests.vps.conftest import ADDRESS, HEAD
from tests.vps.host import Host, booted
from tests.vps.install import LIBRARIES, WHEELS, binds
from tests.vps.internet import ADDRESS as WORLD_ADDRESS
from tests.vps.internet import NAME_SERVER, Internet, internet_host, internet_missing
from tests.vps.network import connect

_ROOT = Path(__file__).resolve().parents[2]
READMES = (
    "docs/install.md",
    "docs/maintenance.md",
    "docs/monitoring.md",
    "docs/troubleshooting.md",
    "systemd/README.md",
)


def blocks(readme: str) -> list[tuple[int, str]]:
    """(line, text) of each ``sh`` block."""
    text = (_ROOT / readme).read_text("utf-8")
    return [
        (text[: found.start()].count("\n") + 2, found[1])
        for found in re.finditer(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    ]


def on_this_host(text: str) -> str:
    """The sample names of the documents become those of the test's network."""
    return text.replace("example.org", "agents.example").replace("203.0.113.10", ADDRESS)


@pytest.fixture(scope="module")
def administrator(wheel: Path) -> Iterator[Host]:
    """A bare server whose administrator sits in /root with the wheel, a certificate and an old mailbox."""
    if missing := internet_missing():
        pytest.skip(missing)
    with booted("server", binds(wheel)) as host, internet_host() as far:
        connect(host, [ADDRESS], far, [WORLD_ADDRESS, NAME_SERVER])
        internet = Internet(far)
        internet.start()
        internet.publish("agents.example", HEAD)
        internet.point_resolver(host)
        # no package can be fetched: apt finds installed what it is asked for, pip takes the wheel alone
        host.run("sh", "-c", "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*")
        host.run("sh", "-c", f"cp {WHEELS}/{wheel.name} /root/")
        share_libraries(host)
        certificate = certificate_for("mail.agents.example")
        host.path("/usr/local/share/ca-certificates/test.crt").write_text(certificate.authority)
        host.run("update-ca-certificates")
        host.path("/root/chain.pem").write_text(certificate.chain)
        host.path("/root/key.pem").write_text(certificate.key)
        old = mailbox.mbox(host.path("/root/old.mbox"))
        for number in range(3):
            mail = EmailMessage()
            mail["From"], mail["To"] = "someone@elsewhere.example", "support@agents.example"
            mail["Subject"], mail["Message-ID"] = f"old {number}", f"<old{number}@elsewhere.example>"
            mail["Date"] = "Mon, 02 Nov 2026 10:00:00 +0000"
            mail.set_content("From the days before.\n")
            old.add(mail)
        old.close()
        yield host


ENVIRONMENT = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "DEBIAN_FRONTEND": "noninteractive"}


def share_libraries(host: Host) -> None:
    """pipx has a place that all its environments see: what it cannot fetch here is shown to them there."""
    host.run("/usr/bin/python3", "-m", "venv", "/opt/pipx/shared")
    [packages] = host.path("/opt/pipx/shared/lib").glob("python3.*/site-packages")
    held = {one.name for one in packages.iterdir()}
    for one in host.path(LIBRARIES).iterdir():
        if one.name not in held and "postern" not in one.name:
            (packages / one.name).symlink_to(f"{LIBRARIES}/{one.name}")


@pytest.mark.timeout(600)
def test_every_command_of_the_documents_works(administrator: Host) -> None:
    host, run = administrator, 0
    for readme in READMES:
        for line, text in blocks(readme):
            script = f"set -eu\ncd /root\n{on_this_host(text)}"
            done = host.run("bash", "-c", script, check=False, timeout=300, environment=ENVIRONMENT)
            assert done.returncode == 0, (
                f"{readme}:{line}\n{text}\nexit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
                f"\n{host.journal()}"
            )
            run += 1
    assert run >= 20
    until(lambda: host.run("curl", "-fsS", "http://127.0.0.1:8025/ready", check=False).returncode == 0, 60)


def test_every_alert_is_about_a_metric_there_is(administrator: Host) -> None:
    rules = (_ROOT / "config" / "alerts.yml").read_text("utf-8")
    there = administrator.run("curl", "-fsS", "http://127.0.0.1:8025/metrics").stdout
    told = set(re.findall(r"\bpostern_[a-z_]+", rules + (_ROOT / "docs/monitoring.md").read_text("utf-8")))
    assert len(told) > 10
    assert sorted(one for one in told if f"\n# TYPE {one} " not in there) == []
