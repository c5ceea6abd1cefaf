"""API keys of the organization, a pod or an inbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from gateway.api.agentmail.manage_views import KeyView, NewKeyView, key_view, new_key_view
from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.api.times import parse_time
from gateway.core.access import changes, reads
from gateway.core.accounts import keys
from gateway.core.errors import Invalid
from gateway.records.accounts import ApiKey
from gateway.records.ids import InboxId

table = Table("api-keys")

Doc = msgspec.Meta
Permissions = dict[str, bool | None]


class CreateKey(msgspec.Struct):
    """A new API key."""

    name: Annotated[str | None, Doc(description="required; the SDKs may leave it out")] = None
    permissions: Annotated[Permissions | None, Doc(description="the permissions granted; default: all")] = (
        None
    )
    expires_at: str | None = None
    pod_id: Annotated[str | None, Doc(description="limit the key to a pod")] = None
    inbox_id: Annotated[str | None, Doc(description="limit the key to an inbox")] = None


class UpdateKey(msgspec.Struct):
    """Changes to an API key; fields left out stay as they are."""

    name: str | UnsetType = UNSET
    permissions: Permissions | UnsetType | None = UNSET


_ALSO = ["/pods/{pod_id}/api-keys", "/inboxes/{inbox_id}/api-keys"]
_ONE = [f"{path}/{{key_id}}" for path in _ALSO]


def _granted(permissions: Permissions | None) -> list[str] | None:
    return None if permissions is None else [name for name, yes in permissions.items() if yes]


@table.post("/api-keys", status=201, also=_ALSO, access=changes("api_key_create", test="any"))
async def create_key(call: Call[CreateKey, NoQuery]) -> NewKeyView:
    """Create an API key; the key itself is shown only here."""
    name = call.body.name
    if name is None and call.from_sdk:
        name = "API key"  # C8: the SDKs need no name
    if not name or not name.strip():
        raise Invalid("name is required", field="name", fix="give the key a name")
    record, key = await keys.create(
        call.core,
        call.scope,
        name=name,
        pod=call.ids.get("pod_id", call.body.pod_id),
        inbox=call.ids.get("inbox_id", call.body.inbox_id),
        permissions=_granted(call.body.permissions),
        expires_at=parse_time(call.body.expires_at, "expires_at"),
    )
    return new_key_view(record, key, await _addresses(call, [record]))


@table.get("/api-keys", rows=("api_keys", KeyView), also=_ALSO, access=reads("api_key_read"))
async def list_keys(call: Call[NoBody, PageQuery]) -> dict[str, Any]:
    """List API keys; only prefixes are shown."""
    paging = read_paging(call.query, call.core.secret)
    found = await keys.list_keys(
        call.core, call.scope, paging.window, pod=call.ids.get("pod_id"), inbox=call.ids.get("inbox_id")
    )
    view = partial(key_view, addresses=await _addresses(call, found.rows))
    return answer(call, found, paging, "api_keys", view)


@table.get("/api-keys/{key_id}", also=_ONE, access=reads("api_key_read", test="own"))
async def get_key(call: Call[NoBody, NoQuery]) -> KeyView:
    """Get an API key's record."""
    api_key = await keys.get(call.core, call.scope, call.ids["key_id"], **_under(call))
    return key_view(api_key, await _addresses(call, [api_key]))


@table.patch("/api-keys/{key_id}", also=_ONE, access=changes("api_key_update", test="own"))
async def update_key(call: Call[UpdateKey, NoQuery]) -> KeyView:
    """Change an API key's name or permissions."""
    update = keys.KeyUpdate()
    if not isinstance(call.body.name, UnsetType):
        update["name"] = call.body.name
    if not isinstance(call.body.permissions, UnsetType):
        update["permissions"] = _granted(call.body.permissions)
    api_key = await keys.update(call.core, call.scope, call.ids["key_id"], update, **_under(call))
    return key_view(api_key, await _addresses(call, [api_key]))


@table.delete("/api-keys/{key_id}", also=_ONE, access=changes("api_key_delete", test="own"))
async def delete_key(call: Call[NoBody, NoQuery]) -> None:
    """Revoke an API key, at once."""
    await keys.delete(call.core, call.scope, call.ids["key_id"], **_under(call))


def _under(call: Call[Any, Any]) -> dict[str, str | None]:
    """The pod or inbox of the path, whose keys alone are searched."""
    return {"pod": call.ids.get("pod_id"), "inbox": call.ids.get("inbox_id")}


async def _addresses(call: Call[Any, Any], api_keys: Iterable[ApiKey]) -> Mapping[InboxId, str]:
    return await call.core.addresses.of(call.core.store, [one.inbox_id for one in api_keys])
