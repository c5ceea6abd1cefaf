"""DNS: the records of every domain, the addresses of the mail host and their names, and who gets postmaster's mail."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence

from gateway.core.domains.records import REQUIRED, Keys, all_records, keys_of
from gateway.doctor.context import Scene
from gateway.doctor.finding import Finding, fail, ok, warn
from gateway.doctor.run_checks import well
from gateway.records.domains import Domain
from gateway.store.queries.aliases import unscoped_alias
from gateway.store.queries.domains import unscoped_domains
from gateway.store.queries.inboxes import unscoped_inbox_at
from gateway.store.transaction import Tx
from mailserver.addresses import fold_domain
from mailserver.dns import Record
from mailserver.dns.advice import fix_of
from mailserver.dns.needed import host_records

_OF_THE_HOST = ("address", "helo_spf", "ptr")
_AT_ONCE = 4


async def domains(scene: Scene) -> Sequence[Finding]:
    """Every record of every domain."""

    def read(tx: Tx) -> list[tuple[Domain, Keys]]:
        rows = unscoped_domains(tx)
        return [(row, keys_of(tx, scene.settings, row.name)) for row in rows]

    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(row: Domain, keys: Keys) -> list[Finding]:
        async with turn:
            wanted = all_records(scene.settings, row, keys, scene.site)
            found = await scene.checker.check([one for one in wanted if one.purpose not in _OF_THE_HOST])
        return _of_domain(row, keys, found)

    done = await asyncio.gather(*(one(*each) for each in await scene.read(read)))
    return [finding for findings in done for finding in findings]


def _of_domain(row: Domain, keys: Keys, found: Sequence[Record]) -> list[Finding]:
    name = row.name
    if not any(one.answered for one in found):
        fix = "see whether its name servers work, and those that this machine asks (setting dns.nameservers)"
        return [fail(name, "the name servers do not answer, so nothing is known of its records", fix)]
    findings, lesser = [], []
    for one in found:
        if one.status == "VALID":
            continue
        # who named a domain and never published anything is not in trouble; whose mail we take is
        bad = row.proven_at is not None and (
            one.purpose in REQUIRED
            or (one.purpose == "mta_sts" and row.mta_sts == "enforce")
            or (one.purpose == "dkim_retired" and one.status == "INVALID")
        )
        if bad:
            findings.append(fail(name, _said(one), fix_of(one)))
        else:
            lesser.append(one)
    if lesser:
        text = f"{len(lesser)} of {len(found)} records are missing or wrong: "
        text += ", ".join(f"{one.type} {one.name}" for one in lesser)
        findings.append(warn(name, text, f"`postern domain verify {name}` says what to publish for each"))
    findings += [
        warn(name, f"{one.type} {one.name} is no longer needed", "take it out of DNS")
        for one in keys.outlived
    ]
    return well(findings, name, f"all {len(found)} records are there")


def _said(one: Record) -> str:
    text = f"{one.type} {one.name} is {one.status.lower() if one.answered else 'unknown'}"
    return text + (f" (it is {'; '.join(one.found)[:200]})" if one.found else "")


async def hostname(scene: Scene) -> Sequence[Finding]:
    """A and AAAA of the mail host, SPF of its name, and PTR that leads back."""
    host = scene.hostname
    in_dns, answered = await scene.checker.addresses(host)
    if not in_dns:
        if not answered:
            return [fail(host, "the name servers did not answer for it", "see whether its name servers work")]
        wanted = " and ".join(scene.site.addresses) or "the public address of this machine"
        return [fail(host, "has no address", f"publish A or AAAA records for {host} with {wanted}")]
    findings = []
    for address in sorted(in_dns):
        known = scene.development or address in scene.site.addresses
        if not known and not ipaddress.ip_address(address).is_global:
            fix = "publish the public address of this machine; without a hosts entry in the way"
            findings.append(fail(host, f"has the address {address}, which the world cannot reach", fix))
    own = scene.site.addresses
    if not own:
        findings.append(
            warn(
                host,
                f"leads to {', '.join(sorted(in_dns))}; whether that is this machine is not known (NAT?)",
                "set mail.public_ipv4 and mail.public_ipv6 to the addresses by which the world reaches it",
            )
        )
    site = scene.site if own else type(scene.site)(host, scene.site.web_host, tuple(sorted(in_dns)))
    for one in await scene.checker.check(host_records(site, fold_domain(scene.settings.mail.domain))):
        if one.status != "VALID":
            bad = one.purpose == "address" or (one.purpose == "ptr" and not scene.settings.mail.smarthost)
            findings.append((fail if bad else warn)(host, _said(one), fix_of(one)))
    return well(findings, host, f"{', '.join(sorted(in_dns))}, and back to the name")


async def postmaster(scene: Scene) -> Sequence[Finding]:
    """RFC 5321 §4.5.1: somebody reads postmaster's mail; DMARC and TLS reports go there too."""
    address = f"postmaster@{fold_domain(scene.settings.mail.domain)}"

    def taken(tx: Tx) -> bool:
        aliases = [unscoped_alias(tx, one) for one in (address, f"@{address.rpartition('@')[2]}")]
        return unscoped_inbox_at(tx, address) is not None or any(one and not one.refused for one in aliases)

    if await scene.read(taken):
        return [ok(address, "takes mail")]
    return [
        warn(
            address,
            "there is no such mailbox or alias: what others report of this server, and DMARC reports, bounce",
            "postern inbox create postmaster, or postern alias add postmaster@DOMAIN INBOX",
        )
    ]
