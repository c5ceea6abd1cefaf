"""Pods: groups of inboxes."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.api.agentmail.manage_views import PodView, pod_view
from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION, ORGANIZATION_OR_POD, changes, reads
from gateway.core.accounts import pods

table = Table("pods")


class CreatePod(msgspec.Struct):
    """A new pod."""

    name: str | None = None
    client_id: str | None = None


class UpdatePod(msgspec.Struct):
    """Changes to a pod."""

    name: str | None = None


@table.post("/pods", status=201, access=changes("pod_create", kinds=ORGANIZATION))
async def create_pod(call: Call[CreatePod, NoQuery]) -> PodView:
    """Create a pod; a repeat with the same client_id returns the existing one with status 200."""
    pod, new = await pods.create(call.core, call.scope, name=call.body.name, client_id=call.body.client_id)
    if not new:
        call.status = 200
    return pod_view(pod)


@table.get("/pods", rows=("pods", PodView), access=reads("pod_read"))
async def list_pods(call: Call[NoBody, PageQuery]) -> dict[str, Any]:
    """List pods, newest first."""
    paging = read_paging(call.query, call.core.secret)
    found = await pods.list_pods(call.core, call.scope, paging.window)
    return answer(call, found, paging, "pods", pod_view)


@table.get("/pods/{pod_id}", access=reads("pod_read"))
async def get_pod(call: Call[NoBody, NoQuery]) -> PodView:
    """Get a pod."""
    return pod_view(await pods.get(call.core, call.scope, call.ids["pod_id"]))


@table.patch("/pods/{pod_id}", access=changes("pod_update", kinds=ORGANIZATION_OR_POD))
async def update_pod(call: Call[UpdatePod, NoQuery]) -> PodView:
    """Rename a pod."""
    update = pods.PodUpdate()
    if call.body.name and call.body.name.strip():
        update["name"] = call.body.name
    return pod_view(await pods.update(call.core, call.scope, call.ids["pod_id"], update))


@table.delete("/pods/{pod_id}", access=changes("pod_delete", kinds=ORGANIZATION))
async def delete_pod(call: Call[NoBody, NoQuery]) -> None:
    """Delete an empty pod."""
    await pods.delete(call.core, call.scope, call.ids["pod_id"])
