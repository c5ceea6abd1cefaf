"""An account with pods, inboxes and a key of every kind, and a stranger: whom the permission matrix is tried on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.api_openmail.calls import call
from tests.support.gateway_process import GatewayProcess, Organization


@dataclass
class AccountTree:
    """Pod ``shop`` has inboxes ``own`` and ``sister``; the default pod has ``outside``.

    ``keys``: account; pod (of shop) and inbox (of own), made at ``/v1``; v0_pod and v0_inbox, the same made at
    ``/api/v0``; and foreign, the key of another account.
    """

    organization: Organization
    stranger: Organization
    pod: dict[str, Any]
    own: dict[str, Any]
    sister: dict[str, Any]
    outside: dict[str, Any]
    keys: dict[str, str] = field(default_factory=dict)

    def ids(self, inbox: dict[str, Any]) -> dict[str, str]:
        """What stands for the parameters of a path."""
        return {"pod_id": inbox["podId"], "inbox_id": inbox["id"]}


def settle(gateway: GatewayProcess) -> AccountTree:
    """Make one."""
    organization, stranger = gateway.new_organization(), gateway.new_organization()
    pod = call(organization, "POST", "pods", {"clientId": "shop"})
    own, sister = (call(organization, "POST", "inboxes", {"podId": "shop"}) for _ in range(2))
    outside = call(organization, "POST", "inboxes", {})
    made = AccountTree(organization, stranger, pod, own, sister, outside)
    made.keys = {
        "account": organization.api_key,
        "pod": call(organization, "POST", "pods/shop/api-keys", {})["token"],
        "inbox": call(organization, "POST", f"inboxes/{own['id']}/api-keys", {})["token"],
        "v0_pod": organization.call("POST", f"pods/{pod['id']}/api-keys", json={"name": "k"})["key"],
        "v0_inbox": organization.call("POST", f"inboxes/{own['id']}/api-keys", json={"name": "k"})["key"],
        "foreign": stranger.api_key,
    }
    return made
