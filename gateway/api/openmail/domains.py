"""Custom domains: the DNS records to publish, and verification against live DNS (contract §11).

Upstream keeps these in its dashboard; the routes are ours. A domain serves the whole account, or one pod.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.api.openmail.offset_paging import OffsetQuery, Page, page, window_of
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.api.times import iso, iso_of
from gateway.core.access import ORGANIZATION, changes, reads
from gateway.core.domains import check as domains_check
from gateway.core.domains import domains
from gateway.core.domains import records as domains_records
from gateway.records.domains import Domain
from gateway.records.ids import POD_ID
from gateway.settings import Settings

table = Table("domains")

Doc = msgspec.Meta


class NewDomain(msgspec.Struct, rename="camel"):
    """A domain to add."""

    domain: str
    pod_id: Annotated[str | None, Doc(description="serve only this pod; by default the whole account")] = None


class AssignDomain(msgspec.Struct, rename="camel"):
    """Which pod has the domain."""

    pod_id: Annotated[str | None, Doc(description="null: the whole account")]


class RecordView(msgspec.Struct):
    """A DNS record to publish. ``status``: valid, invalid or missing when DNS was last asked."""

    type: str
    name: str
    value: str
    priority: int | None
    status: str


class DomainView(msgspec.Struct, rename="camel"):
    """A custom domain. ``status``: pending, invalid (a record is wrong) or verified."""

    id: str
    domain: str
    pod_id: str | None
    status: str
    records: list[RecordView]
    verified_at: str | None
    created_at: str


def domain_view(row: Domain, settings: Settings) -> DomainView:
    return DomainView(
        id=row.name,
        domain=row.name,
        pod_id=POD_ID.public(row.pod_id),
        status=row.status.lower(),
        records=[
            RecordView(one.type, one.name, one.value, one.priority, one.status.lower())
            for one in domains_records.records_of(settings, row)
        ],
        verified_at=iso(row.verified_at),
        created_at=iso_of(row.created_at),
    )


@table.post("/domains", status=201, access=changes("domain_create", kinds=ORGANIZATION))
async def create_domain(call: Call[NewDomain, NoQuery]) -> DomainView:
    """Add a domain; the answer names the DNS records to publish."""
    row, _ = await domains.create(call.core, call.scope, call.body.domain, pod=call.body.pod_id)
    return domain_view(row, call.core.settings)


@table.get("/domains", access=reads("domain_read", kinds=ORGANIZATION))
async def list_domains(call: Call[NoBody, OffsetQuery]) -> Page[DomainView]:
    """List the account's domains, newest first."""
    found = await domains.list_domains(call.core, call.scope, window_of(call.query))
    return page(found, lambda row: domain_view(row, call.core.settings))


@table.get("/domains/{domain}", access=reads("domain_read", kinds=ORGANIZATION))
async def get_domain(call: Call[NoBody, NoQuery]) -> DomainView:
    """Get a domain with its DNS records."""
    return domain_view(await domains.get(call.core, call.scope, call.ids["domain"]), call.core.settings)


@table.patch("/domains/{domain}", access=changes("domain_update", kinds=ORGANIZATION))
async def assign_domain(call: Call[AssignDomain, NoQuery]) -> DomainView:
    """Give a domain to one pod, or to the whole account."""
    row = await domains.assign(call.core, call.scope, call.ids["domain"], call.body.pod_id)
    return domain_view(row, call.core.settings)


@table.post("/domains/{domain}/verify", access=changes("domain_update", kinds=ORGANIZATION))
async def verify_domain(call: Call[NoBody, NoQuery]) -> DomainView:
    """Ask DNS about every record now; verified only when all are valid."""
    return domain_view(
        await domains_check.verify(call.core, call.scope, call.ids["domain"]), call.core.settings
    )


@table.delete("/domains/{domain}", access=changes("domain_delete", kinds=ORGANIZATION))
async def delete_domain(call: Call[NoBody, NoQuery]) -> None:
    """Delete a domain that has no inboxes left."""
    await domains.delete(call.core, call.scope, call.ids["domain"])
