"""The reverse proxy in front of the API: Caddy or nginx, as the distribution packages them.

The site is a file in ``/etc/postern/proxy`` made of the example in ``config/``, with the names of this server. The
proxy is pointed to it by one line (Caddy's ``import``) or one link (nginx's ``conf.d``), so that nothing of the
administrator's own configuration is changed beside that, and ``--remove`` can take it away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gateway.setup import layout
from gateway.setup.answers import Answers
from gateway.setup.steps import Directory, File, Line, Link, Member, Proxy, Step
from gateway.setup.tls import WEBROOT


@dataclass(frozen=True, slots=True)
class Kind:
    """A proxy as its package installs it."""

    package: str
    user: str
    example: str
    """File name in ``config/`` and in ``/etc/postern/proxy``."""
    test: tuple[str, ...]
    """Reads the whole configuration and starts nothing."""

    @property
    def unit(self) -> str:
        return f"{self.package}.service"

    @property
    def site(self) -> Path:
        return layout.PROXY / self.example


CADDYFILE = Path("/etc/caddy/Caddyfile")
NGINX_LINK = Path("/etc/nginx/conf.d/postern.conf")
KINDS = {
    "caddy": Kind("caddy", "caddy", "Caddyfile", ("caddy", "adapt", "--config", str(CADDYFILE))),
    "nginx": Kind("nginx", "www-data", "nginx.conf", ("nginx", "-t", "-q")),
}
PORTS = (80, 443)

_HTTP2_DIRECTIVE = (1, 25)
"""The first nginx that has ``http2 on``, and warns of ``listen … http2``."""
_HEAD = """\
# Postern behind {kind}, written by `postern setup` from the domains of this server. Run `postern setup --yes` after
# `postern domain add`: it adds the names of the new domain. Your own sites belong into other files.
"""
_COMMENT = re.compile(r"\A(#.*\n)+")
_NAMES = re.compile(
    r"mail\.example\.com(,?) mta-sts\.example\.com,? autoconfig\.example\.com,? autodiscover\.example\.com"
)


def kind_of(answers: Answers) -> Kind | None:
    """The proxy that was chosen, if any."""
    return KINDS.get(answers.proxy)


def host_names(answers: Answers, domains: Iterable[str]) -> tuple[str, ...]:
    """Every name the proxy answers for, the mail server's first: the API's, and three of each domain."""
    api = urlsplit(answers.public_url).hostname or answers.hostname
    of_domains = (
        f"{label}.{domain}"
        for domain in dict.fromkeys((answers.domain, *domains))
        for label in ("mta-sts", "autoconfig", "autodiscover")
    )
    return tuple(dict.fromkeys((answers.hostname, api, *of_domains)))


def fill(
    text: str,
    answers: Answers,
    domains: Iterable[str] = (),
    *,
    ipv6: bool = True,
    nginx: tuple[int, int] = (0, 0),
) -> str:
    """An example of ``config/`` as the site of this server. ``nginx``: the version that will read it."""
    names = host_names(answers, domains)
    text = _COMMENT.sub(
        _HEAD.format(kind=answers.proxy.capitalize() if answers.proxy == "caddy" else "nginx"), text
    )
    text = _NAMES.sub(lambda found: (f"{found[1]}\n" if found[1] else "\n        ").join(names), text)
    if answers.proxy == "caddy":
        tls = "\t# for trying out, as the certificate of the mail services\n\ttls internal\n\n"
        return text.replace("{\n", "{\n" + tls, 1) if answers.tls == "self-signed" else text
    text = text.replace(WEBROOT, answers.certbot_webroot or WEBROOT)
    if nginx >= _HTTP2_DIRECTIVE:
        text = re.sub(r"( +)listen 443 ssl http2;", r"\1listen 443 ssl;\n\1http2 on;", text)
        text = text.replace("ssl http2;", "ssl;")
    return text if ipv6 else re.sub(r" +listen \[::\].*\n", "", text)


def steps(answers: Answers, site: str) -> list[Step]:
    """Whatever puts the proxy in front. ``site``: the text of :func:`fill`."""
    kind = kind_of(answers)
    if kind is None:
        return []
    found: list[Step] = [
        Directory(layout.PROXY, 0o755),
        File(kind.site, 0o644, site, affects=(f"reload {kind.unit}",)),
        Member(kind.user, layout.HTTP_GROUP, kind.unit),
    ]
    if kind.package == "caddy":
        found.append(Line(CADDYFILE, f"import {kind.site}", "Postern's site, by `postern setup`", kind.unit))
    else:
        found.append(Link(NGINX_LINK, kind.site, kind.unit))
    return [*found, Proxy(kind.unit, kind.package, kind.test, answers.start)]
