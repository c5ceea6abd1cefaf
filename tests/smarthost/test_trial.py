"""`postern smarthost test`: each thing that goes wrong is named, with what to do."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from gateway.smarthost.profiles import PROFILES, Profile
from gateway.smarthost.trial import Letter, Step, try_relay
from mailserver.embedded.settings import Smarthost
from mailserver.listening import listen
from tests.smarthost.webhooks import sns_key

pytestmark = pytest.mark.anyio
HERE = Smarthost(host="127.0.0.1", port=0, tls="starttls", user="me", password="right")


def contexts(path: Path, name: str = "127.0.0.1") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(the server's, a client's that trusts it)."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    alternative: x509.GeneralName = x509.DNSName(name)
    if name[0].isdigit():
        alternative = x509.IPAddress(ip_address(name))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(sns_key().public_key())
        .serial_number(2)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(sns_key(), hashes.SHA256())
    )
    file = path / f"{name}.pem"
    pem = made.public_bytes(serialization.Encoding.PEM)
    kind = serialization.PrivateFormat.PKCS8
    key = sns_key().private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
    file.write_bytes(pem + key)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=pem.decode())


class Handler:
    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.endswith("@unverified.test"):
            return "554 5.7.1 the sender is not verified"
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content)
        return "250 2.0.0 queued as 7"


@asynccontextmanager
async def listening(
    tls: ssl.SSLContext | None, *, implicit: bool = False
) -> AsyncIterator[tuple[Handler, Smarthost]]:
    handler, loop = Handler(), asyncio.get_running_loop()

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == b"right", handled=False)

    def session() -> SMTP:
        return SMTP(
            handler,
            hostname="relay.test",
            tls_context=None if implicit else tls,
            authenticator=check,
            auth_require_tls=not implicit,
            loop=loop,
        )

    listening = await listen(session, "127.0.0.1", 0, tls=tls if implicit else None)
    try:
        yield handler, replace(HERE, port=listening.port, tls="implicit" if implicit else "starttls")
    finally:
        await listening.close()


async def tried(
    relay: Smarthost,
    tls: ssl.SSLContext | None = None,
    letter: Letter | None = None,
    profile: str | Profile = "generic",
) -> list[Step]:
    kind = PROFILES[profile] if isinstance(profile, str) else profile
    return await asyncio.to_thread(
        lambda: list(try_relay(relay, kind, "mail.x.test", letter, tls=tls, seconds=15))
    )


async def test_a_relay_that_works_takes_a_test_mail(tmp_path: Path) -> None:
    theirs, ours = contexts(tmp_path)
    letter = Letter("agent@x.test", "bob@world.test", {"X-PM-KeepID": "true"})
    for implicit in (False, True):
        async with listening(theirs, implicit=implicit) as (handler, relay):
            steps = await tried(relay, ours, letter)
            assert all(one.ok for one in steps), steps
            names = (
                ["name", "connect", "login", "mail"]
                if implicit
                else ["name", "connect", "tls", "login", "mail"]
            )
            assert [one.name for one in steps] == names
            assert "queued as 7" in steps[-1].detail
            (mail,) = handler.mails
            assert b"X-PM-KeepID: true" in mail


async def test_what_fails_names_its_fix(tmp_path: Path) -> None:
    theirs, ours = contexts(tmp_path)
    other, _ = contexts(tmp_path, "elsewhere.test")
    async with listening(theirs) as (_, relay):
        last = (await tried(replace(relay, password="wrong"), ours, profile="ses"))[-1]
        assert (last.name, last.ok, "535" in last.detail) == ("login", False, True)
        assert "not an IAM user's access keys" in last.fix
        last = (await tried(relay))[-1]  # nobody trusts who issued it
        assert (last.name, last.ok, "mail.smarthost must be the name" in last.fix) == ("tls", False, True)
        last = (await tried(relay, ours, Letter("me@unverified.test", "bob@world.test", {}), "mailgun"))[-1]
        assert (last.name, last.ok) == ("mail", False)
        assert "verify the domain of me@unverified.test at Mailgun" in last.fix
        last = (await tried(replace(relay, tls="none"), ours))[-1]
        assert (last.name, last.ok, "starttls" in last.fix) == ("login", False, True)
        last = (await tried(replace(relay, tls="implicit"), ours))[-1]
        assert (last.name, last.ok, "starttls" in last.fix) == ("connect", False, True)
    async with listening(other) as (_, relay):
        assert (await tried(relay, ours))[-1].name == "tls"
    async with listening(None) as (_, relay):
        last = (await tried(relay, ours))[-1]
        assert (last.name, last.ok, last.detail) == ("tls", False, "STARTTLS is not offered")
    last = (await tried(replace(HERE, host="nowhere.invalid", port=587)))[-1]
    assert (last.name, last.ok) == ("name", False)


async def test_a_blocked_port_leads_to_one_that_is_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        closed = probe.getsockname()[1]
    async with listening(None) as (_, relay):
        found = replace(PROFILES["generic"], ports=(closed, relay.port))
        last = (await tried(replace(relay, port=closed), profile=found))[-1]
        assert (last.name, last.ok) == ("connect", False)
        assert f"port {relay.port} is open: set mail.smarthost = 127.0.0.1:{relay.port}" in last.fix
    last = (await tried(replace(HERE, port=closed), profile=replace(found, ports=(), tls_ports=())))[-1]
    assert f"may block port {closed}" in last.fix


def run(tmp_path: Path, *arguments: str, **settings: str) -> tuple[int, Any]:
    environment = {f"POSTERN_{name.upper()}": value for name, value in settings.items()}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "gateway.cli.main",
            "smarthost",
            *arguments,
            "--data",
            str(tmp_path),
            "--json",
        ],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, json.loads(done.stdout or done.stderr)


async def test_the_command(tmp_path: Path) -> None:
    async with listening(None) as (_, relay):
        where = f"127.0.0.1:{relay.port}"
        code, answer = await asyncio.to_thread(
            run, tmp_path, "test", "--to", "bob@world.test", mail_smarthost=where, mail_smarthost_tls="none"
        )
    assert (code, answer["ok"], [one["name"] for one in answer["steps"]]) == (
        0,
        True,
        ["name", "connect", "mail"],
    )
    code, answer = run(tmp_path, "show", mail_smarthost_profile="postmark", mail_domain="x.test")
    assert (answer["relay"], answer["bounces"], answer["dkim"]) == (
        "smtp.postmarkapp.com:587",
        "webhook",
        "theirs",
    )
    assert any("pm-bounces.x.test CNAME pm.mtasv.net" in one for one in answer["records"])
    code, answer = run(tmp_path, "show", "--domain", "y.test", mail_smarthost="smtp.eu.mailgun.org:587")
    assert "set mail.smarthost_profile = mailgun" in answer["warning"]
    code, answer = run(tmp_path, "show", mail_smarthost_profile="ses")
    assert (code, "names the region's host" in answer["error"]) == (2, True)
    code, answer = run(tmp_path, "test")
    assert (code, "there is no relay" in answer["error"]) == (2, True)
