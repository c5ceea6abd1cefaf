"""The one webhook an owner may have: an inbox's own URL, or the account's (OpenMail, contract §8).

Such a webhook is a row of table ``webhook`` like any other, whose id is derived from its owner: two requests that
set a URL at the same instant meet on the primary key, so there is never a second one. Clearing the URL leaves the
row, switched off and without a URL, for the sake of its secret: setting a URL again later goes on with the secret
the receiver was configured with, and only :func:`rotate` replaces it. A secret is handed out once, when it is made.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from gateway.core.context import Core
from gateway.core.errors import Invalid
from gateway.core.webhooks.limit import check_limit
from gateway.core.webhooks.new_webhook import new_webhook
from gateway.net.errors import NetError, TargetRefused
from gateway.net.url_rules import check_url
from gateway.records.base import Secret
from gateway.records.event_types import Dialect, types_of
from gateway.records.ids import (
    WEBHOOK_ID,
    InboxId,
    KeyId,
    OrganizationId,
    WebhookId,
    now_us,
    ulid_time_us,
)
from gateway.records.webhooks import Webhook
from gateway.store.queries.deliveries import drop_pending
from gateway.store.queries.webhooks import add_webhook, change_webhook, enabled_webhook
from gateway.store.transaction import Tx

DIALECT: Dialect = "openmail"
EVENT_TYPES = types_of(DIALECT)
"""What is posted; the dialect knows no other event."""

_CHECK_SECONDS = 0.8
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose webhook it is: an inbox's, or with ``inbox`` None the organization's (ULIDs)."""

    organization: OrganizationId
    inbox: InboxId | None = None

    @property
    def webhook_id(self) -> WebhookId:
        since = ulid_time_us(self.inbox or self.organization)
        return WEBHOOK_ID.derived(since, "webhook", DIALECT, self.organization, self.inbox or "")


async def checked_url(core: Core, url: str | None, field: str = "webhookUrl") -> str | None:
    """The URL as it will be called, None for one that clears (None or empty). For before the transaction: looks
    the name up. ``field``: what the caller named it.

    A name that cannot be resolved now is let pass: it may be tomorrow, and every post is judged by the address it
    connects to anyway. Raises Invalid ``invalid_webhook_url``.
    """
    if not url:
        return None
    text = _formed(core, url, field)
    try:
        await core.fetcher.check(text, timeout=_CHECK_SECONDS)
    except TargetRefused as error:
        raise _refused(error, field) from error
    except NetError:
        pass
    return text


def put(
    tx: Tx,
    core: Core,
    owner: Owner,
    url: str | None,
    key_id: KeyId | None = None,
    *,
    field: str = "webhookUrl",
) -> str | None:
    """Set or clear (None or "") the URL; answers the secret if this made one, that is with the first URL ever.

    ``key_id``: the key that sets it (``events.reach``). ``field``: what the caller named it.
    Raises Invalid ``invalid_webhook_url`` for a bad form or a forbidden address (see also :func:`checked_url`),
    LimitReached.
    """
    if not url:
        _clear(tx, owner)
        return None
    text, now, secret = _formed(core, url, field), now_us(), new_secret()
    if find(tx, owner) is None:
        check_limit(tx, core, owner.organization, field)
    made = new_webhook(
        owner.webhook_id,
        owner.organization,
        DIALECT,
        EVENT_TYPES,
        Secret(secret),
        inbox_id=owner.inbox,
        url=text,
        key_id=key_id,
    )
    if add_webhook(tx, made):
        return secret
    change_webhook(
        tx,
        owner.webhook_id,
        url=text,
        enabled=True,
        failing_since=None,
        disabled_reason=None,
        key_id=key_id,
        updated_at=now,
    )
    return None


def find(tx: Tx, owner: Owner) -> Webhook | None:
    """The webhook while it has a URL."""
    return enabled_webhook(tx, owner.webhook_id)


def found(tx: Tx, owner: Owner) -> Webhook:
    """The webhook. Raises Invalid ``no_webhook_url`` when there is no URL."""
    hook = find(tx, owner)
    if hook is None:
        whose = "this inbox has" if owner.inbox else "the account has"
        fix = "PATCH the inbox with webhookUrl" if owner.inbox else "PUT /v1/webhook with url"
        raise Invalid(f"{whose} no webhook URL", code="no_webhook_url", fix=f"{fix} first")
    return hook


def rotate(tx: Tx, owner: Owner) -> str:
    """Make a new secret and answer it; the old one signs nothing from here on. Raises as :func:`found`."""
    hook, secret = found(tx, owner), new_secret()
    change_webhook(
        tx, hook.id, secret=Secret(secret), old_secret=None, old_secret_until=None, updated_at=now_us()
    )
    return secret


def new_secret() -> str:
    """Make a secret: ``whsec_`` and 256 random bits in hexadecimal. Its text as a whole is the HMAC key."""
    return f"whsec_{secrets.token_hex(_SECRET_BYTES)}"


def _clear(tx: Tx, owner: Owner) -> None:
    if change_webhook(tx, owner.webhook_id, url="", enabled=False, failing_since=None, updated_at=now_us()):
        drop_pending(tx, owner.webhook_id)


def _formed(core: Core, url: str, field: str = "webhookUrl") -> str:
    policy = core.fetcher.policy
    try:
        return str(check_url(url, policy.addresses, policy.allow_http))
    except NetError as error:
        raise _refused(error, field) from error


def _refused(error: NetError, field: str) -> Invalid:
    return Invalid(
        f"{field}: {error}",
        field=field,
        code="invalid_webhook_url",
        fix="give a public https:// URL",
    )
