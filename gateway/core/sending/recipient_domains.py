"""Whether the domains of a send take mail at all, by what DNS says (RFC 5321 §5.1, RFC 7505).

Only a definite answer refuses: no such domain, a null MX, or neither MX nor address. A name server that does not
answer refuses nothing; the outbox tries for days. Our own domains and the simulator's are not asked, and with a
smarthost none is: it may know domains that the DNS here does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.core.context import Core
from gateway.core.errors import Rejected
from gateway.mime.types import Address
from gateway.net.resolver import Outcome, Resolver
from gateway.records.simulator import is_simulated
from gateway.smarthost.profiles import relay_of
from gateway.store.queries.domains import unscoped_proven_among

_DEFINITE = (Outcome.NO_NAME, Outcome.NO_DATA, Outcome.BAD_NAME)


async def check_domains(core: Core, recipients: Sequence[tuple[str, str]]) -> None:
    """Refuse (field, address) pairs whose domain takes no mail, when ``mail.check_recipient_domains`` is set.

    Raises Rejected (``no_mx_records``) naming the first one.
    """
    dead = await dead_domains(core, [address for _, address in recipients])
    for field, address in recipients:
        domain = _domain(address)
        if domain in dead:
            raise Rejected(
                f"{domain} takes no mail: {dead[domain]}",
                code="no_mx_records",
                field=field,
                fix="correct the address",
            )


async def reachable(core: Core, people: Sequence[Address]) -> list[Address]:
    """Those of ``people`` whose domain takes mail, for whom nobody named; all of them unless the setting is on."""
    dead = await dead_domains(core, [one.email for one in people])
    return [one for one in people if _domain(one.email) not in dead]


async def dead_domains(core: Core, addresses: Sequence[str]) -> dict[str, str]:
    """The domains of ``addresses`` that take no mail, each with the reason; none is looked for unless the setting
    ``mail.check_recipient_domains`` is on."""
    if not core.settings.mail.check_recipient_domains or relay_of(core.settings):
        return {}
    simulator = core.settings.simulator.enabled
    domains = dict.fromkeys(_domain(one) for one in addresses if not (simulator and is_simulated(one)))
    known = await core.store.read(lambda tx: unscoped_proven_among(tx, domains))
    asked = [domain for domain in domains if domain not in known]
    reasons = await asyncio.gather(*(_takes_none(core.fetcher.policy.resolver, one) for one in asked))
    return {domain: reason for domain, reason in zip(asked, reasons, strict=True) if reason is not None}


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


async def _takes_none(resolver: Resolver, domain: str) -> str | None:
    """Why no mail can ever reach a domain; None when it can, or when DNS did not say."""
    outcome, hosts = await resolver.mail_hosts(domain)
    if outcome is Outcome.OK:
        return "its MX record says so (RFC 7505)" if [name for _, name in hosts] == ["."] else None
    if outcome in (Outcome.NO_NAME, Outcome.BAD_NAME):
        return "there is no such domain"
    if outcome is Outcome.NO_DATA and (await resolver.addresses(domain)).outcome in _DEFINITE:
        return "it has neither an MX record nor an address"
    return None
