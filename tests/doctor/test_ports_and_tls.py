"""Ports and certificates, on real listeners."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from gateway.doctor import checks_ports, checks_tls
from mailserver.listening import listen
from tests.doctor.contexts import NOWHERE, says, scene, told
from tests.support.servers import Sink
from tests.vps.certificates import Certificate, certificate_for

pytestmark = pytest.mark.anyio
NAME = "mail.shop.test"


@asynccontextmanager
async def smtp(context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """An SMTP server, with STARTTLS where there is a certificate."""
    loop = asyncio.get_running_loop()
    listening = await listen(lambda: SMTP(object(), tls_context=context, loop=loop), "127.0.0.1", 0)
    try:
        yield listening.port
    finally:
        await listening.close()


def context_of(made: Certificate, folder: Path) -> ssl.SSLContext:
    (folder / "chain.pem").write_text(made.chain)
    (folder / "key.pem").write_text(made.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    return context


async def test_ports_that_listen_greet_and_that_do_not_are_told(tmp_path: Path) -> None:
    async with Sink() as sink, says(b"* OK ready\r\n") as imap, says(b"SSH-2.0-x\r\n") as wrong:
        ports: dict[str, Any] = {
            "mail__smtp_port": sink.port,
            "mail__submission_port": sink.port,
            "mail__imap_port": imap,
        }
        own: dict[str, Any] = {"mail__public_ipv4": "127.0.0.1", "mail__public_ipv6": "::1"}
        async with scene(tmp_path, database=False, **own, **ports) as made:
            found = await told(checks_ports.listening, made)
            # it listens on 127.0.0.1 alone, so not at the "public" ::1
            assert [level for level, _ in found] == ["fail", "fail", "fail", "warn"]
            assert "not at ::1" in (await checks_ports.listening(made))[0].text
        ports |= {"mail__imap_port": wrong, "mail__submission_port": 9}
        async with scene(
            tmp_path, database=False, mail__server="postfix_dovecot", mail__manage=False, **ports
        ) as made:
            object.__setattr__(made.site, "addresses", ())
            heard = await checks_ports.listening(made)
    assert [(one.level, one.subject) for one in heard[:3]] == [
        ("ok", f"smtp {sink.port}"),
        ("fail", "submission 9"),
        ("fail", f"imap {wrong}"),
    ]
    assert "postern-postfix" in (heard[1].fix or "")
    assert "postern-dovecot" in (heard[2].fix or "")
    assert "SSH" in heard[2].text
    assert heard[3].level == "warn"  # not port 25


async def test_a_blocked_port_25_is_told_with_the_way_out(tmp_path: Path) -> None:
    async with Sink() as sink, says(b"554 go away\r\n") as refuses:
        good, rude = f"127.0.0.1:{sink.port}", f"127.0.0.1:{refuses}"
        async with scene(tmp_path, database=False, doctor__mx_hosts=[NOWHERE, NOWHERE]) as made:
            (found,) = await checks_ports.outbound(made)
            assert found.level == "fail"
            assert "mail.smarthost" in found.fix
        async with scene(tmp_path, database=False, doctor__mx_hosts=[NOWHERE, good]) as made:
            assert await told(checks_ports.outbound, made) == [("warn", "port 25")]
        async with scene(tmp_path, database=False, doctor__mx_hosts=[good, rude]) as made:
            assert await told(checks_ports.outbound, made) == [("ok", "port 25")]
        relay: dict[str, Any] = {"mail__smarthost_tls": "starttls", "doctor__mx_hosts": [NOWHERE]}
        async with scene(tmp_path, database=False, mail__smarthost=good, **relay) as made:
            assert await told(checks_ports.outbound, made) == [("ok", good)]
        async with scene(tmp_path, database=False, mail__smarthost=NOWHERE, **relay) as made:
            assert await told(checks_ports.outbound, made) == [("fail", NOWHERE)]


@pytest.mark.parametrize(
    ("names", "days", "trusted", "level", "says_"),
    [
        ((NAME,), 90, True, "ok", "valid 9"),
        ((NAME,), 10, True, "warn", "valid 10 days"),
        ((NAME,), 3, True, "fail", "valid 3 days"),
        ((NAME,), -0.5, True, "fail", "expired"),
        (("other.test",), 90, True, "fail", "mismatch"),
        ((NAME,), 90, False, "fail", "not believed"),
    ],
)
async def test_certificates(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    days: int,
    trusted: bool,
    level: str,
    says_: str,
) -> None:
    made_of = certificate_for(*names, days=days)
    authority = made_of.authority if trusted else certificate_for("z.test").authority
    (tmp_path / "ca.pem").write_text(authority)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = context_of(made_of, tmp_path)
    async with smtp(context) as starttls, says(b"* OK ready\r\n", context) as imaps:
        ports: dict[str, Any] = {
            "mail__smtp_port": starttls,
            "mail__submission_port": 0,
            "mail__imap_port": 0,
            "mail__submissions_port": 0,
            "mail__imaps_port": imaps,
        }
        async with scene(tmp_path, database=False, mail__tls_cert="/c", mail__tls_key="/k", **ports) as made:
            found = await checks_tls.certificates(made)
    assert [(one.level, one.subject) for one in found] == [
        (level, f"smtp {starttls}"),
        (level, f"imaps {imaps}"),
    ]
    for one in found:
        assert says_ in one.text, one.text


async def test_no_starttls_and_no_certificate_are_wrong(tmp_path: Path) -> None:
    async with smtp(None) as plain:
        ports: dict[str, Any] = dict.fromkeys(
            ("mail__submission_port", "mail__imap_port", "mail__submissions_port"), 0
        )
        settings: dict[str, Any] = {
            "mail__smtp_port": plain,
            "mail__imaps_port": 9,
            "mail__tls_cert": "/c",
            "mail__tls_key": "/k",
        }
        async with scene(tmp_path, database=False, **ports, **settings) as made:
            found = await checks_tls.certificates(made)
    assert [one.level for one in found] == ["fail", "fail"]
    assert "no STARTTLS" in found[0].text
    assert "no TLS at" in found[1].text
    async with scene(tmp_path, database=False) as made:
        assert await told(checks_tls.certificates, made) == [("fail", "mail.tls_cert")]


async def test_https_of_the_api_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_of = certificate_for("localhost")
    (tmp_path / "ca.pem").write_text(made_of.authority)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with (
        says(b"", context_of(made_of, tmp_path)) as port,
        scene(tmp_path, database=False, http__public_url=f"https://localhost:{port}") as made,
    ):
        found = await told(checks_tls.certificates, made)
    assert found[0] == ("ok", f"https {port}")


async def test_the_world_is_asked_at_the_published_ports(tmp_path: Path) -> None:
    async with Sink() as sink, says(b"* OK ready\r\n") as imap:
        ports: dict[str, Any] = {
            "mail__smtp_port": sink.port,
            "mail__submission_port": sink.port,
            "mail__imap_port": imap,
        }
        own: dict[str, Any] = {"mail__public_ipv4": "127.0.0.1", "mail__public_ipv6": ""}
        published = [f"25:{sink.port}"]  # where nothing hands on to it
        async with scene(tmp_path, database=False, mail__published_ports=published, **own, **ports) as made:
            object.__setattr__(made.site, "addresses", ("127.0.0.2",))
            found = {one.subject: one for one in await checks_ports.listening(made)}
    assert found[f"smtp {sink.port}"].level == "fail"
    assert "not at 127.0.0.2 port 25" in found[f"smtp {sink.port}"].text
    assert "publish the port of a container" in found[f"smtp {sink.port}"].fix
    assert found[f"imap {imap}"].level == "ok"  # not published, so nobody outside is to reach it
