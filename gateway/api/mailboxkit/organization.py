"""The organization of the key (contract, "Endpoints")."""

from __future__ import annotations

from gateway.api.mailboxkit.listing import Data
from gateway.api.mailboxkit.resource_views import OrganizationView, organization_view
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION, reads
from gateway.core.accounts import organizations

table = Table("organization")


@table.get("/organization", access=reads("metrics_read", kinds=ORGANIZATION))
async def get_organization(call: Call[NoBody, NoQuery]) -> Data[OrganizationView]:
    """Get the organization and how many inboxes, messages and domains it has."""
    return Data(organization_view(await organizations.get(call.core, call.scope)))
