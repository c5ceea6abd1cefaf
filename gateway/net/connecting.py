"""The connector under :class:`gateway.net.client.SafeClient`: no socket is made for a refused address.

The rules are applied twice. When a name is resolved, one refused address among its answers refuses the name (a
mixed answer is an attack or a mistake, never an endpoint). When the socket for one address is made, that very
address is judged again; aiohttp then connects to it and resolves nothing any more, so an answer that changes in
between (rebinding) and a host written as an address are covered.
"""

from __future__ import annotations

import socket
import ssl

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.net.address_rules import AddressRules
from gateway.net.errors import NameFailed, NetError, TargetRefused
from gateway.net.resolver import Outcome, Resolver

AddrInfo = tuple[
    int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]
]


class Stopped(OSError):
    """Carries a typed error through aiohttp, which passes on only OSError from resolvers and sockets."""

    def __init__(self, error: NetError) -> None:
        super().__init__(error.message)
        self.error = error


async def permitted_addresses(resolver: Resolver, rules: AddressRules, host: str) -> tuple[str, ...]:
    """Resolve ``host`` and judge every answer.

    Raises:
        NameFailed: no answer; nothing may be connected to.
        TargetRefused: at least one of the addresses is refused.
    """
    answer = await resolver.addresses(host)
    if answer.outcome is not Outcome.OK:
        raise NameFailed(f"{host} could not be resolved: {answer.reason}")
    for address in answer.found:
        why = rules.refusal(address)
        if why is not None:
            raise TargetRefused(f"{host} leads to an address that is not reachable from here: {why}")
    return answer.found


class JudgingResolver(AbstractResolver):
    """aiohttp's view of :func:`permitted_addresses`."""

    def __init__(self, resolver: Resolver, rules: AddressRules) -> None:
        self._resolver = resolver
        self._rules = rules

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Answer with numeric addresses only, so that connecting never resolves again."""
        try:
            found = await permitted_addresses(self._resolver, self._rules, host)
        except NetError as exc:
            raise Stopped(exc) from exc
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for address in found
        ]

    async def close(self) -> None:
        """Nothing to close: the resolver belongs to the process."""


def make_connector(
    rules: AddressRules,
    resolver: Resolver,
    *,
    tls: ssl.SSLContext | None = None,
    connections: int = 1024,
    keep_alive: float = 4.0,
) -> aiohttp.TCPConnector:
    """Build the connector of one client; its kept connections are never shared with another policy.

    Args:
        tls: for a private certificate authority; None takes the system's.
        connections: open at once, all hosts together.
        keep_alive: seconds an idle connection is kept; under Node's default of 5, so that the other side seldom
            closes first.
    """

    def open_socket(info: AddrInfo) -> socket.socket:
        family, kind, proto, _, address = info
        why = rules.refusal(address[0])
        if why is not None:
            raise Stopped(TargetRefused(f"the target address is not reachable from here: {why}"))
        return socket.socket(family, kind, proto)

    return aiohttp.TCPConnector(
        resolver=JudgingResolver(resolver, rules),
        use_dns_cache=False,
        socket_factory=open_socket,
        ssl=tls if tls is not None else True,
        limit=connections,
        limit_per_host=0,
        keepalive_timeout=keep_alive,
    )
