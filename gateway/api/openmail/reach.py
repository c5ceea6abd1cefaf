"""Which kinds of key may do what (contract §7): declared beside each endpoint, checked here and nowhere else.

::

    @table.delete("/inboxes/{inbox_id}", guard=account_only)
    @table.post("/inboxes", guard=account_or_pod)

An endpoint without a guard is open to every key, inside its reach: the core's look-ups (``core.lookup``) answer
403 for what the account has outside that reach and 404 for what it has not. A guard keeps the same order: what
the path names must exist in the account (else 404), then the kind of key decides (403). Path parameters are
called ``pod_id``, ``inbox_id``, ``thread_id``, ``key_id``; others are not looked up.

Where a field of the body decides, the handler asks the same guard::

    if call.body.webhook_url is not UNSET:
        await account_only(call.core, call.scope, call.ids)

Guards speak for ``/v1`` whatever dialect a key was made in. The other way round, a pod's or inbox's key made here
carries ``POD_KEY`` or ``INBOX_KEY`` as its permissions, so that it can do no more in another dialect either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gateway.core.context import Core
from gateway.core.errors import Forbidden
from gateway.core.keys import find_key
from gateway.core.lookup import find_inbox, find_pod, find_thread
from gateway.store.engine import Row, Tx
from gateway.store.scope import Scope

_FINDERS: dict[str, Callable[[Tx, Scope, str], Row]] = {
    "pod_id": find_pod,
    "inbox_id": find_inbox,
    "thread_id": lambda tx, scope, ref: find_thread(tx, scope, None, ref),
    "key_id": find_key,
}

INBOX_KEY = (
    "inbox_read",
    "message_read",
    "message_send",
    "message_update",
    "draft_read",
    "draft_create",
    "draft_update",
    "draft_delete",
    "draft_send",
    "metrics_read",
)
"""What an inbox's key may do (core's permission names): read, mark, send, and count what was sent and received."""

POD_KEY = (*INBOX_KEY, "inbox_create", "inbox_webhook", "inbox_update", "pod_read")
"""What a pod's key may do. ``inbox_webhook`` is a new inbox's URL; changing one takes ``webhook_update``."""


@dataclass(frozen=True, slots=True)
class KeyKinds:
    """A guard that lets keys of some kinds pass (``Scope.kind``); ``words`` says which are needed."""

    kinds: frozenset[str]
    words: str

    async def __call__(self, core: Core, scope: Scope, ids: Mapping[str, str]) -> None:
        """Raises NotFound or Forbidden."""
        if scope.kind in self.kinds:
            return
        account = replace(scope, pod=None, inbox=None)

        def look(tx: Tx) -> None:
            for name, ref in ids.items():
                if name in _FINDERS:
                    _FINDERS[name](tx, account, ref)

        await core.store.read(look)
        raise Forbidden(f"a key of one {scope.kind} may not do this", fix=f"use {self.words}")


account_only = KeyKinds(frozenset({"organization"}), "an account-wide key")
account_or_pod = KeyKinds(frozenset({"organization", "pod"}), "an account-wide key, or one of the pod")
