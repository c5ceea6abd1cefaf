"""API keys of a pod or an inbox (contract §2, §7). Only an account-wide key makes, lists or revokes them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.api.openmail.guards import INBOX_KEY, POD_KEY
from gateway.api.openmail.resource_views import ApiKeysView, ApiKeyView, api_key_view
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION, changes, reads
from gateway.core.accounts import held_keys
from gateway.core.accounts.held_keys import Holder

table = Table("api-keys")

PREFIX = "om_"
MAX_KEYS = 20
"""Of a pod, and of an inbox; an inbox's do not count among its pod's."""

_OF_POD, _OF_INBOX = "/pods/{pod_id}/api-keys", "/inboxes/{inbox_id}/api-keys"


class CreateApiKey(msgspec.Struct):
    """A key to make."""

    name: Annotated[str, msgspec.Meta(max_length=255)] | None = None


def _holder(call: Call[Any, Any]) -> Holder:
    return Holder(pod=call.ids.get("pod_id"), inbox=call.ids.get("inbox_id"))


@table.post(
    _OF_POD, also=[_OF_INBOX], status=201, access=changes("api_key_create", kinds=ORGANIZATION, test="any")
)
async def create_api_key(call: Call[CreateApiKey, NoQuery]) -> ApiKeyView:
    """Make a key that reaches this pod, or this inbox, only; ``token`` is shown here and never again."""
    holder = _holder(call)
    row, token = await held_keys.mint(
        call.core,
        call.scope,
        holder,
        name=call.body.name,
        prefix=PREFIX,
        permissions=INBOX_KEY if holder.inbox is not None else POD_KEY,
        most=MAX_KEYS,
    )
    return api_key_view(row, token)


@table.get(_OF_POD, also=[_OF_INBOX], access=reads("api_key_read", kinds=ORGANIZATION))
async def list_api_keys(call: Call[NoBody, NoQuery]) -> ApiKeysView:
    """List the keys of this pod, or of this inbox."""
    rows = await held_keys.held(call.core, call.scope, _holder(call))
    return ApiKeysView([api_key_view(row) for row in rows])


@table.delete(
    _OF_POD + "/{key_id}",
    also=[_OF_INBOX + "/{key_id}"],
    access=changes("api_key_delete", kinds=ORGANIZATION, test="own"),
)
async def delete_api_key(call: Call[NoBody, NoQuery]) -> None:
    """Revoke a key: its next request is refused and its sockets are closed."""
    await held_keys.revoke(call.core, call.scope, _holder(call), call.ids["key_id"])
