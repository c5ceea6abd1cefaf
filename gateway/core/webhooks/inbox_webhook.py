"""An inbox's own webhook URL: it takes the inbox's events in place of the account's (contract §8).

Clearing it (None or "") lets the account's webhook have them again and drops what waited for the old URL. The secret
is made with the first URL ever and stays through changing, clearing and setting the URL again; see
``single_webhook``.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.core.context import Core
from gateway.core.lookup import find_inbox, require
from gateway.core.webhooks import single_webhook
from gateway.core.webhooks.attempts import Tried, attempts_of
from gateway.core.webhooks.single_webhook import DIALECT, Owner, checked_url
from gateway.records.ids import InboxId, KeyId
from gateway.records.inboxes import Inbox
from gateway.records.webhooks import Webhook
from gateway.store.listing import Listing, Window
from gateway.store.queries.webhooks import webhook_urls_of_inboxes
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

__all__ = ["attempts", "checked_url", "owner_of", "rotate_secret", "set_url", "to_test", "url_of", "urls_of"]


def owner_of(inbox: Inbox) -> Owner:
    """The owner of an inbox row's webhook."""
    return Owner(inbox.organization_id, inbox.id)


def set_url(tx: Tx, core: Core, inbox: Inbox, url: str | None, key_id: KeyId | None) -> str | None:
    """Set or clear (None or "") the URL of an inbox row; answers the secret when one was made, to be shown now or
    never. ``key_id``: of the key that sets it.

    Raises Invalid ``invalid_webhook_url``. Call :func:`checked_url` before the transaction too: it also refuses
    names that lead to forbidden addresses.
    """
    return single_webhook.put(tx, core, owner_of(inbox), url, key_id)


async def rotate_secret(core: Core, scope: Scope, ref: str) -> str:
    """A new secret for an inbox's webhook; the old one is dead. Raises NotFound, Forbidden, Invalid
    ``no_webhook_url``."""
    require(scope, "webhook_update")

    def write(tx: Tx) -> str:
        return single_webhook.rotate(tx, owner_of(find_inbox(tx, scope, ref)))

    return await core.store.write(write)


async def to_test(core: Core, scope: Scope, ref: str) -> tuple[Inbox, Webhook]:
    """An inbox and its webhook, to post a test event to. Raises as :func:`rotate_secret`."""
    require(scope, "webhook_update")

    def read(tx: Tx) -> tuple[Inbox, Webhook]:
        inbox = find_inbox(tx, scope, ref)
        return inbox, single_webhook.found(tx, owner_of(inbox))

    return await core.store.read(read)


async def attempts(core: Core, scope: Scope, ref: str, window: Window) -> Listing[Tried]:
    """What was posted to an inbox's own URL, newest first; see ``webhook_attempts``."""
    require(scope, "webhook_read")
    return await core.store.read(
        lambda tx: attempts_of(tx, owner_of(find_inbox(tx, scope, ref)).webhook_id, window)
    )


def url_of(tx: Tx, inbox_id: InboxId) -> str | None:
    """The inbox's own URL, or None."""
    return urls_of(tx, [inbox_id]).get(inbox_id)


def urls_of(tx: Tx, inbox_ids: Iterable[InboxId]) -> dict[InboxId, str]:
    """The own URLs of those of ``inbox_ids`` (ULIDs) that have one."""
    return webhook_urls_of_inboxes(tx, DIALECT, inbox_ids)
