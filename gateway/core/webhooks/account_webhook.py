"""The account's one webhook: it gets the events of every inbox that has no URL of its own (contract §8).

The same rules as an inbox's (see ``single_webhook``): the secret is shown once, clearing keeps it, rotating replaces
it at once. Only keys of the whole account reach it.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.context import Core
from gateway.core.errors import Forbidden
from gateway.core.lookup import require
from gateway.core.webhooks import single_webhook
from gateway.core.webhooks.attempts import Tried, attempts_of
from gateway.core.webhooks.single_webhook import Owner
from gateway.records.webhooks import Webhook
from gateway.store.listing import Listing, Window
from gateway.store.scope import Scope
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Set:
    """A webhook after its URL was set; ``secret`` only when one was made."""

    hook: Webhook
    secret: str | None


async def get(core: Core, scope: Scope) -> Webhook | None:
    """The webhook; None while there is no URL."""
    owner = _owner(scope, "webhook_read")
    return await core.store.read(lambda tx: single_webhook.find(tx, owner))


async def set_url(core: Core, scope: Scope, url: str) -> Set:
    """Set the URL. Raises Invalid ``invalid_webhook_url``."""
    owner = _owner(scope, "webhook_update")
    require(scope, "message_read")
    checked = await single_webhook.checked_url(core, url, field="url")

    def write(tx: Tx) -> Set:
        secret = single_webhook.put(tx, core, owner, checked, scope.key_id, field="url")
        return Set(single_webhook.found(tx, owner), secret)

    return await core.store.write(write)


async def clear(core: Core, scope: Scope) -> None:
    """Take the URL away, and what waits for it. Nothing happens when there is none."""
    owner = _owner(scope, "webhook_delete")
    await core.store.write(lambda tx: single_webhook.put(tx, core, owner, None))


async def rotate_secret(core: Core, scope: Scope) -> str:
    """A new secret; the old one is dead. Raises Invalid ``no_webhook_url``."""
    owner = _owner(scope, "webhook_update")
    return await core.store.write(lambda tx: single_webhook.rotate(tx, owner))


async def to_test(core: Core, scope: Scope) -> Webhook:
    """The webhook to post a test event to. Raises Invalid ``no_webhook_url``."""
    owner = _owner(scope, "webhook_update")
    return await core.store.read(lambda tx: single_webhook.found(tx, owner))


async def attempts(core: Core, scope: Scope, window: Window) -> Listing[Tried]:
    """What was posted to it, newest first; see ``webhook_attempts``."""
    owner = _owner(scope, "webhook_read")
    return await core.store.read(lambda tx: attempts_of(tx, owner.webhook_id, window))


def _owner(scope: Scope, permission: str) -> Owner:
    require(scope, permission)
    if scope.kind != "organization":
        raise Forbidden(
            f"a key of one {scope.kind} does not reach the account's webhook", fix="use an account-wide key"
        )
    return Owner(scope.organization)
