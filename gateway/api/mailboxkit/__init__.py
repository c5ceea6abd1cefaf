"""MailboxKit's API at ``/api/v1``: success under ``data``, lists with ``meta`` and ``links``, numbers as ids.

Each resource has a module with a ``table`` of endpoints; this package joins them into one dialect. It only translates:
request structs to core calls, records to response shapes.
"""

from __future__ import annotations

from gateway.api import downloads
from gateway.api.dialect import Dialect
from gateway.api.mailboxkit import (
    api_keys,
    domains,
    history,
    inboxes,
    messages,
    organization,
    register,
    rsvp,
    search,
    send,
    threads,
    wait,
    wallet,
    webhooks,
)
from gateway.api.mailboxkit.errors import ERROR_SCHEMA, render_error
from gateway.api.mailboxkit.idempotency import once
from gateway.api.mailboxkit.limits import request_limits
from gateway.api.mailboxkit.wire import mailboxkit_wire
from gateway.api.routing import Table

_PARTS: tuple[Table, ...] = (
    api_keys.table,
    domains.table,
    history.table,
    downloads.table,
    inboxes.table,
    messages.table,
    organization.table,
    register.table,
    rsvp.table,
    search.table,
    send.table,
    threads.table,
    wait.table,
    wallet.table,
    webhooks.table,
)


def _table() -> Table:
    table = Table()
    for part in _PARTS:
        table.include(part)
    return table


mailboxkit_dialect = Dialect(
    name="mailboxkit",
    prefix="/api/v1",
    title="MailboxKit",
    table=_table(),
    render_error=render_error,
    error_schema=ERROR_SCHEMA,
    wire=lambda core: mailboxkit_wire(core.settings, core.secret),
    around=once,
    limits=request_limits,
)
