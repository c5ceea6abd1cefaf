"""Pauses: nothing of an inbox, a pod, an organization or the whole server leaves while one holds. The routes are
Postern's own; ``postern pause`` and ``postern resume`` use them, with the operator's key for any organization.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.api.agentmail.manage_views import PauseView, pause_view
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION, ORGANIZATION_OR_POD, changes, operator_only, reads
from gateway.core.sending import pauses
from gateway.core.sending.pauses import NamedPause

table = Table("Pauses")
Doc = msgspec.Meta

_FIX = "run `postern pause` and `postern resume` on the gateway's machine"


class Pausing(msgspec.Struct):
    """Why it is paused."""

    reason: Annotated[
        str | None, Doc(description="shown to everybody who asks why nothing leaves; 500 characters at most")
    ] = None


class PauseState(msgspec.Struct):
    """Whether what is named may send."""

    paused: Annotated[bool, Doc(description="true: nothing leaves; what is sent is accepted and waits")]
    pauses: Annotated[list[PauseView], Doc(description="what holds it back, the widest first")]


class Pauses(msgspec.Struct):
    """The pauses that hold, the newest first; a thousand at most."""

    pauses: Annotated[list[PauseView], Doc(description="the pauses, the newest first")]


@table.get("/inboxes/{inbox_id}/pause", access=reads("inbox_read"))
async def get_inbox_pause(call: Call[NoBody, NoQuery]) -> PauseState:
    """Whether an inbox is paused: by itself, or with its pod, its organization or the server."""
    return _state(await pauses.get(call.core, call.scope, pauses.of_inbox(call.ids["inbox_id"])))


@table.post("/inboxes/{inbox_id}/pause", access=changes("inbox_update"))
async def pause_inbox(call: Call[Pausing, NoQuery]) -> PauseState:
    """Let nothing of an inbox leave until it is resumed. New sends are accepted and wait; mail still comes in."""
    find = pauses.of_inbox(call.ids["inbox_id"])
    return _state(await pauses.pause(call.core, call.scope, find, call.body.reason))


@table.delete("/inboxes/{inbox_id}/pause", access=changes("inbox_update", kinds=ORGANIZATION_OR_POD))
async def resume_inbox(call: Call[NoBody, NoQuery]) -> PauseState:
    """End the inbox's own pause; the answer says what still holds it back. A key of an inbox may not do this."""
    return _state(await pauses.resume(call.core, call.scope, pauses.of_inbox(call.ids["inbox_id"])))


@table.get("/pods/{pod_id}/pause", access=reads("pod_read"))
async def get_pod_pause(call: Call[NoBody, NoQuery]) -> PauseState:
    """Whether a pod is paused: by itself, or with its organization or the server."""
    return _state(await pauses.get(call.core, call.scope, pauses.of_pod(call.ids["pod_id"])))


@table.post("/pods/{pod_id}/pause", access=changes("pod_update", kinds=ORGANIZATION_OR_POD))
async def pause_pod(call: Call[Pausing, NoQuery]) -> PauseState:
    """Let nothing of a pod's inboxes leave until it is resumed."""
    find = pauses.of_pod(call.ids["pod_id"])
    return _state(await pauses.pause(call.core, call.scope, find, call.body.reason))


@table.delete("/pods/{pod_id}/pause", access=changes("pod_update", kinds=ORGANIZATION_OR_POD))
async def resume_pod(call: Call[NoBody, NoQuery]) -> PauseState:
    """End the pod's own pause; the answer says what still holds it back."""
    return _state(await pauses.resume(call.core, call.scope, pauses.of_pod(call.ids["pod_id"])))


@table.get("/organizations/pause", access=reads("metrics_read", kinds=ORGANIZATION))
async def get_own_pause(call: Call[NoBody, NoQuery]) -> PauseState:
    """Whether the key's organization is paused: by itself, or with the server."""
    return _state(await pauses.get(call.core, call.scope, pauses.of_organization()))


@table.post("/organizations/pause", access=changes("inbox_update", "pod_update", kinds=ORGANIZATION))
async def pause_own_organization(call: Call[Pausing, NoQuery]) -> PauseState:
    """Let nothing of the key's organization leave until it is resumed."""
    return _state(await pauses.pause(call.core, call.scope, pauses.of_organization(), call.body.reason))


@table.delete("/organizations/pause", access=changes("inbox_update", "pod_update", kinds=ORGANIZATION))
async def resume_own_organization(call: Call[NoBody, NoQuery]) -> PauseState:
    """End the organization's own pause; the answer says what still holds it back."""
    return _state(await pauses.resume(call.core, call.scope, pauses.of_organization()))


@table.post("/organizations/{organization_id}/pause", access=operator_only(_FIX))
async def pause_organization(call: Call[Pausing, NoQuery]) -> PauseState:
    """Let nothing of an organization leave until it is resumed; the operator does this for any."""
    find = pauses.of_organization(call.ids["organization_id"])
    return _state(await pauses.pause(call.core, call.scope, find, call.body.reason))


@table.delete("/organizations/{organization_id}/pause", access=operator_only(_FIX))
async def resume_organization(call: Call[NoBody, NoQuery]) -> PauseState:
    """End an organization's pause, whoever began it."""
    find = pauses.of_organization(call.ids["organization_id"])
    return _state(await pauses.resume(call.core, call.scope, find))


@table.post("/server/pause", access=operator_only(_FIX))
async def pause_server(call: Call[Pausing, NoQuery]) -> PauseState:
    """Let nothing at all leave until it is resumed."""
    return _state(await pauses.pause(call.core, call.scope, pauses.of_server(), call.body.reason))


@table.delete("/server/pause", access=operator_only(_FIX))
async def resume_server(call: Call[NoBody, NoQuery]) -> PauseState:
    """End the server's pause. Organizations, pods and inboxes that are paused themselves stay so."""
    return _state(await pauses.resume(call.core, call.scope, pauses.of_server()))


@table.get("/pauses", access=reads("inbox_read"))
async def list_pauses(call: Call[NoBody, NoQuery]) -> Pauses:
    """List the pauses that hold for what the key reaches, the newest first."""
    return Pauses([pause_view(one.pause, one.name) for one in await pauses.list_all(call.core, call.scope)])


def _state(found: list[NamedPause]) -> PauseState:
    return PauseState(bool(found), [pause_view(one.pause, one.name) for one in found])
