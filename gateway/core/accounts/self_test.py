"""A mail to ourselves through everything, for ``postern doctor``: in an organization of its own, so that nobody's
webhooks, limits or lists see it, and gone afterwards."""

from __future__ import annotations

import asyncio
import secrets
import time

from gateway.core.accounts import bootstrap
from gateway.core.context import Core
from gateway.core.errors import CoreError, Unavailable
from gateway.core.inboxes import inboxes
from gateway.core.inboxes.inboxes import NewInbox
from gateway.core.mail import wait as waiting
from gateway.core.mail.wait_match import Match
from gateway.core.sending.send import SendRequest, send
from gateway.records.ids import MessageId, OrganizationId, now_us
from gateway.store.queries.inboxes import unscoped_inboxes_of
from gateway.store.queries.locations import is_located
from gateway.store.queries.organizations import (
    remove_keyless_organization,
    unscoped_keyless_organization_ids,
)
from gateway.store.scope import Scope
from mailserver.base import MailServerError

_NAME = "postern doctor"
_OLD_US = 600_000_000
_LOOKS = 100


async def round_trip(core: Core, seconds: float) -> float:
    """Send a mail from a new inbox to itself by the API's way and wait for it; answers how many seconds it took.

    Raises Unavailable with what went wrong.
    """
    await _sweep(core)
    made = await core.store.write(lambda tx: bootstrap.add_organization(tx, _NAME))
    scope = Scope(made.id)
    try:
        return await _through(core, scope, seconds)
    except (CoreError, MailServerError) as error:
        raise Unavailable(f"the mail did not make the round: {error}") from error
    finally:
        await _erase(core, made.id)


async def _through(core: Core, scope: Scope, seconds: float) -> float:
    made = await inboxes.create(core, scope, NewInbox(username=f"doctor-{secrets.token_hex(8)}"))
    inbox = made.inbox
    mark = secrets.token_hex(8)
    start = time.monotonic()
    request = SendRequest(to=[inbox.address], subject=f"Round trip {mark}", text="Sent by postern doctor.")
    sent = await send(core, scope, inbox, request)
    match = Match(subject=mark)
    found = await waiting.wait_for(core, scope, inbox.address, match, sent.at, seconds)
    if found is None:
        raise Unavailable(f"the mail was accepted and is not in its mailbox after {seconds:g} s")
    took = time.monotonic() - start
    await _settled(core, sent.message_id)
    return took


async def _settled(core: Core, message_id: MessageId) -> None:
    """Wait, but not for ever, until the sender's copy is filed: a mailbox that goes before bounces it in the log."""
    for _ in range(_LOOKS):
        if await core.store.read(lambda tx: is_located(tx, message_id)):
            return
        await asyncio.sleep(0.05)


async def _erase(core: Core, organization: OrganizationId) -> None:
    rows = await core.store.read(lambda tx: unscoped_inboxes_of(tx, organization))
    for row in rows:
        await inboxes.delete(core, Scope(organization), row.public_id)

    await core.store.write(lambda tx: remove_keyless_organization(tx, organization))


async def _sweep(core: Core) -> None:
    """Erase what a crash in the middle of an earlier one left."""
    old = await core.store.read(lambda tx: unscoped_keyless_organization_ids(tx, _NAME, now_us() - _OLD_US))
    for organization in old:
        await _erase(core, organization)
