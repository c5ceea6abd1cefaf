"""As systemd runs it: Postfix as root, Dovecot as the gateway's user, and a gateway without any right attached."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import keep_ports
from tests.support.servers import postfix_missing

pytestmark = pytest.mark.root
_ROOT = Path(__file__).resolve().parents[2]
USER = "dovecot"  # any user without rights: it stands for postern
ALICE, BOB = "alice@x.test", "bob@x.test"

GATEWAY = """
import asyncio, json, os, sys
from pathlib import Path
from gateway.mail_choice import make_mail_server
from gateway.configuration import load_settings
from mailserver.base import Envelope

async def main():
    settings, _ = load_settings(Path(os.environ["POSTERN_CONFIG"]))
    server = make_mail_server(settings, Path(settings.data_dir))
    hints = []
    await server.start(hints.append, None)
    await server.add_domain("x.test")
    for address in ("alice@x.test", "bob@x.test"):
        await server.add_mailbox(address, "secret")
    sent = server.sent_address("alice@x.test")
    mail = Envelope("alice@x.test", ("bob@x.test", sent),
        b"From: alice@x.test\\r\\nMessage-ID: <m@x.test>\\r\\nSubject: out\\r\\n\\r\\nx\\r\\n",
        "t", "<m@x.test>", "alice@x.test")
    replies = {}
    for hop in server.plan(mail.recipients):
        replies |= await server.transmit(hop, mail)
    async with asyncio.timeout(30):
        while not any(hint.address == "bob@x.test" and hint.kind == "new" for hint in hints):
            await asyncio.sleep(0.02)
        while not await server.was_submitted(mail):
            await asyncio.sleep(0.05)
    async with asyncio.timeout(30):
        while (queue := await server.queue()).count:  # the report of the delivery may be on its way
            await asyncio.sleep(0.05)
    found = {
        "uid": os.geteuid(),
        "accepted": [reply.ok for reply in replies.values()],
        "health": {name: part.ok for name, part in (await server.health()).items()},
        "queue": queue.count,
    }
    await server.remove_mailbox("bob@x.test")
    print(json.dumps(found), flush=True)
    if "hang" in sys.argv:
        await server._notifications.stop()
        with __import__("socket").create_server(("127.0.0.1", settings.mail.doorbell_port)):
            print("hanging", flush=True)
            await asyncio.to_thread(sys.stdin.read)
    await server.stop()

asyncio.run(main())
"""


@dataclass
class Place:
    """A production layout in a temporary directory, with its daemons."""

    top: Path
    ports: dict[str, int]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "POSTERN_CONFIG": str(self.top / "etc/postern.toml"), "PYTHONPATH": str(_ROOT)}

    def plainly(self, *command: str) -> list[str]:
        """As the gateway's unit runs it: no rights, the groups postfix and postdrop."""
        return [
            "setpriv",
            f"--reuid={USER}",
            f"--regid={USER}",
            "--groups=postfix,postdrop",
            "--no-new-privs",
            *command,
        ]

    def postern(self, *arguments: str, root: bool = False) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gateway.cli.main", *arguments]
        return subprocess.run(
            command if root else self.plainly(*command),
            env=self.environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
        )

    def gateway(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.plainly(sys.executable, "-c", GATEWAY, *arguments),
            env=self.environment,
            cwd="/",
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    reason = postfix_missing()
    if reason:
        pytest.skip(reason)
    top = Path(tempfile.mkdtemp(prefix="postern-vps-"))
    top.chmod(0o755)
    try:
        yield laid_out(top)
    finally:
        shutil.rmtree(top, ignore_errors=True)


def laid_out(top: Path) -> Place:
    owner = pwd.getpwnam(USER)
    names = ("smtp", "submission", "submissions", "imap", "imaps", "gateway", "doorbell", "sieve")
    ports = dict(zip(names, keep_ports(len(names)), strict=True))
    lines = [
        f'data_dir = "{top}/data"',
        "[mail]",
        'server = "postfix_dovecot"',
        "manage = false",
        'domain = "x.test"',
        f'run_dir = "{top}/run"',
        f'postfix_dir = "{top}/etc/postfix"',
        f'postfix_spool = "{top}/spool"',
        f'postfix_data = "{top}/state"',
        *(f"{name}_port = {port}" for name, port in ports.items()),
    ]
    for name, own in {"etc": False, "data": True, "run": True}.items():
        (top / name).mkdir(mode=0o755)
        if own:
            os.chown(top / name, owner.pw_uid, owner.pw_gid)
    (top / "data/lookup").mkdir()
    os.chown(top / "data/lookup", owner.pw_uid, pwd.getpwnam("postfix").pw_gid)
    (top / "data/lookup").chmod(0o2750)
    settings = top / "etc/postern.toml"
    settings.write_text("\n".join(lines) + "\n")
    os.chown(settings, 0, owner.pw_gid)
    settings.chmod(0o640)
    return Place(top, ports)


@pytest.fixture(scope="module")
def daemons(place: Place) -> Iterator[Place]:
    assert place.postern("mail", "render", "dovecot").returncode == 0
    assert place.postern("mail", "render", "postfix", root=True).returncode == 0
    with open(place.top / "out", "wb") as out:
        dovecot = place.plainly("dovecot", "-F", "-c", f"{place.top}/data/dovecot/dovecot.conf")
        postfix = ["postfix", "-c", f"{place.top}/etc/postfix", "start-fg"]
        running = [subprocess.Popen(one, stdout=out, stderr=out) for one in (dovecot, postfix)]
    try:
        for name in ("imap", "gateway"):
            until_open(place.ports[name], place.top / "out")
        yield place
    finally:
        # "start-fg" is a shell that waits for the master, which outlives it
        subprocess.run([*postfix[:3], "stop"], capture_output=True)
        running[0].terminate()
        for one in running:
            one.wait(30)


def until_open(port: int, out: Path) -> None:
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(out.read_text("utf-8", "replace")[-2000:])


def test_rendering_says_what_it_writes_and_what_differs(place: Place) -> None:
    found = place.postern("mail", "render", "dovecot", "--check")
    assert found.returncode == 1
    assert f"differs: {place.top}/data/dovecot/dovecot.conf" in found.stdout
    assert not (place.top / "data/server.key").exists(), "a backup could not be restored beside it"
    assert place.postern("mail", "render", "postfix", "--check", root=True).returncode == 1
    for daemon, root in (("dovecot", False), ("postfix", True)):
        assert place.postern("mail", "render", daemon, root=root).returncode == 0
        again = place.postern("--json", "mail", "render", daemon, "--check", root=root)
        assert (again.returncode, json.loads(again.stdout)["files"]) == (0, []), again.stderr
    checked = subprocess.run(["postfix", "-c", f"{place.top}/etc/postfix", "check"], capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, b"")
    dumped = subprocess.run(
        ["doveconf", "-n", "-c", f"{place.top}/data/dovecot/dovecot.conf"], capture_output=True
    )
    assert (dumped.returncode, dumped.stderr) == (0, b"")
    # neither shows a secret to others
    for path in (place.top / "data/dovecot").iterdir():
        if path.name in ("master-users", "submit-users", "push.lua", "dovecot-sql.conf.ext"):
            assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("line", "root", "words"),
    [
        ('hostname = "mail x"', True, "unfit for a Postfix configuration: 'mail x'"),
        ('milter = "/run/x"', True, "mail.milter takes unix:PATH or inet:HOST:PORT"),
        ('tls_cert = "/x"', True, "mail.tls_cert and mail.tls_key go together"),
        ("gateway_port = 0", True, "set mail.gateway_port"),
        ('postfix_dir = "relative"', True, "mail.postfix_dir takes an absolute path"),
        ('postfix_dir = "DATA/postfix"', True, "others than root may change DATA"),
        ('run_dir = "/r' + "u" * 90 + '"', False, "path too long for unix sockets"),
        ("manage = true", False, "the gateway runs its mail daemons itself"),
    ],
)
def test_settings_that_do_not_do_are_named(place: Place, line: str, root: bool, words: str) -> None:
    settings = place.top / "etc/postern.toml"
    held = settings.read_text()
    name = line.partition(" ")[0]
    kept = [one for one in held.splitlines() if not one.startswith(f"{name} =")]
    settings.write_text("\n".join([*kept, line]).replace("DATA", f"{place.top}/data") + "\n")
    try:
        found = place.postern("mail", "render", "postfix" if root else "dovecot", root=root)
    finally:
        settings.write_text(held)
    assert found.returncode != 0
    assert words.replace("DATA", f"{place.top}/data") in found.stderr
    assert "Traceback" not in found.stderr


def test_a_gateway_without_rights_attaches_and_mail_flows_without_it(daemons: Place) -> None:
    gateway = daemons.gateway()
    out, err = gateway.communicate(timeout=90)
    assert gateway.returncode == 0, err[-3000:]
    found: dict[str, Any] = json.loads(out)
    assert found["uid"] == pwd.getpwnam(USER).pw_uid
    assert found["accepted"] == [True, True]
    assert all(found["health"].values()), found
    assert found["queue"] == 0
    lookup = daemons.top / "data/lookup/lookup.db"
    assert lookup.stat().st_gid == pwd.getpwnam("postfix").pw_gid
    # and now it is gone
    with smtplib.SMTP("127.0.0.1", daemons.ports["smtp"], "far.test", timeout=20) as client:
        client.ehlo()
        client.mail("")
        assert client.rcpt(ALICE)[0] == 250
        assert client.rcpt(BOB)[0] == 550  # removed
        assert client.data(b"Subject: alone\r\n\r\nx\r\n")[0] == 250
    until_stored(daemons, b"alone")


def test_a_gateway_that_hangs_delays_no_mail(daemons: Place) -> None:
    gateway = daemons.gateway("hang")
    try:
        assert gateway.stdout is not None
        assert json.loads(gateway.stdout.readline())["accepted"] == [True, True]
        assert gateway.stdout.readline() == "hanging\n"
        with smtplib.SMTP("127.0.0.1", daemons.ports["smtp"], "far.test", timeout=20) as client:
            client.sendmail("", ALICE, "Subject: though it hangs\r\n\r\nx\r\n")
        until_stored(daemons, b"though it hangs")  # its listener takes connections and never answers
    finally:
        gateway.communicate("", timeout=60)


def until_stored(place: Place, subject: bytes) -> None:
    for _ in range(600):
        for path in (place.top / "data/mail").glob("alice*/**/u.*"):
            if subject in path.read_bytes():
                return
        time.sleep(0.05)
    raise AssertionError((place.top / "out").read_text("utf-8", "replace")[-2000:])
