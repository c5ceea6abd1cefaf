"""A certificate authority that speaks ACME (RFC 8555): Caddy's own, which proves names as others do."""

from __future__ import annotations

import json
import time

from tests.vps.host import Host
from tests.vps.internet import ADDRESS, Internet

NAME = "ca.example"
DIRECTORY = f"https://{NAME}/acme/local/directory"
_ZONE = f"""$TTL 60
{NAME}. SOA ns.world.example. hostmaster.world.example. 1 60 60 60 5
{NAME}. NS ns.world.example.
{NAME}. A {ADDRESS}
"""
_STORAGE = "/var/lib/acme"
_ROOT = f"{_STORAGE}/pki/authorities/local/root.crt"


def start_authority(internet: Internet) -> str:
    """Start it on the internet's host; answers the certificate that whoever asks it must trust (PEM)."""
    host = internet.host
    internet.publish(NAME, _ZONE)
    serve = {
        "listen": [f"{ADDRESS}:443"],
        "routes": [{"match": [{"host": [NAME]}], "handle": [{"handler": "acme_server"}]}],
        "automatic_https": {"disable_redirects": True},
    }
    automation = {"policies": [{"subjects": [NAME], "issuers": [{"module": "internal"}]}]}
    config = {
        "admin": {"disabled": True},
        "storage": {"module": "file_system", "root": _STORAGE},
        "apps": {
            "http": {"servers": {"acme": serve}},
            "tls": {"automation": automation},
            "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
        },
    }
    host.path("/etc/acme.json").write_text(json.dumps(config))
    host.run("systemd-run", "--unit=internet-acme", "--quiet", "caddy", "run", "--config", "/etc/acme.json")
    _until_it_listens(host)
    return host.path(_ROOT).read_text()


def _until_it_listens(host: Host) -> None:
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        if f"{ADDRESS}:443" in host.run("ss", "-Hlnt").stdout and host.path(_ROOT).exists():
            return
        time.sleep(0.1)
    raise AssertionError(host.journal("world-acme"))


def zone(domain: str, address: str) -> str:
    """A zone in which every name that a proxy needs of ``domain`` leads to ``address``."""
    names = ("mail", "mta-sts", "autoconfig", "autodiscover")
    lines = [
        "$TTL 60",
        f"{domain}. SOA ns.world.example. hostmaster.world.example. 1 60 60 60 5",
        f"{domain}. NS ns.world.example.",
        *(f"{name}.{domain}. A {address}" for name in names),
    ]
    return "\n".join(lines) + "\n"
