"""Mail from and to internationalised addresses (RFC 6531), which Dovecot's LMTP cannot name."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base import MailServerError
from mailserver.imap import Client, ImapPool
from mailserver.international import ascii_sender, with_ascii_domain
from mailserver.smtp_connection import fits_envelope
from tests.support.servers import embedded_server

pytestmark = pytest.mark.anyio
ALICE = "alice@x.test"


@pytest.mark.parametrize(
    ("address", "stored"),
    [
        ("zoe@far.test", "zoe@far.test"),
        ("zoe@bücher.test", "zoe@xn--bcher-kva.test"),
        ("zoe@☃.test", "zoe@xn--n3h.test"),  # not in RFC 5891, but there are such names
        ("jörg@far.test", '"j\\\\x{F6}rg"@far.test'),
        ("jörg@bücher.test", '"j\\\\x{F6}rg"@xn--bcher-kva.test'),
        ('"j ö"@far.test', '"j \\\\x{F6}"@far.test'),
        ("a\\ö@far.test", '"a\\\\x{5C}\\\\x{F6}"@far.test'),
        ("", ""),
        ("<>", "<>"),
    ],
)
def test_senders_have_an_ascii_form(address: str, stored: str) -> None:
    assert ascii_sender(address) == stored
    assert address == "<>" or fits_envelope(stored)


def test_a_domain_without_an_ascii_form_is_none() -> None:
    label = "ü" * 70
    assert with_ascii_domain(f"a@{label}.test") == f"a@{label}.test"
    for address in (f"a@{label}.test", f"ö@{label}.test"):
        with pytest.raises(MailServerError):
            ascii_sender(address)


@given(st.text(min_size=1, max_size=20), st.sampled_from(["far.test", "bücher.test"]))
def test_different_senders_stay_different(local: str, domain: str) -> None:
    stored = ascii_sender(f"{local}@{domain}")
    if not local.isascii():
        assert stored.isascii()
        assert not any(ord(one) < 32 for one in stored)
        assert ascii_sender(f"{local}x@{domain}") != stored


def _send(host: str, port: int, sender: str, to: Sequence[str], data: bytes) -> int:
    """The reply to a message, or to the command that was refused."""
    with smtplib.SMTP(host, port, timeout=90) as client:
        client.ehlo("sender.test")
        assert client.has_extn("smtputf8")
        client.command_encoding = "utf-8"
        code, _ = client.docmd(f"MAIL FROM:<{sender}> SMTPUTF8")
        for one in to if code == 250 else ():
            code, _ = client.docmd(f"RCPT TO:<{one}>")
        return client.data(data)[0] if code == 250 else code


async def test_the_embedded_server_stores_mail_of_internationalised_addresses(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as server:
        await server.add_domain("x.test")
        await server.add_domain("xn--bcher-kva.test")
        await server.add_mailbox(ALICE)
        await server.add_mailbox("bob@xn--bcher-kva.test")
        await server.set_alias("@x.test", [ALICE])
        end = server.access().smtp

        async def send(sender: str, *to: str, subject: str) -> int:
            data = f"From: <{sender}>\r\nSubject: {subject}\r\n\r\nHi.\r\n".encode()
            return await asyncio.to_thread(_send, end.host, end.port, sender, to, data)

        assert await send("zoe@bücher.test", ALICE, subject="one") == 250
        assert await send("jörg@bücher.test", ALICE, "bob@bücher.test", subject="two") == 250
        assert await send("zoe@far.test", "jürgen@x.test", subject="three") == 250
        assert await send('"a>b"@far.test', ALICE, subject="four") == 553
        assert await send("ö" * 145 + "@far.test", ALICE, subject="five") == 553
        assert await send("zoe@far.test", "jürgen@xn--bcher-kva.test", subject="six") == 550

        def look(client: Client) -> dict[bytes, list[bytes]]:
            client.open("INBOX", readonly=True)
            rows, _ = client.fetch_set("1:*", ["UID", "BODY.PEEK[]"])
            heads = [
                row[b"BODY[]"].partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ").split(b"\r\n")
                for _, row in rows.items()
            ]
            return {next(one for one in head if one.startswith(b"Subject: "))[9:]: head for head in heads}

        pool = ImapPool(server.imap_login)
        try:
            found = await pool.run(ALICE, look)
            assert found.keys() == {b"one", b"two", b"three"}
            assert b"Return-Path: <zoe@xn--bcher-kva.test>" in found[b"one"]
            assert b'Return-Path: <"j\\\\x{F6}rg"@xn--bcher-kva.test>' in found[b"two"]
            trace = {
                subject: next(one for one in head if one.startswith(b"Received: "))
                for subject, head in found.items()
            }
            assert b" with UTF8SMTP " in trace[b"one"]
            assert "(envelope-from zoe@bücher.test);".encode() in trace[b"one"]
            assert "(envelope-from jörg@bücher.test);".encode() in trace[b"two"]
            assert "for <jürgen@x.test>;".encode() in trace[b"three"]
            assert (await pool.run("bob@xn--bcher-kva.test", look)).keys() == {b"two"}
        finally:
            await pool.close()
