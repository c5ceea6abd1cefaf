"""How the first request is made after a set-up: the base URL, and commands to copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.setup import layout
from gateway.setup.answers import Answers

_PATH = "/api/v0/inboxes"
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104
_TUNNEL_PORT = 8025


class FirstRequest(msgspec.Struct, frozen=True):
    """What is printed, and answered with ``--json``."""

    base_url: str
    """For whoever calls the API: from everywhere, or through the tunnel."""
    curl: str
    """Lists the inboxes; ``$POSTERN_KEY`` is the key."""
    tunnel: str = ""
    """To be left open on the caller's machine, where the API answers on this one alone."""


def first_request(answers: Answers, values: Mapping[str, Any]) -> FirstRequest:
    """``values``: the settings that setup wants (``plan.settings``)."""
    public = str(values.get("http.public_url", "")).rstrip("/")
    if public:
        # Caddy's own authority and a self-signed certificate are known to nobody
        unknown = answers.tls == "self-signed" and public.startswith("https")
        return FirstRequest(public, _curl(public, "-k " if unknown else ""))
    if answers.unix_socket:
        there, port = str(layout.HTTP_SOCKET), _TUNNEL_PORT
    else:
        host = "127.0.0.1" if answers.http_host in _ANYWHERE else answers.http_host
        port = answers.http_port
        there = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    here = f"http://127.0.0.1:{port}"
    return FirstRequest(here, _curl(here), f"ssh -N -L {port}:{there} root@{answers.hostname}")


def lines(request: FirstRequest, key: str) -> list[str]:
    """For the screen. ``key`` is empty when it was shown by an earlier run."""
    export = [f"  export POSTERN_KEY={key}"] if key else []
    if not request.tunnel:
        return ["", f"API          {request.base_url}", "", "From any machine:", *export, f"  {request.curl}"]
    return [
        "",
        "API          plain HTTP, on this machine alone: nobody abroad reaches it, and nothing encrypts it.",
        "             `postern setup --proxy caddy` puts HTTPS in front, for mail and the API with one certificate.",
        "",
        "From your own machine, through SSH (leave the first command open and use another terminal):",
        f"  {request.tunnel}",
        *export,
        f"  {request.curl}",
    ]


def _curl(base_url: str, options: str = "") -> str:
    return f'curl -fsS {options}-H "Authorization: Bearer $POSTERN_KEY" {base_url}{_PATH}'
