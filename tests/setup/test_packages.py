"""Packages come first: what apt cannot do is said in one sentence, and the server that was there serves on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vps.conftest import wheel  # noqa: F401
from tests.vps.host import STOCK_POSTFIX, Host, booted, hosts_missing
from tests.vps.install import VENV, binds, install

SETUP = ["postern", "setup", "--domain", "example.org", "--self-signed", "--instead", "--yes"]
MISSING = "dovecot-managesieved"
POLICY = "/usr/sbin/policy-rc.d"
# exec: a shell that sleeps reads on in the next script of that name, which would do that one's work too early
KILLED = """#!/bin/sh
case "$*" in *install*) kill -9 $PPID; exec sleep 1 ;; esac
"""
INSTALLS = f"""#!/bin/sh
echo "$1 policy=$({POLICY}; echo $?)" >>/root/apt-get.log
case "$*" in *install*) cp /root/status /var/lib/dpkg/status ;; esac
"""


@pytest.fixture
def host(wheel: Path) -> Iterator[Host]:  # noqa: F811
    """A Debian with a Postfix that serves, and without one of the packages that set-up needs. It has no network."""
    if missing := hosts_missing():
        pytest.skip(missing)
    with booted("packages", binds(wheel)) as host:
        install(host, wheel)
        host.run("cp", "/var/lib/dpkg/status", "/root/status")
        # its files stay: no package can be fetched here
        status = host.path("/var/lib/dpkg/status")
        held = [one for one in status.read_text().split("\n\n") if f"Package: {MISSING}\n" not in one + "\n"]
        status.write_text("\n\n".join(held))
        host.run("sh", "-c", f"rm -f {POLICY} /var/cache/apt/archives/*.deb")
        host.path("/etc/postfix/main.cf").write_text("compatibility_level = 3.6\ninet_interfaces = all\n")
        host.run("systemctl", "enable", "--now", "postfix")
        host.run("systemctl", "disable", "--now", "dovecot.service", "dovecot.socket")
        yield host


def active(host: Host, unit: str) -> bool:
    return host.run("systemctl", "is-active", "-q", unit, check=False).returncode == 0


def refused(host: Host) -> str:
    """What a set-up says that fails; the server that was there must run on."""
    done = host.run(*SETUP, check=False, timeout=300)
    assert done.returncode == 1, done.stdout + done.stderr
    assert active(host, STOCK_POSTFIX)
    assert not host.path(POLICY).exists()
    assert "Traceback" not in done.stderr
    return done.stderr


def test_without_a_network_one_sentence_says_so(host: Host) -> None:
    said = refused(host)
    assert "postern: apt cannot fetch packages" in said
    assert "see that `apt-get update` works" in said


def test_without_a_message_bus_nothing_is_begun(host: Host) -> None:
    # systemd-run would end with the same code as a configuration that is not on disk yet
    host.run("systemctl", "stop", "dbus.socket", "dbus.service")
    said = refused(host)
    assert "message bus (D-Bus) is not there" in said
    assert "apt-get install dbus" in said
    assert not host.path("/var/lib/postern-setup").exists()


def test_without_package_lists_nothing_is_begun(host: Host) -> None:
    host.run("dpkg", "--purge", "--force-all", "dovecot-core")
    host.run("sh", "-c", "rm -rf /var/lib/apt/lists/* /etc/apt/sources.list /etc/apt/sources.list.d/*")
    assert "apt knows no package dovecot-core" in refused(host)
    assert not host.path("/var/lib/postern-setup").exists()


def test_another_package_manager_in_the_way_is_told_of(host: Host) -> None:
    # dpkg takes this lock by fcntl(2), which belongs to a process
    hold = (
        "import fcntl, time; lock = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(lock, fcntl.LOCK_EX);"
        "time.sleep(600)"
    )
    host.run("systemd-run", "--unit=other-apt", "--quiet", "/usr/bin/python3", "-c", hold)
    impatient = (
        "import gateway.setup.packages as p; p._LOCK_SECONDS = 1; import gateway.cli.main as m; m.main()"
    )
    done = host.run(f"{VENV}/bin/python", "-c", impatient, *SETUP[1:], check=False)
    assert done.returncode == 1
    assert "postern: another package manager is running\n  wait until it has ended" in done.stderr
    assert active(host, STOCK_POSTFIX)


def test_a_set_up_that_was_killed_while_it_installed_goes_on(host: Host) -> None:
    apt = host.path("/usr/local/bin/apt-get")
    apt.write_text(KILLED)
    apt.chmod(0o755)
    host.run(*SETUP, check=False)
    assert active(host, STOCK_POSTFIX)
    assert host.path(POLICY).exists(), "it was killed in the middle"
    host.run("systemctl", "enable", "dovecot.service")  # as the packages do, which were left so
    manifest = host.path("/var/lib/postern-setup/manifest.json")
    book = json.loads(manifest.read_text())
    assert book["packages"] == [MISSING]
    manifest.write_text(json.dumps(book | {"packages": ["dovecot-core", MISSING]}))
    apt.write_text(INSTALLS)
    host.run(*SETUP, timeout=300)
    assert host.path("/root/apt-get.log").read_text().splitlines() == [
        "update policy=101",
        "install policy=101",
    ]
    assert not host.path(POLICY).exists()
    assert active(host, "postern-dovecot")
    assert not active(host, STOCK_POSTFIX)


def test_a_configuration_that_would_not_work_stops_nothing(host: Host) -> None:
    host.run("cp", "/root/status", "/var/lib/dpkg/status")
    newer = host.path("/usr/local/sbin/dovecot")
    newer.write_text("#!/bin/sh\necho '2.9.0 (0)'\n")
    newer.chmod(0o755)
    said = refused(host)
    assert "Dovecot 2.9.0" in said
    newer.unlink()
    host.run(*SETUP, timeout=300)
    assert active(host, "postern-dovecot")
    assert not active(host, STOCK_POSTFIX)
