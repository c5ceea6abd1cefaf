"""Who is acting: set while a request is served, so that the audit log can say who changed what.

::

    with acting(Actor("key", "agentmail", "create_inbox", organization=…)):
        …  # each write in here goes through store.audited_sql

A task that a request started and that outlives it does not act for it any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from gateway.records.audit import ActorKind
from gateway.records.ids import KeyId, OrganizationId

_NOBODY = OrganizationId("")


@dataclass(slots=True)
class Actor:
    """Who acts, by which operation (its name) of which interface, from where. ``over``: the request was answered."""

    kind: ActorKind
    via: str
    operation: str
    organization: OrganizationId = _NOBODY
    key_id: KeyId | None = None
    ip: str | None = None
    request_id: str | None = None
    over: bool = False


_current: ContextVar[Actor | None] = ContextVar("current_actor", default=None)


def current_actor() -> Actor | None:
    """Who acts at this moment; None: the gateway by itself."""
    actor = _current.get()
    return None if actor is None or actor.over else actor


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """What is written inside is this actor's doing."""
    token = _current.set(actor)
    try:
        yield
    finally:
        actor.over = True
        _current.reset(token)
