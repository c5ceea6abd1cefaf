"""The agentmail REST API at ``/api/v0``: the spec document's contract and the official AgentMail SDKs'.

One module a resource, each with a ``table`` of endpoints; this package joins them into one dialect. Only
translation lives here: request structs to core calls, rows to response shapes.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from starlette.routing import BaseRoute

from gateway.api.agentmail.errors import render_error
from gateway.api.dialect import Dialect
from gateway.api.routing import Table
from gateway.core.context import Core

_RESOURCES = ("messages", "batch", "attachments", "threads", "drafts", "search")


def _table() -> Table:
    table = Table()
    for name in _RESOURCES:
        if find_spec(f"{__name__}.{name}") is not None:
            table.include(import_module(f"{__name__}.{name}").table)
    return table


agentmail_dialect = Dialect(
    name="agentmail",
    prefix="/api/v0",
    title="agentmail",
    table=_table(),
    render_error=render_error,
)


def agentmail_routes(core: Core) -> list[BaseRoute]:
    """The routes of the dialect, for a Starlette application."""
    return agentmail_dialect.routes(core)
