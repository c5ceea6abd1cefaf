"""A code that an organization's owner gets by mail and gives back: proof that the address is read by a person.

Nothing is kept: the code follows from the gateway's secret, the organization, its owner's address and the day. It holds
for the day of its mail and the next one. Ten tries a day are allowed.
"""

from __future__ import annotations

import hashlib
import hmac
import time

from gateway.core.accounts.register import require_open
from gateway.core.context import Core
from gateway.core.errors import Conflict, Invalid, TooMany
from gateway.core.sending import platform_mail
from gateway.records.accounts import Organization
from gateway.records.inboxes import Inbox
from gateway.store.queries.inboxes import oldest_running_inbox
from gateway.store.queries.organizations import own_organization
from gateway.store.scope import Scope

MAX_TRIES = 10
MAX_MAILS = 3
"""Mails a day that an organization may have sent again."""

_DAY = 86_400


async def mail_code(core: Core, organization: Organization, inbox: Inbox) -> None:
    """Mail the owner the code of today. ``inbox``: the one that was made for them. Raises ComposeFailed, StoreDown."""
    owner = organization.owner_email
    if owner is None:
        return
    code = _code(core.secret, organization.id, owner, _today())
    text = (
        f"An agent signed up here with your address and has the inbox {inbox.address}.\n\n"
        f"Your code is {code}. Give it to your agent; it holds for one day.\n\n"
        "If you know of no agent, you need not do anything.\n"
    )
    notice = await platform_mail.compose(core, "verify", owner, f"Your code is {code}", text)
    await core.store.write(lambda tx: platform_mail.queue(tx, core, notice, organization.id, inbox))


async def mail_again(core: Core, scope: Scope, owner: str) -> str:
    """Mail the owner, whom ``owner`` must name, the code of today once more; answers the address as it is kept.

    Who the owner is does not change. Raises Forbidden where nobody registers, Invalid for another address,
    Conflict without an inbox, TooMany after three mails.
    """
    require_open(core)
    organization, inbox = await core.store.read(
        lambda tx: (own_organization(tx, scope), oldest_running_inbox(tx, scope.organization, None))
    )
    held = organization.owner_email if organization else None
    if organization is None or held is None or held.casefold() != owner.strip().casefold():
        raise Invalid(
            "that is not the address that this organization was registered with",
            field="human_email",
            fix="sign up again with the other address; it makes another organization",
        )
    if inbox is None:
        raise Conflict("this organization has no inbox", fix="create an inbox first")
    grant = core.keys.requests_today.take(f"owner mail {scope.organization}", MAX_MAILS)
    if not grant.allowed:
        raise TooMany(f"{MAX_MAILS} mails a day may be sent again", grant.wait, fix="try again tomorrow")
    await mail_code(core, organization, inbox)
    return held


async def check_code(core: Core, scope: Scope, code: str) -> None:
    """Raise Invalid unless ``code`` is one that the organization's owner got; TooMany after ten tries."""
    grant = core.keys.requests_today.take(f"owner code {scope.organization}", MAX_TRIES)
    if not grant.allowed:
        raise TooMany(f"{MAX_TRIES} codes a day may be tried", grant.wait, fix="try again tomorrow")
    organization = await core.store.read(lambda tx: own_organization(tx, scope))
    owner = organization.owner_email if organization else None
    today, given = _today(), code.strip()
    known = (
        [_code(core.secret, scope.organization, owner, day) for day in (today, today - 1)] if owner else []
    )
    if not any(hmac.compare_digest(one.encode(), given.encode()) for one in known):
        raise Invalid(
            "otp_code is not the code that was mailed to the owner, or no longer holds",
            field="otp_code",
            fix="look into the mail once more",
        )


def _today() -> int:
    return int(time.time()) // _DAY


def _code(secret: bytes, organization: str, owner: str, day: int) -> str:
    text = f"owner code\0{organization}\0{owner.casefold()}\0{day}".encode()
    number = int.from_bytes(hmac.digest(secret, text, hashlib.sha256)[:8])
    return f"{number % 1_000_000:06}"
