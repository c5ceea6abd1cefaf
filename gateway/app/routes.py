"""The routes of the application: those that every process answers, and those of role ``api``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.routing import BaseRoute

from gateway.api.agentmail import agentmail_dialect
from gateway.api.health import Lag
from gateway.api.mailboxkit import mailboxkit_dialect
from gateway.api.opened_pixel import opened_routes
from gateway.api.openmail import openmail_dialect
from gateway.api.operator import Refresh, operator_routes
from gateway.api.operator_self_test import self_test_routes
from gateway.api.operator_status import status_routes
from gateway.api.relay_hooks import relay_hook_routes
from gateway.api.review_page import review_routes
from gateway.api.route_access import with_access
from gateway.api.system import system_routes
from gateway.api.unsubscribe import unsubscribe_routes
from gateway.api.well_known import well_known_routes
from gateway.core.access import OPEN, OPERATOR
from gateway.core.context import Core
from gateway.mcp.endpoint import McpRoute

DIALECTS = [agentmail_dialect, openmail_dialect, mailboxkit_dialect]


def own_routes(
    core: Core,
    refresh: Refresh,
    lags: Mapping[str, Lag],
    watched: Callable[[], tuple[int, int]] | None = None,
) -> list[BaseRoute]:
    """What every process answers, whatever its roles. ``watched``: how many inboxes it watches, and how many wait."""
    return [
        *with_access(core, OPERATOR, operator_routes(core, refresh)),
        *with_access(core, OPERATOR, self_test_routes(core)),
        *with_access(core, OPERATOR, status_routes(core)),
        *with_access(core, OPEN, system_routes(core, lags, DIALECTS, watched)),
    ]


def api_routes(core: Core, mcp: McpRoute) -> list[BaseRoute]:
    """What clients ask for; a dialect's endpoints and MCP's tools declare their access themselves."""
    return [
        *with_access(core, OPEN, unsubscribe_routes(core)),
        *with_access(core, OPEN, review_routes(core)),
        *with_access(core, OPEN, well_known_routes(core)),
        *with_access(core, OPEN, opened_routes(core)),
        *with_access(core, OPEN, relay_hook_routes(core)),
        *([mcp] if core.settings.mcp.enabled else []),
        *(route for one in DIALECTS for route in one.routes(core)),
    ]
