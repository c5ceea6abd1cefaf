"""The client against real listeners on loopback: what it reaches, what it refuses, and when it stops reading."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import itertools
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from local_servers import Handler, Sink, Zone, answering, listening, read_request

from gateway.net.address_rules import AddressRules
from gateway.net.client import SafeClient
from gateway.net.errors import (
    BadAnswer,
    ConnectFailed,
    HeaderRefused,
    NameFailed,
    NetError,
    StatusRefused,
    TargetRefused,
    TimedOut,
    TlsFailed,
    TooLarge,
    UrlRefused,
)
from gateway.net.policy import FetchPolicy, fetch_policy

pytestmark = pytest.mark.anyio

OPEN = AddressRules(allow_loopback=True)
SHUT = AddressRules()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# faults.md A1; {port} is a listener on 127.0.0.1 and ::1, which must see none of them
LITERALS = [
    "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "0", "0.0.0.0", "2130706433", "0x7f.1", "0x7f000001",
    "0177.1", "0177.0.0.1", "017700000001", "localhost", "localhost.", "LocalHost", "x.localhost",
    "①②⑦.0.0.1", "127。0。0。1", "１２７.0.0.1", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[::ffff:169.254.169.254]",
    "[::169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
    "[2002:a9fe:a9fe::]", "[2002:7f00:1::]", "[2001:0:a9fe:a9fe::1]", "[fd00:ec2::254]", "[fec0::1]", "[fe80::1]",
    "[ff02::1]", "[::1%25lo]", "100.100.100.200", "169.254.169.254", "168.63.129.16", "10.0.0.1", "172.16.0.1",
    "192.168.0.1", "100.64.0.1", "192.88.99.1", "224.0.0.1", "255.255.255.255", "user:pw@127.0.0.1",
    "8.8.8.8@127.0.0.1", "127.0.0.1\\@8.8.8.8", "127.0.0.1#@8.8.8.8", "127.0.0.1?@8.8.8.8",
]  # fmt: skip


@pytest.mark.parametrize("host", LITERALS)
async def test_no_written_form_of_an_inner_address_is_connected_to(
    host: str, zone: Zone, connects: list[Any]
) -> None:
    async with (
        listening(answering(OK)) as sink,
        SafeClient(zone.policy(SHUT)) as client,
    ):
        for url in (f"http://{host}:{sink.port}/hook", f"https://{host}:{sink.port}/", f"http://{host}/"):
            with pytest.raises((TargetRefused, UrlRefused)):
                await client.post(url, b"{}", {})
            with pytest.raises((TargetRefused, UrlRefused)):
                await client.fetch(url, max_bytes=10)
            with pytest.raises((TargetRefused, UrlRefused)):
                await client.check(url)
        assert (sink.connections, connects) == (0, [])


@pytest.mark.parametrize("scheme", ["file", "gopher", "ftp", "ws", "data", "unix", "dict", "ldap"])
async def test_other_schemes_are_refused(scheme: str, zone: Zone, connects: list[Any]) -> None:
    async with (
        listening(answering(OK)) as sink,
        SafeClient(zone.policy(OPEN)) as client,
    ):
        with pytest.raises(UrlRefused):
            await client.post(f"{scheme}://127.0.0.1:{sink.port}/", b"", {})
        assert (sink.connections, connects) == (0, [])


@pytest.mark.parametrize(
    "records",
    [
        {"A": ["127.0.0.1"]},
        {"AAAA": ["::1"]},
        {"A": ["8.8.8.8", "127.0.0.1"]},
        {"A": ["127.0.0.1", "8.8.8.8"]},
        {"A": ["8.8.8.8"], "AAAA": ["::1"]},
        {"A": ["8.8.8.8"], "AAAA": ["::ffff:127.0.0.1"]},
        {"AAAA": ["64:ff9b::7f00:1"]},
        {"A": ["169.254.169.254"]},
    ],
)
async def test_a_name_with_any_inner_address_is_refused(
    records: dict[str, list[str]], zone: Zone, connects: list[Any]
) -> None:
    zone.records = {("evil.example", kind): values for kind, values in records.items()}
    async with (
        listening(answering(OK)) as sink,
        SafeClient(zone.policy(SHUT)) as client,
    ):
        with pytest.raises(TargetRefused, match=r"evil\.example"):
            await client.post(f"http://evil.example:{sink.port}/", b"", {})
        with pytest.raises(TargetRefused):
            await client.check(f"http://evil.example:{sink.port}/")
        assert (sink.connections, connects) == (0, [])


async def test_a_name_that_changes_between_check_and_use_is_refused(zone: Zone, connects: list[Any]) -> None:
    turns = itertools.chain([["8.8.8.8"]], itertools.repeat(["127.0.0.1"]))
    zone.ttl = 0
    zone.records = {("rebind.example", "A"): lambda: next(turns)}
    async with (
        listening(answering(OK)) as sink,
        SafeClient(zone.policy(SHUT)) as client,
    ):
        url = f"http://rebind.example:{sink.port}/"
        assert (await client.check(url)).host == "rebind.example"
        for _ in range(3):
            with pytest.raises(TargetRefused):
                await client.post(url, b"", {})
        assert (sink.connections, connects) == (0, [])


async def test_the_socket_is_judged_even_if_the_resolver_were_wrong(zone: Zone, connects: list[Any]) -> None:
    from gateway.net.connecting import Stopped, make_connector

    connector = make_connector(SHUT, zone.resolver())
    try:
        assert connector._socket_factory is not None
        with pytest.raises(Stopped):
            connector._socket_factory((2, 1, 6, "", ("127.0.0.1", 80)))
        with pytest.raises(Stopped):
            connector._socket_factory((2, 1, 6, "", ("localhost", 80)))
    finally:
        await connector.close()
    assert connects == []


@pytest.mark.parametrize("trouble", ["nxdomain", "servfail", "silent", "empty"])
async def test_a_failed_look_up_is_a_refusal(trouble: str, zone: Zone, connects: list[Any]) -> None:
    from dns.rcode import SERVFAIL

    if trouble == "servfail":
        zone.records = {("x.example", "A"): SERVFAIL, ("x.example", "AAAA"): SERVFAIL}
    elif trouble == "silent":
        zone.silent = {"x.example"}
    elif trouble == "empty":
        zone.records = {("x.example", "TXT"): ["hello"]}
    async with SafeClient(zone.policy(OPEN, lifetime=0.5)) as client:
        for call in (client.post("http://x.example/", b"", {}), client.check("http://x.example/")):
            with pytest.raises(NameFailed):
                await call
    assert connects == []


async def test_a_permitted_name_is_posted_to_over_one_kept_connection(zone: Zone) -> None:
    zone.records = {("hook.example", "A"): ["127.0.0.1"]}
    async with (
        listening(answering(OK)) as sink,
        SafeClient(zone.policy(OPEN)) as client,
    ):
        for n in range(5):
            answer = await client.post(
                f"http://hook.example:{sink.port}/a%2Fb?c=%C3%A4", f"é{n}".encode(), {"X-Event": "1"}
            )
            assert (answer.status, answer.ok, answer.body_excerpt) == (200, True, b"ok")
            assert answer.headers["content-length"] == "2"
            assert 0 < answer.duration_ms < 5000
        assert sink.connections == 1
        request = sink.requests[0]
        assert request.startswith(b"POST /a%2Fb?c=%C3%A4 HTTP/1.1\r\n")
        assert f"\r\nHost: hook.example:{sink.port}\r\n".encode() in request
        assert b"\r\nX-Event: 1\r\n" in request
        assert b"\r\nContent-Type: application/json\r\n" in request
        assert b"\r\nAccept-Encoding: identity\r\n" in request
        assert request.endswith("é0".encode())


async def test_two_policies_never_share_a_connection(zone: Zone) -> None:
    zone.records = {("hook.example", "A"): ["127.0.0.1"]}
    resolver = zone.resolver()
    async with (
        listening(answering(OK)) as sink,
        SafeClient(FetchPolicy(OPEN, resolver, allow_http=True)) as open_client,
        SafeClient(FetchPolicy(SHUT, resolver, allow_http=True)) as shut_client,
    ):
        url = f"http://hook.example:{sink.port}/"
        await open_client.post(url, b"", {})
        with pytest.raises(TargetRefused):
            await shut_client.post(url, b"", {})
        assert (sink.connections, len(sink.requests)) == (1, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_answers(status: int, zone: Zone) -> None:
    async with listening(answering(OK)) as inner:
        target = f"Location: http://127.0.0.1:{inner.port}/"
        reply = f"HTTP/1.1 {status} Moved\r\n{target}\r\nContent-Length: 0\r\n\r\n".encode()
        async with (
            listening(answering(reply)) as outer,
            SafeClient(zone.policy(OPEN)) as client,
        ):
            answer = await client.post(f"http://127.0.0.1:{outer.port}/", b"{}", {})
            assert (answer.status, answer.ok) == (status, False)
            with pytest.raises(StatusRefused, match="final URL") as caught:
                await client.fetch(f"http://127.0.0.1:{outer.port}/", max_bytes=10)
            assert caught.value.status == status
        assert inner.connections == 0


async def test_environment_proxies_cookies_and_compression_are_ignored(
    zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    squeezed = b"\x1f\x8b not gzip at all"
    reply = (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        % len(squeezed)
    ) + squeezed
    async with listening(answering(OK)) as proxy, listening(answering(reply)) as sink:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with SafeClient(zone.policy(OPEN)) as client:
            for _ in range(2):
                answer = await client.post(f"http://127.0.0.1:{sink.port}/", b"", {})
                assert answer.body_excerpt == squeezed
            with pytest.raises(BadAnswer, match="compressed"):
                await client.fetch(f"http://127.0.0.1:{sink.port}/", max_bytes=1000)
        assert proxy.connections == 0
        assert not any(b"cookie" in request.lower() for request in sink.requests)


def flood(announce: bool) -> Callable[[Sink], Handler]:
    """An answer of 50 MB."""

    def make(sink: Sink) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader, sink)
            size = b"Content-Length: 52428800\r\n" if announce else b"Connection: close\r\n"
            writer.write(b"HTTP/1.1 200 OK\r\n" + size + b"\r\n")
            for _ in range(800):
                writer.write(b"x" * 65536)
                await writer.drain()
                sink.written += 65536

        return handle

    return make


@pytest.mark.parametrize("announce", [True, False])
async def test_a_50_megabyte_answer_is_cut(announce: bool, zone: Zone) -> None:
    async with (
        listening(flood(announce)) as sink,
        SafeClient(zone.policy(OPEN)) as client,
    ):
        answer = await client.post(f"http://127.0.0.1:{sink.port}/", b"", {})
        assert answer.body_excerpt == b"x" * 65536
        with pytest.raises(TooLarge):
            await client.fetch(f"http://127.0.0.1:{sink.port}/", max_bytes=100_000)
        await asyncio.sleep(0.05)
        # two exchanges; the rest is what the kernel's buffers hold
        assert sink.written < 24_000_000
        assert sink.connections == 2


def drip(in_head: bool) -> Callable[[Sink], Handler]:
    """An answer of one byte every 20 ms, for ever."""

    def make(sink: Sink) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader, sink)
            writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: " if in_head else b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

        return handle

    return make


@pytest.mark.parametrize("in_head", [True, False])
async def test_a_dripping_answer_ends_at_the_total_time(in_head: bool, zone: Zone) -> None:
    async with (
        listening(drip(in_head)) as sink,
        SafeClient(zone.policy(OPEN)) as client,
    ):
        for call in (
            client.post(f"http://127.0.0.1:{sink.port}/", b"", {}, timeout=0.4),
            client.fetch(f"http://127.0.0.1:{sink.port}/", max_bytes=10_000, timeout=0.4),
        ):
            began = time.monotonic()
            async with asyncio.timeout(20):  # it drips for ever
                with pytest.raises(TimedOut):
                    await call
            assert time.monotonic() - began > 0.35


def then_close(raw: bytes) -> Callable[[Sink], Handler]:
    def make(sink: Sink) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader, sink)
            writer.write(raw)
            await writer.drain()

        return handle

    return make


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", ConnectFailed),
        (b"SSH-2.0-OpenSSH_9.2\r\n", BadAnswer),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", BadAnswer),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", BadAnswer),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", BadAnswer),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", BadAnswer),
        (b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(5000)) + b"\r\n", BadAnswer),
        (b"HTTP/1.1 999999 No\r\n\r\n", BadAnswer),
    ],
)
async def test_what_is_not_http_is_a_typed_failure(raw: bytes, error: type[NetError], zone: Zone) -> None:
    async with (
        listening(then_close(raw)) as sink,
        SafeClient(zone.policy(OPEN)) as client,
    ):
        with pytest.raises(error) as caught:
            await client.post(f"http://127.0.0.1:{sink.port}/secret-path", b"", {})
        assert "secret-path" not in caught.value.message
        assert sink.connections == 1, "a fresh connection is not tried twice"


async def test_a_kept_connection_that_was_closed_is_replaced_at_once(zone: Zone) -> None:
    def make(sink: Sink) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader, sink)
            writer.write(OK)
            await read_request(reader, sink)  # takes the second request and hangs up

        return handle

    async with (
        listening(make) as sink,
        SafeClient(zone.policy(OPEN)) as client,
    ):
        for _ in range(4):
            assert (await client.post(f"http://127.0.0.1:{sink.port}/", b"", {})).ok
        assert sink.connections == 4


async def test_a_closed_port_is_a_typed_failure(zone: Zone) -> None:
    async with listening(answering(OK)) as sink:
        port = sink.port
    async with SafeClient(zone.policy(OPEN)) as client:
        with pytest.raises(ConnectFailed) as caught:
            await client.post(f"http://127.0.0.1:{port}/", b"", {})
        assert caught.value.retryable


UNSAFE_HEADERS = [
    {"X": "a\r\nB: c"}, {"X": "a\nb"}, {"X": "a\0"}, {"X": "é"}, {"X\r\nY": "a"}, {"X Y": "a"}, {"": "a"},
    {"Host": "x"}, {"content-length": "0"}, {"Transfer-Encoding": "chunked"}, {"Connection": "close"},
]  # fmt: skip


@pytest.mark.parametrize("headers", UNSAFE_HEADERS)
async def test_unsafe_headers_are_refused(headers: dict[str, str], zone: Zone, connects: list[Any]) -> None:
    async with SafeClient(zone.policy(OPEN)) as client:
        with pytest.raises(HeaderRefused):
            await client.post("http://127.0.0.1:9999/", b"", headers)
    assert connects == []


async def test_fetch_gives_body_type_and_name(zone: Zone) -> None:
    reply = (
        b"HTTP/1.1 200 OK\r\nContent-Type: Application/PDF; charset=x\r\nContent-Length: 4\r\n"
        b'Content-Disposition: attachment; filename="../../etc/x.pdf"\r\n\r\n%PDF'
    )
    async with (
        listening(answering(reply)) as sink,
        SafeClient(zone.policy(OPEN)) as client,
    ):
        got = await client.fetch(f"http://127.0.0.1:{sink.port}/r", max_bytes=4)
        assert (got.body, got.content_type, got.filename) == (b"%PDF", "application/pdf", "x.pdf")
        with pytest.raises(TooLarge):
            await client.fetch(f"http://127.0.0.1:{sink.port}/r", max_bytes=3)
    async with (
        listening(answering(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")) as sink,
        SafeClient(zone.policy(OPEN)) as client,
    ):
        with pytest.raises(StatusRefused) as caught:
            await client.fetch(f"http://127.0.0.1:{sink.port}/r", max_bytes=3)
        assert (caught.value.status, caught.value.retryable) == (503, True)


async def test_certificates_are_checked_against_the_name(zone: Zone, tmp_path: Path) -> None:
    zone.records = {(f"{n}.example", "A"): ["127.0.0.1"] for n in ("good", "other")}
    server, trusted = _authority(tmp_path, "good.example")
    async with listening(answering(OK), tls=server) as sink:
        async with SafeClient(zone.policy(OPEN, allow_http=False), tls=trusted) as client:
            assert (await client.post(f"https://good.example:{sink.port}/", b"", {})).ok
            with pytest.raises(TlsFailed):
                await client.post(f"https://other.example:{sink.port}/", b"", {})
        async with SafeClient(zone.policy(OPEN, allow_http=False)) as client:
            with pytest.raises(TlsFailed, match="certificate"):
                await client.post(f"https://good.example:{sink.port}/", b"", {})
        assert len(sink.requests) == 1


async def test_a_hung_endpoint_does_not_slow_its_neighbours(zone: Zone) -> None:
    def hang(sink: Sink) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(60)

        return handle

    async with (
        listening(hang) as stuck,
        listening(answering(OK)) as fine,
        SafeClient(zone.policy(OPEN)) as client,
    ):
        waiting = [
            asyncio.create_task(client.post(f"http://127.0.0.1:{stuck.port}/", b"", {}, timeout=55.0))
            for _ in range(50)
        ]
        for _ in range(50):
            assert (await client.post(f"http://127.0.0.1:{fine.port}/", b"", {})).ok
        assert not any(one.done() for one in waiting)  # all 50 went past them
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _authority(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A self-signed certificate for ``name``: the server's context and one that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]
            ),
            False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "chain.pem").write_bytes(pem + secret)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "chain.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


async def test_the_settings_make_the_policy() -> None:
    from gateway.settings import Dns, Settings, Webhooks

    shut = fetch_policy(Settings())
    assert not shut.allow_http
    assert not shut.addresses.permits("10.0.0.1")
    made = fetch_policy(
        Settings(
            webhooks=Webhooks(allow_http=True, allow_loopback=True, allow_networks=["10.0.0.0/8"]),
            dns=Dns(nameservers=["192.0.2.53"]),
        )
    )
    assert made.allow_http
    assert all(made.addresses.permits(address) for address in ("127.0.0.1", "10.0.0.1"))
    with pytest.raises(ValueError, match="intranet"):
        fetch_policy(Settings(webhooks=Webhooks(allow_networks=["intranet"])))
