"""Who acts in a request, for the audit log."""

from __future__ import annotations

from starlette.requests import Request

from gateway.store.acting import Actor
from gateway.store.scope import Scope


def actor_of(request: Request, scope: Scope | None, via: str, operation: str, request_id: str) -> Actor:
    """The actor of a request. ``scope``: of its key; None: it has none, and registers somebody."""
    ip = request.client.host if request.client else None
    if scope is None or not scope.organization:
        return Actor("registration", via, operation, ip=ip, request_id=request_id)
    return Actor(
        "operator" if scope.operator else "key",
        via,
        operation,
        organization=scope.organization,
        key_id=scope.key_id,
        ip=ip,
        request_id=request_id,
    )
