"""The whole of setup on a booted Debian: what it refuses, makes, keeps, brings up to date and takes away.

Two programs of other people's services are stood in for: ``apt-get`` (no host has the internet) and ``certbot``.
"""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import until
from tests.vps.conftest import wheel  # noqa: F401
from tests.vps.host import STOCK_POSTFIX, Host, booted, hosts_missing
from tests.vps.install import VENV, binds, doctor, install
from tests.vps.network import Place

DOMAIN, HOSTNAME, ADDRESS = "example.org", "mail.example.org", "192.0.2.10"
LIVE = f"/etc/letsencrypt/live/{HOSTNAME}"
FLAGS = [
    *("postern", "setup", "--domain", DOMAIN, "--certbot", "me@example.org", "--public-address", ADDRESS),
    *("--inbox", "agent", "--yes"),
]
WITHOUT_IPV6 = "RestrictAddressFamilies=~AF_INET6"
APT_GET = """#!/bin/sh
# notes what it was asked, and whether daemons were forbidden to start
echo "$* policy=$(/usr/sbin/policy-rc.d; echo $?)" >>/root/apt-get.log
case "$*" in *install*)
    for last; do :; done
    {
        printf '\\nPackage: %s\\nStatus: install ok installed\\n' "$last"
        printf 'Version: 1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n'
    } >>/var/lib/dpkg/status
esac
"""
CERTBOT = f"""#!/bin/sh
echo "$*" >>/root/certbot.log
mkdir -p {LIVE}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN={HOSTNAME} \
    -addext subjectAltName=DNS:{HOSTNAME} -keyout {LIVE}/privkey.pem -out {LIVE}/fullchain.pem
"""


@pytest.fixture(scope="module")
def host(wheel: Path) -> Iterator[Host]:  # noqa: F811
    if missing := hosts_missing():
        pytest.skip(missing)
    with booted("setup", binds(wheel)) as host:
        for name, text in {"apt-get": APT_GET, "certbot": CERTBOT}.items():
            host.path(f"/usr/local/bin/{name}").write_text(text)
            host.run("chmod", "755", f"/usr/local/bin/{name}")
        install(host, wheel)
        host.run("dpkg", "--purge", "--force-depends", "certbot")  # so that there is something to install
        host.run("rm", "-f", "/usr/sbin/policy-rc.d")
        host.run("ip", "address", "add", f"{ADDRESS}/24", "dev", "lo")
        # Debian's own configuration, as after an installation that asked; ours asked for none
        host.run("cp", "/usr/share/postfix/main.cf.debian", "/etc/postfix/main.cf")
        host.path("/etc/aliases").write_text("postmaster: root\n")
        host.run("newaliases")
        host.run(
            "postconf", "-e", "inet_interfaces=all", "mynetworks=127.0.0.0/8", "myhostname=mx.example.net"
        )
        host.run("systemctl", "enable", "--now", "postfix")
        host.run("systemctl", "disable", "--now", "dovecot.service", "dovecot.socket")
        host.run("postern", "--version")  # its bytecode is there from now on
        yield host


@pytest.fixture(scope="module")
def server(host: Host) -> dict[str, Any]:
    """What the first setup told. Tests that ask for it come after those of the bare host."""
    told: dict[str, Any] = json.loads(host.run(*FLAGS, "--instead", "--json", timeout=300).stdout)
    return told


def files(host: Host) -> str:
    places = ["/etc", "/usr/sbin", "/usr/local/bin", "/var/lib", "/var/spool", "/var/backups"]
    return host.run("find", *places, "-xdev", "-type", "f", "-printf", "%p %m %u %g %s %T@\n").stdout


def main_pid(host: Host, unit: str) -> str:
    return host.run("systemctl", "show", "-P", "MainPID", unit).stdout.strip()


def active(host: Host, unit: str) -> bool:
    return host.run("systemctl", "is-active", "-q", unit, check=False).returncode == 0


def served_certificate(host: Host) -> str:
    place = Place(host)
    try:
        return place(ssl.get_server_certificate, (ADDRESS, 993))
    finally:
        place.close()


def assert_mail_works(host: Host) -> None:
    """Every port answers, and a mail goes through it all."""
    checks = doctor(host)
    found = [*checks["ports"], *checks["round-trip"]]
    assert len(found) > 5
    assert {one["level"] for one in found} == {"ok"}, found


def test_a_stock_server_in_the_way_is_refused(host: Host) -> None:
    before = files(host)
    done = host.run(*FLAGS, check=False)
    assert done.returncode == 1
    assert f"master ({STOCK_POSTFIX}) listens on 0.0.0.0:25" in done.stderr
    assert "--instead stops and disables postfix.service" in done.stderr
    assert files(host) == before
    assert active(host, STOCK_POSTFIX)


def test_a_dry_run_shows_it_all_and_touches_nothing(host: Host) -> None:
    before = files(host)
    users = host.run("getent", "passwd").stdout
    acts = json.loads(host.run(*FLAGS, "--instead", "--dry-run", "--json").stdout)["acts"]
    assert files(host) == before
    assert host.run("getent", "passwd").stdout == users
    assert active(host, STOCK_POSTFIX)
    commands = [one["command"] for one in acts if one["act"] == "run"]
    for wanted in (
        "systemctl stop postfix.service",
        "systemd-sysusers",
        "apt-get install",
        "certbot certonly",
    ):
        assert any(wanted in one for one in commands), wanted
    assert {"/etc/postern/postern.toml", "/etc/systemd/system/postern.service"} <= {
        one.get("path") for one in acts
    }


def test_a_server_is_set_up(host: Host, server: dict[str, Any]) -> None:
    assert server["api_key"].startswith("inai_")
    assert server["inbox"] == f"agent@{DOMAIN}"
    assert f"{HOSTNAME}" in server["zone"]
    for unit in ("postern", "postern-dovecot", "postern-postfix", "postern-milter", "postern-tls.path"):
        assert active(host, unit), unit
    assert not active(host, STOCK_POSTFIX)
    asked = host.path("/root/apt-get.log").read_text().splitlines()
    assert [one.split()[0] for one in asked] == ["update", "install"]
    assert all(one.endswith("policy=101") for one in asked), "nothing may start while packages are installed"
    assert not host.path("/usr/sbin/policy-rc.d").exists()
    assert f"--domain {HOSTNAME}" in host.path("/root/certbot.log").read_text()
    chain = host.path("/etc/postern/tls/fullchain.pem").read_text()
    assert served_certificate(host).split() == chain.split()


def test_the_first_request_works_as_it_is_printed(host: Host, server: dict[str, Any]) -> None:
    request = server["first_request"]
    assert request["tunnel"] == f"ssh -N -L 8025:127.0.0.1:8025 root@{HOSTNAME}"
    # at the other end of the tunnel
    found = host.run("sh", "-c", request["curl"], environment={"POSTERN_KEY": server["api_key"]})
    assert f"agent@{DOMAIN}" in found.stdout


def test_what_is_missing_is_told_with_what_to_do(host: Host, server: dict[str, Any]) -> None:
    # no name server can be asked here, and no mail server be reached
    missing = {one["subject"]: one for one in server["missing"]}
    assert {HOSTNAME, DOMAIN, "port 25"} <= set(missing)
    assert all(one["fix"] for one in missing.values())
    shown = host.run("postern", "setup", "--yes").stdout
    assert "Still missing" in shown
    assert f"ssh -N -L 8025:127.0.0.1:8025 root@{HOSTNAME}" in shown
    assert server["api_key"] not in shown


def test_commands_find_the_server_without_options(host: Host, server: dict[str, Any]) -> None:
    found = json.loads(host.run("postern", "inbox", "list", "--json").stdout)
    assert {one["email_address"] for one in found} == {server["inbox"], f"postmaster@{DOMAIN}"}


def test_somebody_reads_postmasters_mail(host: Host, server: dict[str, Any]) -> None:
    assert server["postmaster"] == f"postmaster@{DOMAIN}"
    found = doctor(host)["postmaster"]
    assert [one["level"] for one in found] == ["ok"], found


def test_a_second_setup_changes_nothing(host: Host, server: dict[str, Any]) -> None:
    units = ("postern", "postern-dovecot", "postern-postfix", "postern-milter")
    before, pids = (
        host.run("find", "/etc", "-printf", "%p %m %T@\n").stdout,
        [main_pid(host, u) for u in units],
    )
    told = host.run(*FLAGS, "--instead").stdout
    assert told.startswith("unchanged")
    assert server["api_key"] not in told
    told = json.loads(host.run("postern", "setup", "--yes", "--json").stdout)
    assert told["unchanged"] is True, "the answers are remembered"
    assert "postmaster" not in told, "there is one"
    assert host.run("find", "/etc", "-printf", "%p %m %T@\n").stdout == before
    assert [main_pid(host, unit) for unit in units] == pids


def test_edits_stay_and_changed_flags_change_what_follows(host: Host, server: dict[str, Any]) -> None:
    settings = host.path("/etc/postern/postern.toml")
    settings.write_text(settings.read_text() + "\n# quiet\n[log]\nlevel = 'warning'\n")
    milter = main_pid(host, "postern-milter")
    told = json.loads(host.run("postern", "setup", "--yes", "--http-port", "8099", "--json").stdout)
    assert {one["to"] for one in told["changes"] if one["what"] != "done"} == {
        "/etc/postern/postern.toml",
        "/etc/systemd/system/postern.socket.d",
        "/etc/systemd/system/postern.socket.d/setup.conf",
    }
    assert "# quiet\n[log]\nlevel = 'warning'" in settings.read_text()
    assert "port = 8099" in settings.read_text()
    assert host.run("curl", "-fsS", "http://127.0.0.1:8099/health").stdout
    assert main_pid(host, "postern-milter") != milter, "a service reads the settings when it starts"


def test_dovecot_moves_to_another_port_and_back(host: Host, server: dict[str, Any]) -> None:
    def greeting(port: int) -> bytes:
        place = Place(host)
        try:
            with place(socket.create_connection, (ADDRESS, port), 20) as client:
                return bytes(client.recv(5))
        finally:
            place.close()

    host.run("postern", "setup", "--yes", "--set", "mail.imap_port=144", "--mail-address", ADDRESS)
    assert greeting(144) == b"* OK "
    with pytest.raises(ConnectionRefusedError):
        greeting(143)
    assert_mail_works(host)
    host.run("postern", "setup", "--yes", "--set", "mail.imap_port=143", "--mail-address", "")
    assert greeting(143) == b"* OK "
    with pytest.raises(ConnectionRefusedError):
        greeting(144)


def test_records_are_not_left_behind_in_another_database(host: Host, server: dict[str, Any]) -> None:
    before = host.path("/etc/postern/postern.toml").read_text()
    done = host.run("postern", "setup", "--yes", "--database", "postgresql://p:p@127.0.0.1/p", check=False)
    assert done.returncode == 2
    assert "records behind in /var/lib/postern/postern.db" in done.stderr
    assert host.path("/etc/postern/postern.toml").read_text() == before
    assert not host.path("/etc/postern/credentials/database").exists()


def test_another_wheel_brings_the_services_up_to_date(host: Host, server: dict[str, Any]) -> None:
    [record] = host.path(f"{VENV}/lib").glob("python3*/site-packages/postern-*.dist-info/RECORD")
    record.write_text(record.read_text() + "gateway/new.py,,\n")
    before, postfix = main_pid(host, "postern"), main_pid(host, "postern-postfix")
    told = json.loads(host.run("postern", "setup", "--yes", "--json").stdout)
    assert [one["words"] for one in told["changes"]] == ["restarted", "reloaded"]
    assert told["changes"][1]["to"] == "postern-postfix.service"
    assert main_pid(host, "postern") != before
    assert main_pid(host, "postern-postfix") == postfix, "a restart would kill its deliveries"
    assert json.loads(host.run("postern", "setup", "--yes", "--json").stdout)["unchanged"] is True


def test_a_renewed_certificate_is_served_without_a_restart(host: Host, server: dict[str, Any]) -> None:
    before = main_pid(host, "postern-dovecot")
    host.run("certbot", "renew")
    host.run("/etc/letsencrypt/renewal-hooks/deploy/postern", environment={"RENEWED_LINEAGE": LIVE})
    renewed = host.path(f"{LIVE}/fullchain.pem").read_text().split()
    until(lambda: served_certificate(host).split() == renewed, 60, "the renewed certificate")
    assert main_pid(host, "postern-dovecot") == before


def test_a_gateway_that_root_starts_leaves_no_file_of_roots(host: Host, server: dict[str, Any]) -> None:
    host.run("systemctl", "stop", "postern.socket", "postern.service")
    try:
        assert f"postmaster@{DOMAIN}" in host.run("postern", "inbox", "list").stdout
    finally:
        host.run("systemctl", "start", "postern.socket", "postern.service")
    strangers = host.run("find", "/var/lib/postern", "-user", "root").stdout
    assert strangers == ""


def test_set_up_knows_its_own_sockets_while_the_gateway_is_down(host: Host, server: dict[str, Any]) -> None:
    host.run("systemctl", "stop", "postern.service")
    assert active(host, "postern.socket")
    try:
        host.run("postern", "setup", "--yes", timeout=300)
        assert active(host, "postern.service")
    finally:
        host.run("systemctl", "start", "postern.service")


def test_removal_gives_the_stock_server_back_and_keeps_the_mail(host: Host, server: dict[str, Any]) -> None:
    host.run("postern", "setup", "--remove", "--yes")
    assert active(host, STOCK_POSTFIX)
    assert host.run("systemctl", "is-enabled", "postfix").stdout.strip() == "enabled"
    units = host.run("systemctl", "list-unit-files", "postern*", "--no-legend", "-q", check=False).stdout
    assert units == ""
    assert not host.path("/etc/postern/credentials").exists()
    assert host.path("/var/lib/postern/postern.db").exists()
    told = json.loads(host.run("postern", "setup", "--yes", "--json", timeout=300).stdout)
    assert "api_key" not in told, "the first key still works"
    found = json.loads(host.run("postern", "inbox", "list", "--json").stdout)
    assert {one["email_address"] for one in found} == {server["inbox"], f"postmaster@{DOMAIN}"}


def test_purging_leaves_nothing(host: Host, server: dict[str, Any]) -> None:
    assert host.run("postern", "setup", "--remove", "--purge", "--json", check=False).returncode == 2
    host.run("postern", "setup", "--remove", "--purge", "--yes")
    left = host.run(
        "find", "/etc", "/var/lib", "/var/spool", "/var/backups", "/run", "-xdev", "-name", "*postern*"
    )
    assert left.stdout.split() == ["/etc/postern", "/etc/postern/postern.toml"], (
        "only what was edited by hand"
    )
    assert "postern" not in host.run("getent", "passwd").stdout
    assert "postern" not in host.run("getent", "group").stdout
    assert active(host, STOCK_POSTFIX)


def test_beside_a_stock_postfix_that_passes_the_mail_on(host: Host) -> None:
    host.run("rm", "-rf", "/etc/postern")
    # what was edited by hand and kept is gone: a new server, on another port, beside the one on port 25
    flags = [
        "postern",
        "setup",
        "--domain",
        DOMAIN,
        "--self-signed",
        "--smtp-port",
        "2525",
        "--inbox",
        "agent",
    ]
    told = json.loads(host.run(*flags, "--yes", "--json", timeout=300).stdout)
    [note] = [one for one in told["notes"] if "For an existing Postfix" in one]
    lines = note.split("For an existing Postfix:\n")[1].rpartition("\n")[0]
    host.run("sh", "-ec", lines)
    host.run(
        "postconf",
        "-e",
        "unverified_recipient_reject_code=550",
        "address_verify_sender=",
        "smtp_tls_security_level=may",
    )
    host.run(
        "systemctl", "reload", "postfix"
    )  # and no sender of its probes, whose domain nobody could look up
    place = Place(host)
    try:
        with place(smtplib.SMTP, "127.0.0.1", 25, timeout=60) as client:
            letter = "From: a@world.test\r\nTo: agent@example.org\r\nSubject: passed on\r\n\r\nhello\r\n"
            client.sendmail("", [f"agent@{DOMAIN}"], letter)
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("", [f"nobody@{DOMAIN}"], letter)
    finally:
        place.close()

    def subjects() -> str:
        return host.run(
            "curl",
            "-fsS",
            "-H",
            f"Authorization: Bearer {told['api_key']}",
            f"http://127.0.0.1:8025/api/v0/inboxes/agent@{DOMAIN}/messages",
        ).stdout

    until(lambda: "passed on" in subjects(), 60, host.journal())
    assert active(host, STOCK_POSTFIX)


def test_a_machine_without_ipv6(host: Host) -> None:
    """systemd takes IPv6 from set-up and from the units as ``ipv6.disable=1`` does: socket(2) says EAFNOSUPPORT."""
    host.run("postern", "setup", "--remove", "--purge", "--yes")
    for name in ("postern", "postern-dovecot", "postern-postfix", "postern-milter"):
        folder = host.path(f"/etc/systemd/system/{name}.service.d")
        folder.mkdir(exist_ok=True)
        (folder / "old.conf").write_text(f"[Service]\n{WITHOUT_IPV6}\n")
    flags = [
        "--domain",
        DOMAIN,
        "--self-signed",
        "--instead",
        "--inbox",
        "agent",
        "--public-address",
        ADDRESS,
    ]
    here = ("systemd-run", "--quiet", "--wait", "--pipe", f"--property={WITHOUT_IPV6}")
    told = json.loads(host.run(*here, "postern", "setup", *flags, "--yes", "--json", timeout=300).stdout)
    assert told["inbox"] == f"agent@{DOMAIN}"
    assert 'host = "0.0.0.0"' in host.path("/etc/postern/postern.toml").read_text()
    assert host.run("ss", "-ltnH6").stdout == ""
    assert_mail_works(host)


def test_the_embedded_mail_server_without_ipv6(host: Host) -> None:
    settings = ["--setenv=POSTERN_PROFILE=development", "--setenv=POSTERN_MAIL_HOST=*"]
    ports = ["--port", "8099", "--smtp-port", "3525", "--imap-port", "3143", "--submission-port", "3587"]
    serve = ["postern", "serve", "--data", "/root/embedded", *ports]
    host.run("systemd-run", "--unit=embedded", f"--property={WITHOUT_IPV6}", *settings, *serve)
    ready = ["curl", "-fsS", "http://127.0.0.1:8099/ready"]
    until(lambda: host.run(*ready, check=False).returncode == 0, 60, "it does not get ready")
    listening = host.run("ss", "-ltnH").stdout
    assert all(f"0.0.0.0:{port} " in listening for port in (3525, 3143, 3587)), listening
    host.run("systemctl", "stop", "embedded")
