"""Pods (contract §2). ``{pod_id}`` is a pod's id or the caller's own ``clientId``."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from gateway.api.openmail.offset_paging import OffsetQuery, Page, page, window_of
from gateway.api.openmail.resource_views import PodView, pod_view
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION, ORGANIZATION_OR_POD, changes, reads
from gateway.core.accounts import pods

table = Table("pods")

_ClientId = Annotated[
    str, msgspec.Meta(max_length=255, description="your own id of it, unique in the account")
]
_Name = Annotated[str, msgspec.Meta(max_length=255)]


class CreatePod(msgspec.Struct, rename="camel"):
    """A pod to make."""

    client_id: _ClientId | None = None
    name: _Name | None = None


class UpdatePod(msgspec.Struct, rename="camel"):
    """What is absent stays, null clears."""

    client_id: _ClientId | UnsetType | None = UNSET
    name: _Name | UnsetType | None = UNSET


@table.post("/pods", status=201, access=changes("pod_create", kinds=ORGANIZATION))
async def create_pod(call: Call[CreatePod, NoQuery]) -> PodView:
    """Create a pod."""
    body = call.body
    row, new = await pods.create(call.core, call.scope, name=body.name, client_id=body.client_id)
    if not new:
        raise pods.duplicate_client_id(body.client_id)
    return pod_view(row)


@table.get("/pods", access=reads("pod_read", kinds=ORGANIZATION_OR_POD))
async def list_pods(call: Call[NoBody, OffsetQuery]) -> Page[PodView]:
    """List pods, the default first, then newest first."""
    window = window_of(call.query)
    return page(await pods.list_pods(call.core, call.scope, window, default_first=True), pod_view)


@table.get("/pods/{pod_id}", access=reads("pod_read", kinds=ORGANIZATION_OR_POD))
async def get_pod(call: Call[NoBody, NoQuery]) -> PodView:
    """Get a pod."""
    return pod_view(await pods.get(call.core, call.scope, call.ids["pod_id"]))


@table.patch("/pods/{pod_id}", access=changes("pod_update", kinds=ORGANIZATION))
async def update_pod(call: Call[UpdatePod, NoQuery]) -> PodView:
    """Change a pod's name or client id."""
    update = pods.PodUpdate()
    if not isinstance(call.body.name, UnsetType):
        update["name"] = call.body.name
    if not isinstance(call.body.client_id, UnsetType):
        update["client_id"] = call.body.client_id
    return pod_view(await pods.update(call.core, call.scope, call.ids["pod_id"], update))


@table.delete("/pods/{pod_id}", access=changes("pod_delete", kinds=ORGANIZATION))
async def delete_pod(call: Call[NoBody, NoQuery]) -> None:
    """Delete a pod that has no inbox and no domain and is not the default."""
    await pods.delete(call.core, call.scope, call.ids["pod_id"])
