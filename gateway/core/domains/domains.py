"""Mail domains: adding, listing, changing and deleting them.

Beside it: ``domains_records`` (what is to be published), ``domains_check`` (whether DNS has it), ``domains_proof``
(from when on mail for a domain is ours), ``domains_keys`` (rotation), ``domains_watch`` (all of it, by itself).
"""

from __future__ import annotations

import asyncio
from typing import TypedDict

from msgspec.structs import replace

from gateway.core.context import Core
from gateway.core.domains.proof import proven_at_birth
from gateway.core.errors import Conflict, Forbidden, Invalid, LimitReached, NotFound, Taken
from gateway.core.lookup import find_pod, require
from gateway.core.text import clean_text
from gateway.mime.dkim_sign import generate_key
from gateway.records.base import Secret
from gateway.records.domains import Domain
from gateway.records.ids import OrganizationId, new_ulid, now_us, number_in, number_of
from gateway.records.simulator import SIMULATOR_DOMAIN
from gateway.settings import Settings
from gateway.store.engine import NotUnique
from gateway.store.listing import Listing, Window
from gateway.store.queries import domains as domain_queries
from gateway.store.queries.aliases import remove_domain_aliases
from gateway.store.queries.inboxes import unscoped_domain_inbox_count, unscoped_inbox_in_domain
from gateway.store.queries.organizations import own_domain_limit
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError
from mailserver.dns.mta_sts import Mode

SELECTOR = "dkim"


async def new_domain(settings: Settings, name: str, organization: OrganizationId | None) -> Domain:
    """The record of a new domain with its own signing key (made off the event loop: it takes a tenth of a second)."""
    private, public = await asyncio.to_thread(generate_key)
    now = now_us()
    return Domain(
        name=name,
        number=number_of(new_ulid()),
        organization_id=organization,
        pod_id=None,
        client_id=None,
        status="PENDING",
        feedback_enabled=True,
        subdomains_enabled=False,
        dkim_selector=SELECTOR,
        dkim_private=Secret(private),
        dkim_public=public,
        checked_json=None,
        verified_at=None,
        ready_at=None,
        proven_at=now if proven_at_birth(settings, organization) else None,
        mta_sts="testing",
        checked_at=None,
        changed_at=None,
        created_at=now,
        updated_at=now,
    )


def is_domain(name: str) -> bool:
    """Whether this can be the name of a mail domain: two labels at least."""
    try:
        return "." in fold_domain(name) and len(fold_domain(name)) <= 253
    except MailServerError:
        return False


async def create(
    core: Core,
    scope: Scope,
    name: str,
    *,
    feedback: bool = True,
    subdomains: bool = False,
    client_id: str | None = None,
    pod: str | None = None,
) -> tuple[Domain, bool]:
    """Add a domain; answers it and whether it is new. Raises Invalid, Taken, LimitReached."""
    require(scope, "domain_create")
    if is_domain(name):
        name = fold_domain(name)
    else:
        raise Invalid(
            "domain is not a domain name", field="domain", code="invalid_domain", fix="write example.com"
        )
    if name == SIMULATOR_DOMAIN:
        raise Invalid(
            f"{name} is the simulator's",
            field="domain",
            code="invalid_domain",
            fix="write a domain of your own",
        )
    client_id = clean_text(client_id, "client_id")
    held = await core.store.read(lambda tx: domain_queries.unscoped_domain(tx, name))
    if held is not None:
        if held.organization_id == scope.organization and client_id and held.client_id == client_id:
            return held, False
        raise _taken(name)
    made = replace(
        await new_domain(core.settings, name, scope.organization),
        feedback_enabled=feedback,
        subdomains_enabled=subdomains,
        client_id=client_id,
    )

    def write(tx: Tx) -> Domain:
        pod_id = find_pod(tx, scope, pod).id if pod is not None else scope.pod
        tx.lock(f"domains/{scope.organization}")
        most = domain_limit(tx, core, scope.organization)
        if most and domain_queries.domain_count(tx, scope.organization) >= most:
            raise LimitReached(
                f"the organization has its {most} domains", fix="delete one, or raise limits.domains"
            )
        domain = replace(made, pod_id=pod_id)
        domain_queries.add_domain(tx, domain)
        return domain

    try:
        domain = await core.store.write(write)
    except NotUnique:
        raise _taken(name) from None
    if domain.proven_at is None:
        return domain, True
    try:
        await core.mail.add_domain(name)
    except MailServerError:
        await core.store.write(lambda tx: domain_queries.remove_domain(tx, name))
        raise
    return domain, True


def _taken(name: str) -> Taken:
    return Taken(
        f"the domain {name} is taken",
        field="domain",
        code="domain_taken",
        fix="GET /domains lists your domains; choose another",
    )


async def get(core: Core, scope: Scope, ref: str) -> Domain:
    """A domain by name. Raises NotFound, Forbidden."""
    require(scope, "domain_read")
    return await core.store.read(lambda tx: find_domain(tx, scope, ref))


async def list_domains(
    core: Core, scope: Scope, window: Window, *, pod: str | None = None, platform: bool = False
) -> Listing[Domain]:
    """The organization's own domains; with ``platform`` the platform's as well, which everybody may use."""
    require(scope, "domain_read")

    def read(tx: Tx) -> Listing[Domain]:
        wanted = find_pod(tx, scope, pod).id if pod is not None else scope.pod
        return domain_queries.list_domains(tx, scope, window, pod=wanted, platform=platform)

    return await core.store.read(read)


class DomainUpdate(TypedDict, total=False):
    """What :func:`update` changes; what is left out stays."""

    feedback_enabled: bool
    subdomains_enabled: bool


async def update(core: Core, scope: Scope, ref: str, changes: DomainUpdate) -> Domain:
    """Change ``feedback_enabled`` or ``subdomains_enabled``."""
    require(scope, "domain_update")

    def write(tx: Tx) -> Domain:
        domain = own_domain(scope, find_domain(tx, scope, ref))
        columns = domain_queries.DomainChanges(updated_at=now_us())
        for name in ("feedback_enabled", "subdomains_enabled"):
            if name in changes:
                columns[name] = changes[name]
        return _changed(tx, domain, columns)

    return await core.store.write(write)


async def set_mta_sts(core: Core, scope: Scope, ref: str, mode: Mode) -> Domain:
    """Choose the MTA-STS policy of a domain; the platform's own is the operator's. Raises NotFound, Forbidden."""
    require(scope, "domain_update")

    def write(tx: Tx) -> Domain:
        domain = find_domain(tx, scope, ref)
        if not scope.operator:
            own_domain(scope, domain)
        return _changed(tx, domain, domain_queries.DomainChanges(mta_sts=mode, updated_at=now_us()))

    return await core.store.write(write)


def _changed(tx: Tx, domain: Domain, changes: domain_queries.DomainChanges) -> Domain:
    """Change a domain; answers it as it is then."""
    domain_queries.change_domain(tx, domain.name, **changes)
    return replace(domain, **changes)


async def assign(core: Core, scope: Scope, ref: str, pod: str | None) -> Domain:
    """Give a domain to one pod, or to the whole account. Raises Conflict while another pod has inboxes on it."""
    require(scope, "domain_update")

    def write(tx: Tx) -> Domain:
        domain = own_domain(scope, find_domain(tx, scope, ref))
        pod_id = find_pod(tx, scope, pod).id if pod is not None else scope.pod
        if pod_id is not None and unscoped_inbox_in_domain(tx, domain.name, outside_pod=pod_id):
            raise Conflict(
                "another pod has inboxes on this domain", code="domain_in_use", fix="delete its inboxes first"
            )
        return _changed(tx, domain, domain_queries.DomainChanges(pod_id=pod_id, updated_at=now_us()))

    return await core.store.write(write)


async def delete(core: Core, scope: Scope, ref: str) -> None:
    """Delete a domain without inboxes. Raises Conflict while it has some."""
    require(scope, "domain_delete")

    def write(tx: Tx) -> tuple[str, list[str]]:
        domain = own_domain(scope, find_domain(tx, scope, ref))
        used = unscoped_domain_inbox_count(tx, domain.name)
        if used:
            raise Conflict(
                f"the domain has {used} inboxes", code="domain_in_use", fix="delete its inboxes first"
            )
        domain_queries.remove_domain(tx, domain.name)
        return domain.name, remove_domain_aliases(tx, domain.name)

    name, gone = await core.store.write(write)
    await core.mail.remove_domain(name)
    for address in gone:
        await core.mail.set_alias(address, [])


def find_domain(tx: Tx, scope: Scope, ref: str) -> Domain:
    """A domain by name or number; the platform's own is visible to all. Raises NotFound, Forbidden."""
    number = number_in(ref)
    if number is not None:
        domain = domain_queries.unscoped_domain_with_number(tx, number)
    else:
        name = ref.strip().lower().rstrip(".")[:255].replace("\x00", "")
        domain = domain_queries.unscoped_domain(tx, name)
    if domain is None or domain.organization_id not in (None, scope.organization):
        raise NotFound(f"there is no domain {ref[:255]!r}", fix="GET /domains lists the domains of this key")
    if scope.pod and domain.pod_id not in (None, scope.pod):
        raise Forbidden("this API key does not reach that domain", fix="use a key of the organization")
    return domain


def own_domain(scope: Scope, domain: Domain) -> Domain:
    """The domain again. Raises Forbidden for the platform's own domain, and to a pod's key for the organization's: its
    inboxes may use that one, but so do those of other pods."""
    if domain.organization_id is None:
        raise Forbidden("this is the platform's own domain", fix="the operator changes mail.domain instead")
    if scope.pod and domain.pod_id != scope.pod:
        raise Forbidden(
            "this domain belongs to the whole organization", fix="use a key of the whole organization"
        )
    return domain


def find_domain_of(tx: Tx, scope: Scope, ref: str, pod: str | None) -> Domain:
    """A domain as ``find_domain`` answers it; with ``pod`` it must be one of that pod."""
    domain = find_domain(tx, scope, ref)
    if pod is not None and domain.pod_id != find_pod(tx, scope, pod).id:
        raise NotFound(
            f"there is no domain {ref[:255]!r} in this pod", fix="GET /pods/{pod_id}/domains lists them"
        )
    return domain


def domain_limit(tx: Tx, core: Core, organization: OrganizationId) -> int | None:
    """The organization's own limit, else the setting's; None for none."""
    own = own_domain_limit(tx, organization)
    return own if own is not None else core.settings.limits.domains or None
