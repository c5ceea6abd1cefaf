"""A reverse proxy's configuration for this server, written to ``/etc/postern/proxy`` for the administrator to include:
the example of ``config/``, with the names of this server in it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from gateway.setup.answers import Answers

FILES = {"caddy": "Caddyfile", "nginx": "nginx.conf"}

_HOST, _DOMAIN = "mail.example.com", "example.com"
"""As the examples name them."""
_DONE = re.compile(r"^#   [13]\. .*\n(#      .*\n)*", re.MULTILINE)
"""Steps that setup has done: the names, and http.public_url."""


def fill(text: str, answers: Answers) -> str:
    """An example with this server's names."""
    api = urlsplit(answers.public_url).hostname or answers.hostname
    text = _DONE.sub("", text).replace(_HOST, "\0").replace(_DOMAIN, answers.domain)
    return text.replace("\0", api)
