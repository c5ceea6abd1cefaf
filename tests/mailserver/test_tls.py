"""TLS as people and servers meet it, with an authority of our own, and a certificate that is renewed."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver.base import Endpoint, MailServerError
from mailserver.tls import CIPHERS, Certificate
from tests.mailserver.started import ALICE, BOB, Started, started
from tests.support.servers import data_directory
from tests.vps.certificates import Certificate as Made
from tests.vps.certificates import certificate_for

HOST = "mail.x.test"


class Secured:
    """A started server, its certificate's files, and a client's trust in them."""

    def __init__(self, running: Started, place: Path) -> None:
        self.running = running
        self.place = place
        self.trust = ssl.create_default_context(cafile=str(place / "authority.pem"))
        self.trust.check_hostname = False  # the tests come to an address, not to a name


def put(place: Path, made: Made, *, authority: bool = True) -> None:
    """As a deploy hook does: each file exchanged as a whole, the key first."""
    for name, text in (("privkey.pem", made.key), ("fullchain.pem", made.chain)):
        fresh = place / f"{name}.new"
        fresh.write_text(text)
        fresh.chmod(0o644)
        fresh.replace(place / name)
    if authority:
        (place / "authority.pem").write_text(made.authority)


@pytest.fixture(scope="module", params=["embedded", pytest.param("postfix", marks=pytest.mark.root)])
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with data_directory(tmp_path_factory.mktemp("tls")) as place:
        put(place, certificate_for(HOST))
        files = {"tls_cert": place / "fullchain.pem", "tls_key": place / "privkey.pem"}
        with started(request.param, hostname=HOST, **files) as running:
            yield Secured(running, place)


def serial(end: Endpoint, trust: ssl.SSLContext | None = None) -> int:
    """The serial number of what an endpoint with TLS from the start shows."""
    from cryptography import x509

    text = ssl.get_server_certificate((end.host, end.port), timeout=20)
    return x509.load_pem_x509_certificate(text.encode()).serial_number


def test_mail_clients_are_offered_tls_from_the_start(secured: Secured) -> None:
    running = secured.running
    assert (running.imap.tls, running.submission.tls) == ("implicit", "implicit")
    with imaplib.IMAP4_SSL(running.imap.host, running.imap.port, ssl_context=secured.trust) as imap:
        imap.login(ALICE, "secret")
    with smtplib.SMTP_SSL(running.submission.host, running.submission.port, context=secured.trust) as client:
        client.login(ALICE, "secret")
        assert client.sendmail(ALICE, BOB, "From: alice@x.test\r\nSubject: x\r\n\r\nx\r\n") == {}


def test_starttls_on_the_other_ports(secured: Secured) -> None:
    server = secured.running.server
    imap_port = server._dovecot.config.imap_port
    with imaplib.IMAP4("127.0.0.1", imap_port) as imap:
        imap.starttls(secured.trust)
        imap.login(ALICE, "secret")
    submission = server._ports.submission if server.name == "postfix" else server._submission.port
    with smtplib.SMTP("127.0.0.1", submission, "laptop.test") as client:
        client.ehlo()
        if server.name == "postfix":  # the embedded one lets loopback in without
            assert "auth" not in client.esmtp_features
            assert client.docmd("MAIL", f"FROM:<{ALICE}>")[0] == 530
        client.starttls(context=secured.trust)
        client.login(ALICE, "secret")
    with smtplib.SMTP("127.0.0.1", server.access().smtp.port, "far.test") as client:
        client.starttls(context=secured.trust)
        assert client.sendmail("", ALICE, "Subject: x\r\n\r\nx\r\n") == {}


def test_no_old_protocol_and_no_weak_suite(secured: Secured) -> None:
    running = secured.running
    for end in (running.imap, running.submission):
        for settings in ("old", "weak"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            if settings == "old":
                with pytest.warns(DeprecationWarning, match="TLSv1_1"):
                    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
                context.set_ciphers("ALL:@SECLEVEL=0")
            else:
                context.set_ciphers("ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
            with (
                socket.create_connection((end.host, end.port), 20) as raw,
                pytest.raises((ssl.SSLError, ConnectionError)),
            ):
                context.wrap_socket(raw)


def test_a_renewed_certificate_is_shown_and_nobody_is_cut_off(secured: Secured) -> None:
    running = secured.running
    with imaplib.IMAP4_SSL(running.imap.host, running.imap.port, ssl_context=secured.trust) as held:
        held.login(ALICE, "secret")
        before = serial(running.imap)
        assert serial(running.submission) == before
        put(secured.place, certificate_for(HOST), authority=False)
        for end in (running.imap, running.submission):
            for _ in range(300):
                if serial(end) != before:
                    break
                time.sleep(0.1)
            assert serial(end) != before
        assert held.select("INBOX")[0] == "OK"


def test_half_a_pair_is_not_taken(tmp_path: Path) -> None:
    put(tmp_path, certificate_for(HOST))
    files = (tmp_path / "fullchain.pem", tmp_path / "privkey.pem")
    held = Certificate(*files)
    assert not held.refresh()
    (tmp_path / "privkey.pem").write_text(certificate_for(HOST).key)
    assert not held.refresh()
    with pytest.raises(MailServerError, match="the key that belongs to it"):
        Certificate(*files)
    (tmp_path / "privkey.pem").unlink()
    with pytest.raises(MailServerError, match="cannot be read"):
        Certificate(*files)
    put(tmp_path, certificate_for(HOST))
    assert held.refresh()
    assert {one["name"] for one in held.context.get_ciphers() if one["protocol"] == "TLSv1.2"} <= set(
        CIPHERS.split(":")
    )
