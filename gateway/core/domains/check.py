"""Asking DNS about the records of a domain, and keeping what it said."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from gateway.core.context import Core
from gateway.core.domains.domains import find_domain
from gateway.core.domains.proof import prove, shows_proof
from gateway.core.domains.records import REQUIRED, Keys, all_records, keys_of, records_of, site_of
from gateway.core.errors import NotFound
from gateway.core.lookup import require
from gateway.records.domains import Domain
from gateway.records.event_types import DnsRecordFacts, DomainFacts, DomainSnapshot
from gateway.records.ids import now_us
from gateway.settings import Settings
from gateway.store.dkim_keys import forget_retired
from gateway.store.json_columns import dump
from gateway.store.queries.domains import DomainChanges, change_domain, unscoped_domain
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from mailserver.dns import Checker, Record, ResolverSettings, Site


async def verify(core: Core, scope: Scope, ref: str) -> Domain:
    """Ask DNS about the required records now; VERIFIED only when all are there. Event ``domain.verified`` on the
    change.

    What DNS cannot answer counts as missing.
    """
    require(scope, "domain_update")
    domain = await core.store.read(lambda tx: find_domain(tx, scope, ref))
    checker = await checker_of(core.settings)
    return await note(core, domain.name, await checker.check(records_of(core.settings, domain)))


async def examine(core: Core, name: str) -> tuple[Domain, list[Record], Keys]:
    """Ask DNS about every record the domain should have, and keep what it said where it said something.

    Answers the domain, the records with what was found, and the keys beside the active one. Raises NotFound.
    """
    domain, keys, site = await facts(core, name)
    checker = await checker_of(core.settings)
    known = all_records(core.settings, domain, keys, site)
    found, outlived = await asyncio.gather(checker.check(known), checker.check(keys.outlived))
    said = [new if new.answered else old for new, old in zip(found, known, strict=True)]
    domain = await note(core, name, said)
    gone = [one.name.partition("._domainkey.")[0] for one in outlived if one.answered and not one.found]
    if gone:
        await core.store.write(partial(forget_retired, domain=name, selectors=gone))
        keys = await core.store.read(lambda tx: keys_of(tx, core.settings, name))
    return domain, found, keys


async def examine_own(core: Core, scope: Scope, ref: str) -> tuple[Domain, list[Record], Keys]:
    """:func:`examine` for whoever may see the domain. Raises NotFound, Forbidden."""
    require(scope, "domain_update")
    domain = await core.store.read(lambda tx: find_domain(tx, scope, ref))
    return await examine(core, domain.name)


async def facts(core: Core, name: str) -> tuple[Domain, Keys, Site]:
    """What the records of a domain are made from. Raises NotFound."""
    site = await asyncio.to_thread(site_of, core.settings)
    domain, keys = await core.store.read(lambda tx: (_domain(tx, name), keys_of(tx, core.settings, name)))
    return domain, keys, site


async def checker_of(settings: Settings) -> Checker:
    """A checker that asks whom the settings name."""
    dns = settings.dns
    asked = ResolverSettings(tuple(dns.nameservers), dns.port, dns.timeout)
    return await asyncio.to_thread(Checker, asked)  # reads /etc/resolv.conf


async def note(core: Core, name: str, found: Sequence[Record]) -> Domain:
    """Keep what DNS said; a domain that it proves is added to the mail server."""
    domain, new = await core.store.write(partial(_note, core=core, name=name, found=found))
    if new:
        await core.mail.add_domain(name)
    return domain


def _note(tx: Tx, *, core: Core, name: str, found: Sequence[Record]) -> tuple[Domain, bool]:
    domain = _domain(tx, name)
    required = [one for one in found if one.purpose in REQUIRED]
    statuses = [one.status for one in required]
    verified = all(status == "VALID" for status in statuses)
    ready = all(one.status == "VALID" for one in required if one.purpose != "dmarc")
    now = now_us()
    since = (domain.verified_at if domain.status == "VERIFIED" else None) or now
    held = domain.checked
    known = {**held, **{one.key: one.status for one in found}}
    columns = DomainChanges(
        checked_json=dump(known),
        status="VERIFIED" if verified else "INVALID" if "INVALID" in statuses else "PENDING",
        verified_at=since if verified else domain.verified_at,
        ready_at=(domain.ready_at or now) if ready else None,
        checked_at=now,
        updated_at=now,
    )
    if known != held:
        columns["changed_at"] = now
    change_domain(tx, name, **columns)
    domain = replace(domain, **columns)
    new = domain.proven_at is None and shows_proof(required)
    if new:
        domain = prove(tx, domain)
    if verified and domain.organization_id:
        core.events.append(
            tx,
            "domain.verified",
            organization_id=domain.organization_id,
            pod_id=domain.pod_id,
            subject=f"{name}/{since}",
            payload=DomainFacts(domain=snapshot(core.settings, domain)),
            at=since,
        )
    return domain, new


def _domain(tx: Tx, name: str) -> Domain:
    domain = unscoped_domain(tx, name)
    if domain is None:
        raise NotFound(f"there is no domain {name!r}", fix="GET /domains lists the domains of this key")
    return domain


def snapshot(settings: Settings, domain: Domain) -> DomainSnapshot:
    """A domain as the event log keeps it: no private key."""
    return DomainSnapshot(
        name=domain.name,
        number=domain.number,
        organization_id=domain.organization_id,
        pod_id=domain.pod_id,
        client_id=domain.client_id,
        status=domain.status,
        feedback_enabled=int(domain.feedback_enabled),
        subdomains_enabled=int(domain.subdomains_enabled),
        verified_at=domain.verified_at,
        ready_at=domain.ready_at,
        created_at=domain.created_at,
        updated_at=domain.updated_at,
        records=[
            DnsRecordFacts(
                type=one.type, name=one.name, value=one.value, priority=one.priority, status=one.status
            )
            for one in records_of(settings, domain)
        ],
    )
