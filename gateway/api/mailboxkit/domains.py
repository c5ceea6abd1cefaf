"""Domains (contract, "Domains"): adding and deleting them, checking DNS, listing the records to publish.

``{domain_id}`` is a domain's id, or its name.
"""

from __future__ import annotations

import msgspec

from gateway.api.mailboxkit.errors import fields
from gateway.api.mailboxkit.idempotency import own_id
from gateway.api.mailboxkit.listing import Data, PageQuery, Rows, listed, window_of
from gateway.api.mailboxkit.resource_views import DnsView, DomainView, dns_view, domain_view
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION_OR_POD, changes, reads
from gateway.core.domains import check as domains_check
from gateway.core.domains import domains

table = Table("domains")


class CreateDomain(msgspec.Struct):
    """A domain to add."""

    name: str


@table.post("/domains", status=201, access=changes("domain_create", kinds=ORGANIZATION_OR_POD))
async def create_domain(call: Call[CreateDomain, NoQuery]) -> Data[DomainView]:
    """Add a domain. ``GET /domains/{id}/dns`` lists the DNS records to publish."""
    with fields(domain="name"):
        domain, _ = await domains.create(call.core, call.scope, call.body.name, client_id=own_id(call))
    return Data(domain_view(domain, call.core.settings))


@table.get("/domains", access=reads("domain_read", kinds=ORGANIZATION_OR_POD))
async def list_domains(call: Call[NoBody, PageQuery]) -> Rows[DomainView]:
    """List domains, newest first."""
    window = window_of(call.query)
    found = await domains.list_domains(call.core, call.scope, window)
    return listed(call, window, found, lambda domain: domain_view(domain, call.core.settings))


@table.get("/domains/{domain_id}", access=reads("domain_read", kinds=ORGANIZATION_OR_POD))
async def get_domain(call: Call[NoBody, NoQuery]) -> Data[DomainView]:
    """Get a domain with the result of its last DNS check."""
    domain = await domains.get(call.core, call.scope, call.ids["domain_id"])
    return Data(domain_view(domain, call.core.settings))


@table.delete("/domains/{domain_id}", access=changes("domain_delete", kinds=ORGANIZATION_OR_POD))
async def delete_domain(call: Call[NoBody, NoQuery]) -> None:
    """Delete a domain. It must have no inboxes."""
    await domains.delete(call.core, call.scope, call.ids["domain_id"])


@table.post("/domains/{domain_id}/verify", access=changes("domain_update", kinds=ORGANIZATION_OR_POD))
async def verify_domain(call: Call[NoBody, NoQuery]) -> Data[DomainView]:
    """Check the MX, SPF, DKIM and DMARC records in DNS now. A domain is verified without DMARC, too."""
    domain = await domains_check.verify(call.core, call.scope, call.ids["domain_id"])
    return Data(domain_view(domain, call.core.settings))


@table.get("/domains/{domain_id}/dns", access=reads("domain_read", kinds=ORGANIZATION_OR_POD))
async def get_domain_dns(call: Call[NoBody, NoQuery]) -> Data[DnsView]:
    """Get the DNS records to publish."""
    domain = await domains.get(call.core, call.scope, call.ids["domain_id"])
    return Data(dns_view(domain, call.core.settings))
