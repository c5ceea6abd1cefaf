"""A reverse proxy's configuration for this server, written to ``/etc/postern/proxy`` for the administrator to include.

Both speak to the Unix socket: whoever may open it (the group postern-http) is believed about the client's address.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.setup import layout
from gateway.setup.answers import Answers

_BODY = "80m"
"""As ``http.max_body``: attachments come as base64 in JSON."""


def hosts(answers: Answers) -> tuple[str, ...]:
    """The names it answers to: the API's, and those where mail servers and clients look for policy and settings."""
    api = urlsplit(answers.public_url).hostname or answers.hostname
    further = (f"{label}.{answers.domain}" for label in ("mta-sts", "autoconfig", "autodiscover"))
    return tuple(dict.fromkeys((api, *further)))


def example(answers: Answers) -> str:
    """The file for ``answers.proxy``."""
    return _caddy(answers) if answers.proxy == "caddy" else _nginx(answers)


def _caddy(answers: Answers) -> str:
    return f"""\
# For Caddy 2. In /etc/caddy/Caddyfile:  import {layout.PROXY}/Caddyfile
# The socket is for the group postern-http:  usermod -aG postern-http caddy && systemctl restart caddy
{", ".join(hosts(answers))} {{
	request_body {{
		max_size {_BODY}b
	}}
	reverse_proxy unix/{layout.HTTP_SOCKET} {{
		# events are streamed; WebSockets need nothing
		flush_interval -1
	}}
}}
"""


def _nginx(answers: Answers) -> str:
    names = " ".join(hosts(answers))
    return f"""\
# For nginx:  ln -s {layout.PROXY}/nginx.conf /etc/nginx/conf.d/postern.conf
# The socket is for the group postern-http:  usermod -aG postern-http www-data && systemctl restart nginx
upstream postern {{
    server unix:{layout.HTTP_SOCKET};
    keepalive 16;
}}

map $http_upgrade $postern_connection {{
    default upgrade;
    ''      '';
}}

server {{
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name {names};
    # it must be for all of these names: `certbot --expand`, or `postern setup --certbot-argument=--domain …`
    ssl_certificate     {layout.TLS_CHAIN};
    ssl_certificate_key {layout.TLS_KEY};

    client_max_body_size {_BODY};

    location / {{
        proxy_pass http://postern;
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $postern_connection;
        # waiting for mail and streams of events last long, and go out at once
        proxy_read_timeout 1h;
        proxy_buffering off;
        proxy_request_buffering off;
    }}
}}
"""
