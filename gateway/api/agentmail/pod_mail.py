"""Threads and drafts of a pod: the organization-wide endpoints, limited to a pod."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from gateway.api.agentmail import attachments, drafts, threads
from gateway.api.agentmail.filters import Narrowing, SearchQuery, ThreadQuery
from gateway.api.agentmail.labels_body import LabelsBody
from gateway.api.agentmail.views import (
    AttachmentLink,
    DraftItem,
    DraftView,
    ThreadItem,
    ThreadUpdated,
    ThreadView,
)
from gateway.api.paging import PageQuery
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import changes, reads
from gateway.core.lookup import find_pod

table = Table("pods")

B = TypeVar("B")
Q = TypeVar("Q")

_POD = "/pods/{pod_id}"


async def _narrowed(call: Call[B, Q]) -> Call[B, Q]:
    """The call with the scope of a key of that pod."""
    pod = await call.core.store.read(lambda tx: find_pod(tx, call.scope, call.ids["pod_id"]))
    return replace(call, scope=replace(call.scope, pod=pod.id))


@table.get(f"{_POD}/threads", rows=("threads", ThreadItem), access=reads("message_read"))
async def list_pod_threads(call: Call[NoBody, ThreadQuery]) -> dict[str, Any]:
    """List the threads of a pod, latest activity first."""
    return await threads.list_threads(await _narrowed(call))


@table.get(f"{_POD}/threads/search", rows=("threads", ThreadItem), access=reads("message_read"))
async def search_pod_threads(call: Call[NoBody, SearchQuery]) -> dict[str, Any]:
    """Search the threads of a pod."""
    return await threads.search_threads(await _narrowed(call))


@table.get(f"{_POD}/threads/{{thread_id}}", access=reads("message_read"))
async def get_pod_thread(call: Call[NoBody, PageQuery]) -> ThreadView:
    """Get a thread of a pod with its messages."""
    return await threads.get_thread(await _narrowed(call))


@table.patch(f"{_POD}/threads/{{thread_id}}", access=changes("message_update", test="own"))
async def update_pod_thread(call: Call[LabelsBody, NoQuery]) -> ThreadUpdated:
    """Change the labels of a thread of a pod."""
    return await threads.update_thread(await _narrowed(call))


@table.delete(f"{_POD}/threads/{{thread_id}}", access=changes("message_delete", test="own"))
async def delete_pod_thread(call: Call[NoBody, NoQuery]) -> None:
    """Delete a thread of a pod."""
    await threads.delete_thread(await _narrowed(call))


@table.get(f"{_POD}/drafts", rows=("drafts", DraftItem), access=reads("draft_read"))
async def list_pod_drafts(call: Call[NoBody, Narrowing]) -> dict[str, Any]:
    """List the drafts of a pod."""
    return await drafts.list_drafts(await _narrowed(call))


@table.get(f"{_POD}/drafts/{{draft_id}}", access=reads("draft_read"))
async def get_pod_draft(call: Call[NoBody, NoQuery]) -> DraftView:
    """Get a draft of a pod."""
    return await drafts.get_draft(await _narrowed(call))


@table.get(f"{_POD}/threads/{{thread_id}}/attachments/{{attachment_id}}", access=reads("message_read"))
async def get_pod_thread_attachment(call: Call[NoBody, NoQuery]) -> AttachmentLink:
    """Get an attachment of any message of a thread of a pod."""
    return await attachments.of_thread(await _narrowed(call))


@table.get(f"{_POD}/drafts/{{draft_id}}/attachments/{{attachment_id}}", access=reads("draft_read"))
async def get_pod_draft_attachment(call: Call[NoBody, NoQuery]) -> AttachmentLink:
    """Get an attachment of a draft of a pod."""
    return await attachments.of_draft(await _narrowed(call))
