"""What the settings say about outgoing requests, gathered into the one value a client is made from."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.net.address_rules import AddressRules
from gateway.net.resolver import Resolver
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """Which URLs may be posted to or fetched, and who resolves their names.

    Attributes:
        addresses: judged on the address a socket is about to connect to.
        allow_http: accept http:// beside https://.
    """

    addresses: AddressRules
    resolver: Resolver
    allow_http: bool = False


def fetch_policy(settings: Settings, *, questions: int = 128) -> FetchPolicy:
    """Build the policy for webhooks and attachment URLs. Reads the system's resolver configuration from disk.

    Args:
        questions: to the name servers that may be open at once.

    Raises:
        ValueError: ``webhooks.allow_networks`` or ``dns.nameservers`` holds something that is not an address.
    """
    hooks = settings.webhooks
    return FetchPolicy(
        addresses=AddressRules.from_settings(hooks.allow_networks, allow_loopback=hooks.allow_loopback),
        resolver=make_resolver(settings, questions=questions),
        allow_http=hooks.allow_http,
    )


def make_resolver(settings: Settings, *, questions: int = 128) -> Resolver:
    """Build a resolver that asks the configured name servers, else the system's, ``questions`` at once."""
    dns = settings.dns
    return Resolver(dns.nameservers or None, port=dns.port, lifetime=dns.timeout, concurrency=questions)
