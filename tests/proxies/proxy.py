"""A real nginx or Caddy with the shipped example, of which only names, ports and paths are changed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.support.ports import keep_ports
from tests.support.waiting import until
from tests.vps.certificates import certificate_for

Kind = Literal["caddy", "nginx"]
KINDS: tuple[Kind, ...] = ("caddy", "nginx")
NAMES = ("localhost", "mta-sts.postern.test", "autoconfig.postern.test", "autodiscover.postern.test")
_CONFIG = Path(__file__).parents[2] / "config"
_NGINX = """daemon off;
{user}
pid {place}/nginx.pid;
error_log {place}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    include {place}/postern.conf;
}}
"""
_CADDY = """{{
    admin off
    http_port {http}
    https_port {https}
    default_bind 127.0.0.1
    skip_install_trust
    storage file_system {place}/caddy
}}
import {place}/postern.conf
"""


@dataclass(frozen=True)
class Proxy:
    kind: Kind
    https: int
    http: int

    @property
    def url(self) -> str:
        return f"https://localhost:{self.https}"


def proxy_missing(kind: Kind) -> str | None:
    program = _program(kind)
    return None if program else f"apt install {'nginx-light' if kind == 'nginx' else 'caddy'}"


@contextmanager
def running_proxy(kind: Kind, place: Path, unix_socket: Path) -> Iterator[Proxy]:
    """The proxy in front of ``unix_socket``; stopped at the end."""
    program = _program(kind)
    assert program is not None
    https, http = keep_ports(2)
    certificate = certificate_for(*NAMES)
    (place / "chain.pem").write_text(certificate.chain)
    (place / "key.pem").write_text(certificate.key)
    text = (_CONFIG / ("Caddyfile" if kind == "caddy" else "nginx.conf")).read_text("utf-8")
    wanted = {
        "mail.example.com": "localhost",
        "example.com": "postern.test",
        "/run/postern/http.sock": str(unix_socket),
    }
    if kind == "nginx":
        wanted |= {
            "listen [::]:80;": "",
            "listen [::]:443 ssl http2;": "",
            "listen 80;": f"listen 127.0.0.1:{http};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{https} ssl http2;",
            "/etc/postern/tls/fullchain.pem": f"{place}/chain.pem",
            "/etc/postern/tls/privkey.pem": f"{place}/key.pem",
            "/var/www/html": str(place),
        }
        frame, command = _NGINX, [program, "-p", str(place), "-c", str(place / "main.conf")]
    else:
        wanted |= {"request_body {": f"tls {place}/chain.pem {place}/key.pem\n\trequest_body {{"}
        frame, command = (
            _CADDY,
            [program, "run", "--adapter", "caddyfile", "--config", str(place / "main.conf")],
        )
    for old, new in wanted.items():
        assert old in text, f"{old} is no longer in the example"
        text = text.replace(old, new)
    (place / "postern.conf").write_text(text)
    (place / "main.conf").write_text(
        frame.format(place=place, http=http, https=https, user="user root;" if os.geteuid() == 0 else "")
    )
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(place)
        )
    try:
        until(
            lambda: process.poll() is not None or _answers(https),
            30,
            "the proxy does not listen",
        )
        assert process.poll() is None, (place / "log").read_text() + _read(place / "error.log")
        yield Proxy(kind, https, http)
    finally:
        process.terminate()
        process.wait(20)


def _program(kind: Kind) -> str | None:
    return shutil.which(kind) or shutil.which(kind, path="/usr/sbin:/usr/bin:/usr/local/bin")


def _environment(place: Path) -> dict[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(place), "XDG_CONFIG_HOME": str(place)}


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _read(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.exists() else ""
