"""The other end of the wire: a stock Postfix with OpenDKIM and OpenDMARC, people with mailboxes, and a name server.

The name server (NSD) is authoritative for everything that the hosts may ask, the root included; it loads the zones
as text, so a zone that Postern printed is read by a real name server.
"""

from __future__ import annotations

import email
import email.policy
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from tests.vps.host import Host, booted, hosts_missing

DOMAIN = "world.example"  # not .test: OpenDKIM's resolver knows that there is no such name
ADDRESS = "192.0.2.20"
NAME_SERVER = "192.0.2.53"
PEOPLE = ("alice", "bob")

_ROOT_ZONE = """$TTL 60
. SOA ns.world.example. hostmaster.world.example. 1 60 60 60 5
. NS ns.world.example.
"""
_ZONE = f"""$ORIGIN world.example.
$TTL 60
@ SOA ns hostmaster 1 60 60 60 5
@ NS ns
@ MX 10 mx
@ TXT "v=spf1 mx -all"
_dmarc TXT "v=DMARC1; p=reject"
ns A {NAME_SERVER}
mx A {ADDRESS}
"""
_MAIN = f"""compatibility_level = 3.6
myhostname = mx.{DOMAIN}
mydomain = {DOMAIN}
myorigin = {DOMAIN}
mydestination = {DOMAIN}, localhost
mynetworks = 127.0.0.0/8
inet_interfaces = all
home_mailbox = Maildir/
smtp_tls_security_level = may
smtputf8_enable = yes
milter_default_action = tempfail
smtpd_milters = inet:127.0.0.1:8891, inet:127.0.0.1:8893
non_smtpd_milters = inet:127.0.0.1:8891
minimal_backoff_time = 2s
maximal_backoff_time = 5s
queue_run_delay = 2s
"""
_DKIM = f"""Mode sv
Domain {DOMAIN}
Selector w1
KeyFile /etc/dkim/w1.private
Socket inet:8891@127.0.0.1
UserID opendkim
Canonicalization relaxed/simple
AuthservID mx.{DOMAIN}
AlwaysAddARHeader yes
UMask 007
Nameservers {NAME_SERVER}
"""
_DMARC = f"""AuthservID mx.{DOMAIN}
TrustedAuthservIDs mx.{DOMAIN}
Socket inet:8893@127.0.0.1
SPFSelfValidate true
RejectFailures false
UserID opendmarc
"""


def internet_missing() -> str | None:
    """Why the internet cannot be started here, or None."""
    for program in ("nsd", "opendkim", "opendmarc", "postfix"):
        if not (shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")):
            return f"the internet needs {program}: apt install nsd opendkim opendkim-tools opendmarc postfix"
    return hosts_missing()


class Internet:
    """The started internet."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._zones: dict[str, str] = {}

    def start(self) -> None:
        """Start its services; the wire must be laid."""
        host = self.host
        for name in PEOPLE:
            host.run("useradd", "--create-home", name)
        host.run("mkdir", "-p", "/etc/dkim", "/etc/postfix", "/var/lib/nsd", "/run/nsd")
        host.run("opendkim-genkey", "-D", "/etc/dkim", "-d", DOMAIN, "-s", "w1", "-b", "2048")
        host.run("chown", "-R", "opendkim:", "/etc/dkim")
        key = host.path("/etc/dkim/w1.txt").read_text()
        self.point_resolver(host)
        self.publish(".", _ROOT_ZONE)
        self.publish(DOMAIN, _ZONE + key)
        host.path("/etc/postfix/main.cf").write_text(_MAIN)
        shutil.copy("/usr/share/postfix/master.cf.dist", host.path("/etc/postfix/master.cf"))
        host.path("/etc/aliases").write_text("postmaster: alice\n")
        host.run("newaliases")
        host.path("/etc/opendkim.conf").write_text(_DKIM)
        host.path("/etc/opendmarc.conf").write_text(_DMARC)
        for name, command in {
            "dkim": ["opendkim", "-f", "-x", "/etc/opendkim.conf"],
            "dmarc": ["opendmarc", "-f", "-c", "/etc/opendmarc.conf"],
        }.items():
            host.run("systemd-run", f"--unit=internet-{name}", "--quiet", *command)
        host.run("systemctl", "start", "postfix")

    @staticmethod
    def point_resolver(host: Host) -> None:
        """Have a host ask this internet's name server, and nothing else."""
        host.run("rm", "-f", "/etc/resolv.conf")
        host.path("/etc/resolv.conf").write_text(f"nameserver {NAME_SERVER}\noptions timeout:2 attempts:2\n")

    def publish(self, name: str, zone: str) -> None:
        """Serve ``zone`` (master file format) as the zone ``name`` from now on."""
        self._zones[name] = zone
        folder = "/etc/nsd/zones"
        self.host.run("mkdir", "-p", folder)
        lines = ["server:", f"  ip-address: {NAME_SERVER}", '  username: ""', "  hide-version: yes"]
        lines += ['  zonesdir: "/etc/nsd/zones"', "remote-control:", "  control-enable: no"]
        for number, (one, text) in enumerate(self._zones.items()):
            self.host.path(f"{folder}/{number}").write_text(text if text.endswith("\n") else text + "\n")
            self.host.run("nsd-checkzone", one, f"{folder}/{number}")
            lines += ["zone:", f'  name: "{one}"', f'  zonefile: "{folder}/{number}"']
        self.host.path("/etc/nsd/nsd.conf").write_text("\n".join(lines) + "\n")
        self.host.run("systemctl", "stop", "internet-names", check=False)
        self.host.run(
            "systemd-run", "--unit=internet-names", "--quiet", "nsd", "-d", "-c", "/etc/nsd/nsd.conf"
        )
        limit = time.monotonic() + 20
        while f"{NAME_SERVER}:53" not in self.host.run("ss", "-Hlnu").stdout and time.monotonic() < limit:
            time.sleep(0.05)

    def send(self, message: EmailMessage, mail_from: str, *recipients: str) -> None:
        """As a person of the internet does: its Postfix signs and delivers."""
        self.host.run("sendmail", "-f", mail_from, *recipients, given=message.as_string())

    def mail_of(self, person: str) -> list[EmailMessage]:
        """What came for a person, oldest first."""
        folder = self.host.path(f"/home/{person}/Maildir/new")
        files = sorted(folder.iterdir(), key=lambda one: one.stat().st_mtime) if folder.is_dir() else []
        return [email.message_from_bytes(one.read_bytes(), policy=email.policy.default) for one in files]


@contextmanager
def internet_host() -> Iterator[Host]:
    """The internet's machine; lay the wire, then ``Internet(host).start()``."""
    with booted("world") as host:
        yield host
