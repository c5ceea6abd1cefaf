"""GET /organizations and GET /auth/me."""

from __future__ import annotations

import msgspec

from gateway.api.agentmail.manage_views import OrganizationView, organization_view
from gateway.api.agentmail.views import inbox_name
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION, reads
from gateway.core.accounts import organizations
from gateway.records.ids import KEY_ID, ORGANIZATION_ID, POD_ID

table = Table("organizations")


class Identity(msgspec.Struct):
    """What a key belongs to."""

    scope_type: str
    scope_id: str
    organization_id: str
    pod_id: str | None
    inbox_id: str | None
    api_key_id: str | None


@table.get("/organizations", access=reads("metrics_read", kinds=ORGANIZATION))
async def get_organization(call: Call[NoBody, NoQuery]) -> OrganizationView:
    """Get the key's organization, with usage counts and limits."""
    return organization_view(await organizations.get(call.core, call.scope))


@table.get("/auth/me", access=reads())
async def who_am_i(call: Call[NoBody, NoQuery]) -> Identity:
    """Get the scope of the key."""
    scope = call.scope
    addresses = await call.core.addresses.of(call.core.store, [scope.inbox])
    organization, pod = ORGANIZATION_ID.public(scope.organization), POD_ID.public(scope.pod)
    inbox = inbox_name(scope.inbox, addresses) if scope.inbox else None
    return Identity(
        scope_type=scope.kind,
        scope_id=inbox or pod or organization,
        organization_id=organization,
        pod_id=pod,
        inbox_id=inbox,
        api_key_id=KEY_ID.public(scope.key_id),
    )
