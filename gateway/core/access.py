"""What an operation needs of the key that asks for it: declared once beside each route, tool and WebSocket, and
refused there, before the operation runs.

::

    @table.get("/domains", access=reads("domain_read", kinds=ORGANIZATION_OR_POD))
    @table.post("/pods", access=changes("pod_create", kinds=ORGANIZATION))
    @table.patch("/drafts/{draft_id}", access=changes("draft_update", test="own"))

Three things are declared. ``kinds``: whether a key of the whole organization, of one pod or of one inbox may do it at
all; which rows it reaches is still the look-ups' to say (``core.lookup``). ``permissions``: all of them are needed.
``test``: what a sandbox key may do, see :data:`TestKeys`.

The order of refusals: another organization's id is 404 for everybody; the kind, the sandbox and the permission are
403. What an operation does to a row is checked once more where the row is read (``lookup.require_own_test``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from gateway.core.accounts.keys import find_key
from gateway.core.domains.domains import find_domain
from gateway.core.errors import Forbidden
from gateway.core.lookup import find_inbox, find_pod, find_thread, require
from gateway.store.engine import Store
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

TestKeys = Literal["any", "own", "none"]
"""What a sandbox key may do. ``any``: as a live key does, because nothing live changes (it reads, or what it makes is
a test thing itself: a recorded send, a draft, a key, a webhook of test events). ``own``: the same on test rows only.
``none``: nothing, for the thing is live whoever asks (an inbox, its password, a domain, a pod, a list)."""

EVERY_KIND = frozenset({"organization", "pod", "inbox"})
ORGANIZATION_OR_POD = frozenset({"organization", "pod"})
ORGANIZATION = frozenset({"organization"})


@dataclass(frozen=True, slots=True)
class Access:
    """What a key needs. ``open``: no key at all. ``operator``: the key of the gateway's own machine, whose commands
    ``fix`` names for everybody else."""

    permissions: tuple[str, ...] = ()
    kinds: frozenset[str] = EVERY_KIND
    test: TestKeys = "none"
    operator: bool = False
    open: bool = False
    fix: str | None = None


def reads(*permissions: str, kinds: frozenset[str] = EVERY_KIND, test: TestKeys = "any") -> Access:
    """An operation that changes nothing."""
    return Access(permissions, kinds, test)


def changes(*permissions: str, kinds: frozenset[str] = EVERY_KIND, test: TestKeys = "none") -> Access:
    """An operation that changes something."""
    return Access(permissions, kinds, test)


def operator_only(fix: str) -> Access:
    """An operation of the server's operator; ``fix`` names the command that does it."""
    return Access(operator=True, fix=fix)


OPEN = Access(open=True)
"""No key is asked for: what is public, or what a signed link or a secret in the request opens."""


OPERATOR = operator_only("use the key of DATA/operator.json, on the gateway's machine")
"""For routes that do not exist for anybody else."""


def refusal(scope: Scope, access: Access) -> Forbidden | None:
    """Why a key may not do an operation wherever it points; None when it may. Permissions apart."""
    if access.operator and not scope.operator:
        return Forbidden("this is the operator's", fix=access.fix)
    if access.operator:
        return None
    if scope.kind not in access.kinds:
        wider = " or of the pod" if "pod" in access.kinds else ""
        return Forbidden(
            f"a key of one {scope.kind} may not do this", fix=f"use a key of the whole organization{wider}"
        )
    if scope.test and access.test == "none":
        return Forbidden(
            "a sandbox key may not do this: it would change what is live",
            fix="use a live key; a sandbox key reads, sends for the record, and keeps test drafts, keys and webhooks",
        )
    return None


def check(scope: Scope, access: Access) -> None:
    """Raise Forbidden unless the key may do the operation."""
    refused = refusal(scope, access)
    if refused is not None:
        raise refused
    for one in access.permissions:
        require(scope, one)


async def admit(store: Store, scope: Scope, access: Access, ids: Mapping[str, str]) -> None:
    """The same for an operation that names things by ``ids`` (``pod_id``, ``inbox_id``, ``thread_id``, ``key_id``,
    ``domain_id``): what does not exist in the organization is NotFound before the kind of key is Forbidden."""
    refused = refusal(scope, access)
    if refused is not None:
        if access.operator or scope.kind not in access.kinds:
            account = replace(scope, pod=None, inbox=None, test=False)
            await store.read(lambda tx: _look(tx, account, ids))
        raise refused
    for one in access.permissions:
        require(scope, one)


def _look(tx: Tx, scope: Scope, ids: Mapping[str, str]) -> None:
    """Raise NotFound for what the organization has not."""
    for name, ref in ids.items():
        if name == "pod_id":
            find_pod(tx, scope, ref)
        elif name == "inbox_id":
            find_inbox(tx, scope, ref)
        elif name == "thread_id":
            find_thread(tx, scope, None, ref)
        elif name == "key_id":
            find_key(tx, scope, ref)
        elif name == "domain_id":
            find_domain(tx, scope, ref)
