"""Registering without a key (contract: MailboxKit ``POST /register``): an organization, its inbox and its first key.

Whoever can reach the API may do it where ``register.enabled`` says so, held against two limits of any 60 minutes: by
network (an IPv4 address; the /64 of an IPv6 one, which is one customer's) and by the owner's address, in any case.
What is refused does not count, and the counts survive a restart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gateway.core.accounts.bootstrap import add_organization
from gateway.core.accounts.keys import new_key, new_secret
from gateway.core.context import Core
from gateway.core.errors import Forbidden, Invalid, Missing, TooMany
from gateway.core.inboxes import inboxes
from gateway.core.text import clean_text
from gateway.mime.addresses import InvalidAddress, check_address
from gateway.records.accounts import Organization, Registration
from gateway.records.ids import now_us
from gateway.records.inboxes import Inbox
from gateway.settings import Register
from gateway.store.queries import registrations
from gateway.store.queries.keys import add_key
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from mailserver.networks import network_of

HOUR_US = 3_600_000_000
MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Registered:
    """What was made. ``key`` is shown now and never again."""

    organization: Organization
    inbox: Inbox
    key: str


async def register(
    core: Core,
    *,
    name: str,
    owner_email: str,
    address: str | None,
    prefix: str,
    username: str | None = None,
    owner_field: str = "owner_email",
) -> Registered:
    """Make an organization with an inbox and a key that starts with ``prefix``.

    ``address``: the IP address that asks, None when it has none. ``username``: of the inbox; None draws one.
    ``owner_field``: what the request calls the owner's address. Raises Forbidden ``registration_disabled``, Invalid,
    Taken, TooMany. Should the inbox fail, an empty organization is left whose key nobody has.
    """
    require_open(core)
    name, owner = _checked(name, owner_email, owner_field)
    key = new_secret(prefix)
    network = network_of(address)

    def write(tx: Tx) -> Organization:
        if username is not None:
            inboxes.check_new_name(tx, core, username)
        _charge(tx, core.settings.register, network, owner.casefold())
        made = add_organization(tx, name, owner)
        add_key(tx, new_key(key, made.id, name=name, prefix=prefix))
        registrations.add_registration(tx, Registration(network, owner.casefold(), made.id, made.created_at))
        return made

    organization = await core.store.write(write)
    made = await inboxes.create(
        core, Scope(organization.id), inboxes.NewInbox(username=username, display_name=name)
    )
    return Registered(organization, made.inbox, key)


def require_open(core: Core) -> None:
    """Raise Forbidden ``registration_disabled`` unless the operator lets anybody register."""
    if not core.settings.register.enabled:
        raise Forbidden(
            "this server lets nobody register an organization",
            code="registration_disabled",
            fix="ask its operator for an API key; `postern key create` makes one, register.enabled opens this",
        )


def _checked(name: str, owner_email: str, field: str) -> tuple[str, str]:
    """Both as they are kept. Raises Invalid for all that does not do."""
    wrong: list[Invalid] = []
    try:
        name = clean_text(name, "name", MAX_NAME) or ""
        if not name:
            raise Missing("name")
    except Invalid as error:
        wrong.append(error)
    owner = ""
    try:
        if not owner_email.strip():
            raise Missing(field)
        owner = check_address(owner_email.strip())
    except InvalidAddress as error:
        wrong.append(Invalid(f"{field}: {error}", field=field, fix="give one address, name@example.com"))
    except Invalid as error:
        wrong.append(error)
    if wrong:
        wrong[0].also = wrong[1:]
        raise wrong[0]
    return name, owner


def _charge(tx: Tx, limits: Register, network: str, owner: str) -> None:
    """Whether both limits have room for one more. Raises TooMany."""
    registrations.unscoped_lock_registrations(tx)
    now = now_us()
    registrations.unscoped_forget_registrations(tx, now - HOUR_US)
    held: tuple[tuple[Literal["network", "owner"], str, int, str], ...] = (
        ("network", network, limits.per_address, "from one address"),
        ("owner", owner, limits.per_owner, "for one owner"),
    )
    for column, value, most, words in held:
        if not most:
            continue
        times = registrations.unscoped_registration_times(tx, column, value, most)
        if len(times) >= most:
            free_at = times[-1] + HOUR_US
            raise TooMany(
                f"{most} registrations an hour are allowed {words}",
                max(1, math.ceil((free_at - now) / 1_000_000)),
                limit=most,
                reset=math.ceil(free_at / 1_000_000),
                fix="wait as long as Retry-After says; one organization may have many inboxes and keys",
            )
