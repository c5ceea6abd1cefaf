"""One server and one internet for the tests of this folder: what they share takes seconds to make."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.vps.certificates import Certificate, certificate_for
from tests.vps.host import Host, booted
from tests.vps.install import binds, build_wheel, install
from tests.vps.internet import ADDRESS as WORLD_ADDRESS
from tests.vps.internet import NAME_SERVER, Internet, internet_host, internet_missing
from tests.vps.network import Place, connect

ADDRESS = "192.0.2.10"
DOMAIN = "agents.example"
HOSTNAME = "mail.agents.example"
REVERSE = f"""$TTL 60
$ORIGIN 2.0.192.in-addr.arpa.
@ SOA ns.world.example. hostmaster.world.example. 1 60 60 60 5
@ NS ns.world.example.
10 PTR {HOSTNAME}.
20 PTR mx.world.example.
"""
HEAD = f"""$TTL 60
{DOMAIN}. SOA ns.world.example. hostmaster.world.example. 1 60 60 60 5
{DOMAIN}. NS ns.world.example.
"""
"""What the registrar's name server has already; Postern prints the records to add."""
SETUP = [
    *("postern", "setup", "--domain", DOMAIN, "--hostname", HOSTNAME, "--public-address", ADDRESS),
    *(
        "--tls-cert",
        "/root/chain.pem",
        "--tls-key",
        "/root/key.pem",
        "--inbox",
        "agent",
        "--instead",
        "--yes",
    ),
    # the test's webhook endpoint is a program on the server
    *("--set", "webhooks.allow_http=true", "--set", "webhooks.allow_loopback=true"),
    *("--set", "doctor.mx_hosts=mx.world.example:25", "--set", "doctor.ntp_server=", "--json"),
]


@dataclass
class Server:
    """A server that `postern setup` made, its zone published, and the internet it writes to."""

    host: Host
    internet: Internet
    here: Place
    """Calls as from a program on the server."""
    foreign: Place
    """Calls as from the internet."""
    certificate: Certificate
    told: dict[str, Any]
    """What setup printed."""

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.certificate.authority)

    def postern(self, *words: str, **options: Any) -> Any:
        """What a command says with --json, run as root on the server."""
        return json.loads(self.host.run("postern", *words, "--json", **options).stdout)

    def client(self) -> httpx.Client:
        """Of /api/v0 with the first key; use it through ``here``."""
        return httpx.Client(
            base_url="http://127.0.0.1:8025/api/v0/",
            headers={"Authorization": f"Bearer {self.told['api_key']}"},
            timeout=30,
            trust_env=False,
        )

    def api(self, method: str, path: str, **options: Any) -> Any:
        """A request from the server itself; answers the JSON and fails on a status over 299."""

        def call() -> Any:
            with self.client() as client:
                answer = client.request(method, path, **options)
            assert answer.is_success, f"{answer.status_code} {answer.text}"
            return answer.json() if answer.content else None

        return self.here(call)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def bare(wheel: Path) -> Iterator[tuple[Host, Internet, Certificate]]:
    """A server with the wheel installed and nothing else done, and a started internet."""
    if missing := internet_missing():
        pytest.skip(missing)
    with booted("server", binds(wheel)) as host, internet_host() as far:
        connect(host, [ADDRESS], far, [WORLD_ADDRESS, NAME_SERVER])
        internet = Internet(far)
        internet.start()
        internet.publish("2.0.192.in-addr.arpa", REVERSE)
        internet.point_resolver(host)
        install(host, wheel)
        certificate = certificate_for(HOSTNAME, f"mta-sts.{DOMAIN}")
        host.path("/usr/local/share/ca-certificates/test.crt").write_text(certificate.authority)
        host.run("update-ca-certificates")
        host.path("/root/chain.pem").write_text(certificate.chain)
        host.path("/root/key.pem").write_text(certificate.key)
        yield host, internet, certificate


@pytest.fixture(scope="module")
def server(bare: tuple[Host, Internet, Certificate]) -> Iterator[Server]:
    """The same after `postern setup`."""
    host, internet, certificate = bare
    told = json.loads(host.run(*SETUP, timeout=300).stdout)
    with ExitStack() as stack:
        here, foreign = Place(host), Place(internet.host)
        stack.callback(here.close)
        stack.callback(foreign.close)
        made = Server(host, internet, here, foreign, certificate, told)
        internet.publish(DOMAIN, HEAD + host.run("postern", "domain", "zone", DOMAIN).stdout)
        yield made
