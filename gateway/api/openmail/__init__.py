"""OpenMail's API at ``/v1``: mailboxes for agents, in the shapes of its documents and clients.

One module a resource, each with a ``table`` of endpoints; this package joins them into one dialect. Only
translation lives here: request structs to core calls, rows to response shapes.
"""

from __future__ import annotations

from gateway.api.dialect import Dialect
from gateway.api.openmail import (
    account_keys,
    account_webhook,
    api_keys,
    attachments,
    cli_logins,
    domains,
    feedback,
    history,
    inbox_webhook,
    inboxes,
    me,
    messages,
    pods,
    policy,
    reputation,
    rsvp,
    send,
    sender_rules,
    suppressions,
    threads,
    usage,
    wait,
)
from gateway.api.openmail.errors import ERROR_SCHEMA, render_error
from gateway.api.openmail.socket import serve_socket
from gateway.api.openmail.wire import openmail_wire
from gateway.api.routing import Table
from gateway.api.socket_auth import SOCKET

_PARTS: tuple[Table, ...] = (
    account_keys.table,
    account_webhook.table,
    api_keys.table,
    attachments.table,
    cli_logins.table,
    domains.table,
    feedback.table,
    history.table,
    inbox_webhook.table,
    inboxes.table,
    me.table,
    messages.table,
    pods.table,
    policy.table,
    reputation.table,
    rsvp.table,
    send.table,
    sender_rules.table,
    suppressions.table,
    threads.table,
    usage.table,
    wait.table,
)


def _table() -> Table:
    table = Table()
    for part in _PARTS:
        table.include(part)
    return table


openmail_dialect = Dialect(
    name="openmail",
    prefix="/v1",
    title="OpenMail",
    table=_table(),
    render_error=render_error,
    error_schema=ERROR_SCHEMA,
    blind=frozenset({"blocked"}),  # what a sender rule filters vanishes
    wire=lambda core: openmail_wire(core.settings),
    socket=serve_socket,
    socket_access=SOCKET,
    socket_path="/ws",
)
