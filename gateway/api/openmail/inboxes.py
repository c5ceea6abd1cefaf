"""Inboxes (contract §2, §13). ``{inbox_id}`` is an inbox's id or its address."""

from __future__ import annotations

import re
import secrets
import string
from functools import partial
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from gateway.api.openmail.offset_paging import OffsetQuery, Page, page, window_of
from gateway.api.openmail.resource_views import InboxView, inbox_view
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION, ORGANIZATION_OR_POD, admit, changes, reads
from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound
from gateway.core.inboxes import inboxes
from gateway.core.sending.pauses import paused_among
from gateway.core.text import clean_text
from gateway.core.webhooks import inbox_webhook
from gateway.store.listing import Listing

table = Table("inboxes")

_CHANGE_URL = changes("webhook_update", "message_read", kinds=ORGANIZATION)
"""What a change of ``webhookUrl`` needs beside that of the inbox."""

Doc = msgspec.Meta
MAX_DISPLAY_NAME = 200
_MAILBOX_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,28}[a-z0-9]")
_DisplayName = Annotated[str, Doc(max_length=MAX_DISPLAY_NAME)]


class CreateInbox(msgspec.Struct, rename="camel"):
    """An inbox to make."""

    mailbox_name: Annotated[
        str | None, Doc(description="3 to 30 of a-z 0-9 . -, upper case is folded; default: 8 random ones")
    ] = None
    username: Annotated[str | None, Doc(description="the older spelling of mailboxName")] = None
    display_name: _DisplayName | None = None
    domain: Annotated[str | None, Doc(description="a verified domain; default: the server's own")] = None
    webhook_url: Annotated[
        str | None, Doc(description="where this inbox's events go, in place of the account's webhook")
    ] = None
    pod_id: Annotated[
        str | None, Doc(description="a pod's id or your clientId; default: the default pod")
    ] = None
    external_id: Annotated[str | None, Doc(description="your own id, need not be unique")] = None


class UpdateInbox(msgspec.Struct, rename="camel"):
    """What is absent stays, null clears."""

    display_name: _DisplayName | UnsetType | None = UNSET
    webhook_url: str | UnsetType | None = UNSET


class InboxesQuery(OffsetQuery, rename="camel"):
    pod_id: Annotated[str | None, Doc(description="only of this pod: its id or your clientId")] = None


@table.post("/inboxes", status=201, access=changes("inbox_create", kinds=ORGANIZATION_OR_POD))
async def create_inbox(call: Call[CreateInbox, NoQuery]) -> InboxView:
    """Create an inbox: a real mailbox on the mail server.

    With ``webhookUrl`` the answer has ``webhookSecret``, which is not shown again.
    """
    body = call.body
    named = body.username if body.mailbox_name is None else body.mailbox_name
    saved = await inboxes.create(
        call.core,
        call.scope,
        inboxes.NewInbox(
            username=None if named is None else _mailbox_name(named),
            draw=_drawn_name,
            domain=body.domain,
            display_name=clean_text(body.display_name, "displayName", MAX_DISPLAY_NAME) or None,
            pod=body.pod_id,
            external_id=clean_text(body.external_id, "externalId") or None,
            verified_only=True,
            webhook_url=body.webhook_url or None,
        ),
    )
    return await _shown(call.core, saved)


@table.get("/inboxes", access=reads("inbox_read"))
async def list_inboxes(call: Call[NoBody, InboxesQuery]) -> Page[InboxView]:
    """List inboxes, newest first."""
    try:
        found = await inboxes.list_inboxes(
            call.core, call.scope, window_of(call.query), pod=call.query.pod_id
        )
    except NotFound:  # a filter that matches nothing
        found = Listing([], 0)
    ids = [row.id for row in found.rows]
    urls = await call.core.store.read(lambda tx: inbox_webhook.urls_of(tx, ids)) if ids else {}
    paused = await paused_among(call.core, found.rows)
    return page(found, lambda row: inbox_view(row, urls.get(row.id), pauses=paused.get(row.id, ())))


@table.get("/inboxes/{inbox_id}", access=reads("inbox_read"))
async def get_inbox(call: Call[NoBody, NoQuery]) -> InboxView:
    """Get an inbox."""
    inbox = await inboxes.get(call.core, call.scope, call.ids["inbox_id"])
    return await _shown(call.core, inboxes.Saved(inbox))


@table.patch("/inboxes/{inbox_id}", access=changes("inbox_update", kinds=ORGANIZATION_OR_POD))
async def update_inbox(call: Call[UpdateInbox, NoQuery]) -> InboxView:
    """Change the display name or the webhook URL.

    The first URL ever makes the secret, shown as ``webhookSecret`` in this answer only. An empty URL clears, too.
    """
    body, changes = call.body, dict[str, str | None]()
    if not isinstance(body.display_name, UnsetType):
        changes["display_name"] = clean_text(body.display_name, "displayName", MAX_DISPLAY_NAME) or None
    if not isinstance(body.webhook_url, UnsetType):
        await admit(call.core.store, call.scope, _CHANGE_URL, call.ids)
        changes["webhook_url"] = body.webhook_url or None
    return await _shown(call.core, await inboxes.update(call.core, call.scope, call.ids["inbox_id"], changes))


@table.delete("/inboxes/{inbox_id}", access=changes("inbox_delete", kinds=ORGANIZATION))
async def delete_inbox(call: Call[NoBody, NoQuery]) -> None:
    """Delete an inbox with its messages, threads, attachments and keys."""
    await inboxes.delete(call.core, call.scope, call.ids["inbox_id"])


async def _shown(core: Core, saved: inboxes.Saved) -> InboxView:
    url = await core.store.read(partial(inbox_webhook.url_of, inbox_id=saved.inbox.id))
    paused = await paused_among(core, [saved.inbox])
    return inbox_view(saved.inbox, url, saved.webhook_secret, paused.get(saved.inbox.id, ()))


def _mailbox_name(text: str) -> str:
    name = text.strip().lower()
    if not text.isascii() or not _MAILBOX_NAME.fullmatch(name):
        raise Invalid(
            "mailboxName takes 3 to 30 letters, digits, dots and hyphens; it starts and ends with a letter or "
            "digit and has no two dots in a row",
            code="invalid_mailbox_name",
            field="mailboxName",
            fix="choose a name such as support-1, or leave it out for a random one",
        )
    return name


def _drawn_name() -> str:
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
