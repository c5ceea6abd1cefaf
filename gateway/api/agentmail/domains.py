"""Domains: DNS records to publish, and verification against live DNS."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from starlette.responses import PlainTextResponse, Response

from gateway.api.agentmail.manage_views import DomainView, domain_view
from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION_OR_POD, changes, reads
from gateway.core.domains import check as domains_check
from gateway.core.domains import domains
from gateway.core.domains import records as domains_records

table = Table("domains")


class CreateDomain(msgspec.Struct):
    """A domain to add."""

    domain: str
    feedback_enabled: bool | None = True
    subdomains_enabled: bool | None = False
    client_id: str | None = None


class UpdateDomain(msgspec.Struct):
    """What of a domain to change; what is left out stays."""

    feedback_enabled: bool | None = None
    subdomains_enabled: bool | None = None


class DomainsQuery(PageQuery):
    platform: Annotated[
        bool, msgspec.Meta(description="also list the platform's own domain, on which every inbox may be")
    ] = False


@table.post(
    "/domains",
    status=201,
    also=["/pods/{pod_id}/domains"],
    access=changes("domain_create", kinds=ORGANIZATION_OR_POD),
)
async def create_domain(call: Call[CreateDomain, NoQuery]) -> DomainView:
    """Add a domain; the answer names the DNS records to publish."""
    body = call.body
    domain, new = await domains.create(
        call.core,
        call.scope,
        body.domain,
        feedback=body.feedback_enabled is not False,
        subdomains=bool(body.subdomains_enabled),
        client_id=body.client_id,
        pod=call.ids.get("pod_id"),
    )
    if not new:
        call.status = 200
    return domain_view(domain, call.core.settings)


@table.get(
    "/domains",
    rows=("domains", DomainView),
    also=["/pods/{pod_id}/domains"],
    access=reads("domain_read", kinds=ORGANIZATION_OR_POD),
)
async def list_domains(call: Call[NoBody, DomainsQuery]) -> dict[str, Any]:
    """List domains with their records and status."""
    paging = read_paging(call.query, call.core.secret)
    found = await domains.list_domains(
        call.core, call.scope, paging.window, pod=call.ids.get("pod_id"), platform=call.query.platform
    )
    settings = call.core.settings
    return answer(call, found, paging, "domains", lambda domain: domain_view(domain, settings))


@table.get(
    "/domains/{domain_id}",
    also=["/pods/{pod_id}/domains/{domain_id}"],
    access=reads("domain_read", kinds=ORGANIZATION_OR_POD),
)
async def get_domain(call: Call[NoBody, NoQuery]) -> DomainView:
    """Get a domain with its DNS records."""
    await _in_pod(call)
    return domain_view(await domains.get(call.core, call.scope, call.ids["domain_id"]), call.core.settings)


@table.patch(
    "/domains/{domain_id}",
    also=["/pods/{pod_id}/domains/{domain_id}"],
    access=changes("domain_update", kinds=ORGANIZATION_OR_POD),
)
async def update_domain(call: Call[UpdateDomain, NoQuery]) -> DomainView:
    """Change feedback_enabled or subdomains_enabled."""
    await _in_pod(call)
    update = domains.DomainUpdate()
    if call.body.feedback_enabled is not None:
        update["feedback_enabled"] = call.body.feedback_enabled
    if call.body.subdomains_enabled is not None:
        update["subdomains_enabled"] = call.body.subdomains_enabled
    domain = await domains.update(call.core, call.scope, call.ids["domain_id"], update)
    return domain_view(domain, call.core.settings)


@table.delete(
    "/domains/{domain_id}",
    also=["/pods/{pod_id}/domains/{domain_id}"],
    access=changes("domain_delete", kinds=ORGANIZATION_OR_POD),
)
async def delete_domain(call: Call[NoBody, NoQuery]) -> None:
    """Delete a domain that has no inboxes left."""
    await _in_pod(call)
    await domains.delete(call.core, call.scope, call.ids["domain_id"])


@table.post(
    "/domains/{domain_id}/verify",
    also=["/pods/{pod_id}/domains/{domain_id}/verify"],
    access=changes("domain_update", kinds=ORGANIZATION_OR_POD),
)
async def verify_domain(call: Call[NoBody, NoQuery]) -> DomainView:
    """Ask DNS about every record now; the status is VERIFIED only when all are valid."""
    await _in_pod(call)
    return domain_view(
        await domains_check.verify(call.core, call.scope, call.ids["domain_id"]), call.core.settings
    )


@table.get(
    "/domains/{domain_id}/zone-file",
    also=["/pods/{pod_id}/domains/{domain_id}/zone-file"],
    access=reads("domain_read", kinds=ORGANIZATION_OR_POD),
)
async def get_zone_file(call: Call[NoBody, NoQuery]) -> Response:
    """The records as a zone file."""
    await _in_pod(call)
    domain = await domains.get(call.core, call.scope, call.ids["domain_id"])
    name = f'attachment; filename="{domain.name}.zone"'
    return PlainTextResponse(
        domains_records.zone_file(call.core.settings, domain), headers={"Content-Disposition": name}
    )


async def _in_pod(call: Call[Any, Any]) -> None:
    """Under a pod's path a domain of another pod, or of the whole organization, does not exist."""
    pod, ref = call.ids.get("pod_id"), call.ids["domain_id"]
    if pod is not None:
        await call.core.store.read(lambda tx: domains.find_domain_of(tx, call.scope, ref, pod))
