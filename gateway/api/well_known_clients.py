"""Serves the settings of mail clients, so that people enter only address and password.

``GET /mail/config-v1.1.xml`` and ``/.well-known/autoconfig/mail/config-v1.1.xml`` (Thunderbird, Evolution, K-9 …:
"autoconfig") and ``POST /autodiscover/autodiscover.xml`` (Outlook: "POX autodiscover"). Only this server's domains
are answered; whether an address exists is not revealed.
"""

from __future__ import annotations

import html
import re
from functools import partial
from xml.sax.saxutils import escape, quoteattr

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.core.context import Core
from gateway.core.inboxes.client_settings import ClientService, client_services, our_domain
from gateway.store.engine import StoreDown

_MOST = 64 * 1024
_ADDRESS = re.compile(rb"<(?:[A-Za-z0-9_-]+:)?EMailAddress\s*>\s*([^<>\s]{3,600})\s*</", re.IGNORECASE)
_SOCKET = {"tls": "SSL", "starttls": "STARTTLS", "plain": "plain"}
_ENCRYPTION = {"tls": "SSL", "starttls": "TLS", "plain": "None"}
_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover"


def client_routes(core: Core) -> list[Route]:
    """The routes of both protocols."""
    thunderbird, outlook = partial(_autoconfig, core), partial(_autodiscover, core)
    return [
        Route("/mail/config-v1.1.xml", thunderbird, methods=["GET"]),
        Route("/.well-known/autoconfig/mail/config-v1.1.xml", thunderbird, methods=["GET"]),
        Route("/autodiscover/autodiscover.xml", outlook, methods=["GET", "POST"]),
        Route("/Autodiscover/Autodiscover.xml", outlook, methods=["GET", "POST"]),
    ]


def host_of(request: Request) -> str:
    """The name the client asked for, lower case, without the port."""
    return request.headers.get("host", "").partition(":")[0].lower().rstrip(".")


async def _autoconfig(core: Core, request: Request) -> Response:
    address = request.query_params.get("emailaddress", "")
    asked = address.rpartition("@")[2] or host_of(request).removeprefix("autoconfig.")
    try:
        domain = await our_domain(core, asked)
    except StoreDown:
        return _xml("<error>not now</error>", 503)
    if domain is None:
        return _xml("<error>this server has no such mail domain</error>", 404)
    name = escape(domain.name)
    servers = "".join(_server(one) for one in client_services(core.settings))
    return _xml(
        f'<clientConfig version="1.1"><emailProvider id={quoteattr(domain.name)}><domain>{name}</domain>'
        f"<displayName>{name}</displayName><displayShortName>{name}</displayShortName>"
        f"{servers}</emailProvider></clientConfig>"
    )


def _server(one: ClientService) -> str:
    tag = "incomingServer" if one.kind == "imap" else "outgoingServer"
    return (
        f"<{tag} type={quoteattr(one.kind)}><hostname>{escape(one.host)}</hostname><port>{one.port}</port>"
        f"<socketType>{_SOCKET[one.security]}</socketType><username>%EMAILADDRESS%</username>"
        f"<authentication>password-cleartext</authentication></{tag}>"
    )


async def _autodiscover(core: Core, request: Request) -> Response:
    match = _ADDRESS.search(await _start_of(request))
    # no XML parser gets the document: anybody may send it, and only one element of it matters
    address = html.unescape(match[1].decode("utf-8", "replace")) if match else ""
    try:
        domain = await our_domain(core, address.rpartition("@")[2]) if "@" in address else None
    except StoreDown:
        return _xml("<error>not now</error>", 503)
    if domain is None:
        return _xml(
            f'<Autodiscover xmlns="{_SCHEMA}/responseschema/2006"><Response><Error Time="00:00:00.0" Id="0">'
            f"<ErrorCode>{600 if match is None else 500}</ErrorCode><Message>"
            f"{'Invalid Request' if match is None else 'The email address cannot be found.'}</Message>"
            "<DebugData/></Error></Response></Autodiscover>"
        )
    protocols = "".join(
        f"<Protocol><Type>{one.kind.upper()}</Type><Server>{escape(one.host)}</Server><Port>{one.port}</Port>"
        f"<LoginName>{escape(address)}</LoginName><DomainRequired>off</DomainRequired><SPA>off</SPA>"
        f"<SSL>{'off' if one.security == 'plain' else 'on'}</SSL>"
        f"<Encryption>{_ENCRYPTION[one.security]}</Encryption><AuthRequired>on</AuthRequired></Protocol>"
        for one in _best(client_services(core.settings))
    )
    return _xml(
        f'<Autodiscover xmlns="{_SCHEMA}/responseschema/2006">'
        f'<Response xmlns="{_SCHEMA}/outlook/responseschema/2006a"><Account><AccountType>email</AccountType>'
        f"<Action>settings</Action>{protocols}</Account></Response></Autodiscover>"
    )


def _best(services: list[ClientService]) -> list[ClientService]:
    """The first of each kind: Outlook takes one."""
    first: dict[str, ClientService] = {}
    for one in services:
        first.setdefault(one.kind, one)
    return list(first.values())


async def _start_of(request: Request) -> bytes:
    """The body, or nothing when it is longer than a request for settings."""
    held = b""
    try:
        async for chunk in request.stream():
            held += chunk
            if len(held) > _MOST:
                return b""
    except ClientDisconnect:
        return b""
    return held


def _xml(text: str, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(
        f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n', status, headers, "text/xml; charset=utf-8"
    )
