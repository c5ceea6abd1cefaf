"""The agentmail REST API at ``/api/v0`` and ``/v0``: the spec document's contract and the official AgentMail SDKs'.

One module a resource, each with a ``table`` of endpoints; this package joins them into one dialect. Only
translation lives here: request structs to core calls, records to response shapes.
"""

from __future__ import annotations

from gateway.api.agentmail import (
    agent,
    aliases,
    api_keys,
    attachments,
    audit,
    domain_setup,
    domains,
    drafts,
    events,
    history,
    inboxes,
    lists,
    messages,
    metrics,
    organizations,
    pauses,
    pod_mail,
    pods,
    policy,
    polling,
    queue,
    reviews,
    rsvp,
    threads,
    wait,
    webhooks,
)
from gateway.api.agentmail.errors import ERROR_SCHEMA, render_error
from gateway.api.agentmail.events_view import render
from gateway.api.agentmail.socket import serve_socket
from gateway.api.dialect import Dialect
from gateway.api.routing import Table
from gateway.api.socket_auth import SOCKET
from gateway.events.dialect_format import Wire
from gateway.events.webhook_signing import sign


def _table() -> Table:
    table = Table()
    for part in (
        agent.table,
        aliases.table,
        api_keys.table,
        attachments.table,
        audit.table,
        domain_setup.table,
        domains.table,
        drafts.table,
        events.table,
        history.table,
        inboxes.table,
        lists.table,
        messages.table,
        metrics.table,
        organizations.table,
        pauses.table,
        pod_mail.table,
        pods.table,
        policy.table,
        polling.table,
        queue.table,
        reviews.table,
        rsvp.table,
        threads.table,
        wait.table,
        webhooks.table,
    ):
        table.include(part)
    return table


agentmail_dialect = Dialect(
    name="agentmail",
    prefix="/api/v0",
    also=("/v0",),
    title="AgentMail",
    table=_table(),
    render_error=render_error,
    error_schema=ERROR_SCHEMA,
    wire=lambda core: Wire(render=lambda event, attempt: render(event), sign=sign),
    socket=serve_socket,
    socket_access=SOCKET,
)
