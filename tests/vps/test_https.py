"""HTTPS as `postern setup` leaves it: a proxy of the distribution's in front, certificates from an ACME authority, mail
with the same certificate, and a renewal that loses no connection."""

from __future__ import annotations

import imaplib
import json
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.support.waiting import until
from tests.vps.acme import DIRECTORY, start_authority, zone
from tests.vps.host import Host, booted
from tests.vps.install import binds, install
from tests.vps.internet import ADDRESS as WORLD_ADDRESS
from tests.vps.internet import NAME_SERVER, Internet, internet_host, internet_missing
from tests.vps.network import Place, connect

ADDRESS, DOMAIN, HOSTNAME = "192.0.2.10", "agents.example", "mail.agents.example"
AGENT = f"agent@{DOMAIN}"
SETUP = [
    *("postern", "setup", "--domain", DOMAIN, "--public-address", ADDRESS, "--inbox", "agent"),
    *("--instead", "--yes", "--json"),
]
OWN_CADDYFILE = f"""# the administrator's own
{{
\tacme_ca {DIRECTORY}
\tacme_ca_root /etc/caddy/ca.pem
}}

http://mine.example {{
\trespond "mine"
}}
"""
OWN_NGINX = """server { listen 80; server_name mine.example; location / { return 200 "mine"; } }
"""


@dataclass
class Site:
    """A bare server in the internet, with Postern installed and an authority that it can ask for certificates."""

    host: Host
    internet: Internet
    root: str
    foreign: Place

    def postern(self, *words: str) -> Any:
        return json.loads(self.host.run("postern", *words, "--json", timeout=300).stdout)

    def curl(self, url: str, *words: str) -> str:
        """What a machine of the internet gets, which trusts the authority."""
        self.internet.host.path("/root/ca.pem").write_text(self.root)
        return self.internet.host.run("curl", "-fsS", "--cacert", "/root/ca.pem", *words, url).stdout

    def served(self, port: int) -> x509.Certificate:
        """The certificate that a client from foreign is shown."""

        def look() -> bytes:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if port == 25:
                with smtplib.SMTP(ADDRESS, 25, timeout=30) as client:
                    client.starttls(context=context)
                    return bytes(client.sock.getpeercert(binary_form=True))
            with (
                socket.create_connection((ADDRESS, port), 30) as plain,
                context.wrap_socket(plain, server_hostname=HOSTNAME) as client,
            ):
                return bytes(client.getpeercert(binary_form=True) or b"")

        return x509.load_der_x509_certificate(self.foreign(look))

    def trusted(self, port: int) -> bool:
        """Whether the authority signed what is served there."""
        issuer = self.served(port).issuer.rfc4514_string()
        return "Caddy Local Authority" in issuer

    def active(self, unit: str) -> bool:
        return self.host.run("systemctl", "is-active", "-q", unit, check=False).returncode == 0


@pytest.fixture
def site(wheel: Path) -> Iterator[Site]:
    if missing := internet_missing():
        pytest.skip(missing)
    with ExitStack() as stack:
        host = stack.enter_context(booted("server", binds(wheel)))
        far = stack.enter_context(internet_host())
        connect(host, [ADDRESS], far, [WORLD_ADDRESS, NAME_SERVER])
        internet = Internet(far)
        internet.start()
        internet.publish(DOMAIN, zone(DOMAIN, ADDRESS))
        internet.point_resolver(host)
        install(host, wheel)
        foreign = Place(far)
        stack.callback(foreign.close)
        yield Site(host, internet, start_authority(internet), foreign)


@contextmanager
def open_sessions(site: Site) -> Iterator[None]:
    """A session of IMAP and one of SMTP, begun before the block and still good after it."""
    password = site.postern("inbox", "password", AGENT)["password"]
    context = ssl.create_default_context(cadata=site.root)
    context.check_hostname = False
    imap = site.foreign(imaplib.IMAP4_SSL, ADDRESS, 993, ssl_context=context, timeout=60)
    imap.login(AGENT, password)
    smtp = site.foreign(smtplib.SMTP_SSL, ADDRESS, 465, context=context, timeout=60)
    smtp.login(AGENT, password)
    try:
        yield
        assert imap.select("INBOX")[0] == "OK"
        assert smtp.noop()[0] == 250
    finally:
        imap.shutdown()
        smtp.close()


def first_request_from_abroad(site: Site, told: dict[str, Any]) -> str:
    """What the command that set-up printed gets, typed on a machine of the internet."""
    site.internet.host.path("/root/ca.pem").write_text(site.root)
    environment = {"POSTERN_KEY": told["api_key"], "CURL_CA_BUNDLE": "/root/ca.pem"}
    command = told["first_request"]["curl"]
    return site.internet.host.run("sh", "-c", command, environment=environment).stdout


def assert_renewed(site: Site, before: x509.Certificate) -> None:
    """Mail and HTTPS show one new certificate of the authority's."""

    def serials() -> set[int]:
        try:
            return {site.served(port).serial_number for port in (25, 465, 993, 443)}
        except OSError:  # Caddy has none for the moment
            return set()

    until(
        lambda: len(now := serials()) == 1 and now != {before.serial_number},
        90,
        "one new certificate everywhere",
    )


def test_caddy_is_in_front_and_mail_has_its_certificate(site: Site) -> None:
    host = site.host
    host.path("/etc/caddy/Caddyfile").write_text(OWN_CADDYFILE)
    host.path("/etc/caddy/ca.pem").write_text(site.root)
    told = json.loads(host.run(*SETUP, "--proxy", "caddy", timeout=400).stdout)
    assert site.trusted(993), (told, host.journal("caddy"))
    assert site.trusted(443)
    assert f"agent@{DOMAIN}" in first_request_from_abroad(site, told)
    assert site.curl("http://mine.example/", "--resolve", f"mine.example:80:{ADDRESS}") == "mine"
    assert "version: STSv1" in until(
        lambda: try_curl(site, f"https://mta-sts.{DOMAIN}/.well-known/mta-sts.txt"), 60
    )
    assert site.postern("setup", "--yes")["unchanged"] is True

    # nobody but root, the mail services and Caddy can read a key
    keys = host.run(
        "find", "/etc/postern/tls", "/var/lib/caddy", "-name", "*key*", "-type", "f", "-perm", "/007"
    )
    assert keys.stdout == ""

    # a renewal, which Caddy begins by itself two thirds through a certificate's life: made to begin now
    before = site.served(993)
    with open_sessions(site):
        host.run("sh", "-c", f"rm -r /var/lib/caddy/.local/share/caddy/certificates/*/{HOSTNAME}")
        host.run("systemctl", "restart", "caddy")
        assert_renewed(site, before)

    # a domain that is added
    site.internet.publish("second.example", zone("second.example", ADDRESS))
    host.run("postern", "domain", "add", "second.example")
    changed = site.postern("setup", "--yes")["changes"]
    assert "/etc/postern/proxy/Caddyfile" in {one["to"] for one in changed}
    until(
        lambda: try_curl(site, "https://autoconfig.second.example/health"),
        60,
        host.journal("caddy"),
    )

    host.run("postern", "setup", "--remove", "--yes")
    assert host.path("/etc/caddy/Caddyfile").read_text() == OWN_CADDYFILE
    assert not host.path("/etc/postern/proxy").exists()
    assert not site.active("caddy"), "it did not run before"
    assert "caddy" not in host.run("getent", "group", "postern-http").stdout


def test_nginx_is_in_front_and_certbot_renews_through_it(site: Site) -> None:
    host = site.host
    host.path("/etc/nginx/conf.d/mine.conf").write_text(OWN_NGINX)
    host.run("systemctl", "start", "nginx")
    host.path("/etc/letsencrypt/cli.ini").write_text(f"server = {DIRECTORY}\nno-verify-ssl = true\n")
    flags = ("--proxy", "nginx", "--certbot", "me@agents.example")
    told = json.loads(host.run(*SETUP, *flags, timeout=400).stdout)
    assert site.trusted(993), told
    assert site.trusted(443)
    assert f"agent@{DOMAIN}" in first_request_from_abroad(site, told)
    assert "version: STSv1" in site.curl(f"https://mta-sts.{DOMAIN}/.well-known/mta-sts.txt")
    assert site.curl("http://mine.example/", "--resolve", f"mine.example:80:{ADDRESS}") == "mine"
    assert site.active("certbot.timer")
    assert site.postern("setup", "--yes")["unchanged"] is True

    before = site.served(993)
    with open_sessions(site):
        host.run("certbot", "renew", "--force-renewal", "--no-random-sleep-on-renew", timeout=300)
        assert_renewed(site, before)

    site.internet.publish("second.example", zone("second.example", ADDRESS))
    host.run("postern", "domain", "add", "second.example")
    site.postern("setup", "--yes")
    site.curl("https://autoconfig.second.example/health")

    host.run("postern", "setup", "--remove", "--yes")
    assert not host.path("/etc/nginx/conf.d/postern.conf").exists()
    assert site.active("nginx"), "it ran before"
    assert site.curl("http://mine.example/", "--resolve", f"mine.example:80:{ADDRESS}") == "mine"


def test_without_dns_mail_works_and_the_certificate_comes_later(site: Site) -> None:
    host = site.host
    host.path("/etc/caddy/Caddyfile").write_text(OWN_CADDYFILE)
    host.path("/etc/caddy/ca.pem").write_text(site.root)
    site.internet.publish(DOMAIN, zone(DOMAIN, "192.0.2.99"))
    host.run("sed", "-i", "s/^_CADDY_SECONDS = .*/_CADDY_SECONDS = 2.0/", str(applied(host)))
    told = json.loads(host.run(*SETUP, "--proxy", "caddy", timeout=400).stdout)
    [note] = told["later"]
    assert f"{HOSTNAME} must lead to this server in DNS" in note
    assert site.served(993).issuer == site.served(993).subject
    site.internet.publish(DOMAIN, zone(DOMAIN, ADDRESS))
    host.run("systemctl", "restart", "caddy")  # it would try again by itself, in a minute or more
    until(lambda: site.trusted(993), 90, host.journal())


def applied(host: Host) -> str:
    """The installed module of set-up's steps, by the host's own path."""
    [file] = host.path("/opt/postern/lib").glob("python3.*/site-packages/gateway/setup/apply.py")
    return "/" + str(file).partition("/root/")[2]


def try_curl(site: Site, url: str) -> str:
    try:
        return site.curl(url)
    except AssertionError:
        return ""
