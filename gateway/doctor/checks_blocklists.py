"""DNS blocklists (RFC 5782): whether one has our address. Asked only with ``--blocklists``: each learns of us by it."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence

from gateway.doctor.context import Scene
from gateway.doctor.finding import Finding, fail, warn
from gateway.doctor.run_checks import well

BLOCKLISTS = ["zen.spamhaus.org", "bl.spamcop.net", "b.barracudacentral.org"]
_LISTED = ipaddress.ip_network("127.0.0.0/8")
_REFUSED = ipaddress.ip_network("127.255.255.0/24")  # how several say that they do not answer this resolver


async def blocklists(scene: Scene) -> Sequence[Finding]:
    """Every address on every list of ``doctor.blocklists``."""
    addresses = scene.site.addresses
    if not addresses:
        fix = "set mail.public_ipv4 and mail.public_ipv6"
        return [warn("blocklists", "not asked: the public address of this machine is not known", fix)]
    lists = scene.settings.doctor.blocklists or BLOCKLISTS
    done = await asyncio.gather(*(_ask(scene, address, zone) for address in addresses for zone in lists))
    return well(
        [one for one in done if one], "blocklists", f"none of {len(lists)} has {' or '.join(addresses)}"
    )


async def _ask(scene: Scene, address: str, zone: str) -> Finding | None:
    reverse = (
        ipaddress.ip_address(address).reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    )
    answer = await scene.checker.ask(f"{reverse}.{zone}", "A")
    codes = [ipaddress.ip_address(one.to_text()) for one in answer.records]
    if not answer.answered or any(code in _REFUSED for code in codes):
        fix = "ask it through a resolver of your own (unbound on this machine): lists refuse the big public ones"
        return warn(zone, f"does not answer for {address}", fix)
    if not any(code in _LISTED for code in codes):
        return None
    reasons = await scene.checker.ask(f"{reverse}.{zone}", "TXT")
    said = "; ".join(one.to_text().strip('"') for one in reasons.records)[:200]
    fix = "look the address up on the list's page, end what led to it, and ask to be taken off; or use a smarthost"
    return fail(zone, f"has {address}: {said or ', '.join(map(str, codes))}", fix)
