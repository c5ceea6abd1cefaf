"""Signing a program in with a code: it asks for a key, a person who has one approves, the program fetches its own.

The flow of RFC 8628. What the program holds (``request_id``, 256 bits) and what the person types (``user_code``,
eight letters) are two things: whoever reads the code on a screen cannot fetch the key. The key is made when it is
fetched, so that no key is in the database. OpenMail §2, "Outside /v1".
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from msgspec.structs import replace

from gateway.core.accounts.keys import new_key, new_secret
from gateway.core.context import Core
from gateway.core.errors import Forbidden, NotFound
from gateway.core.key_ring import hash_of
from gateway.core.lookup import require
from gateway.records.accounts import CliLogin
from gateway.records.ids import new_ulid, now_us
from gateway.store.json_columns import dump
from gateway.store.queries import cli_logins
from gateway.store.queries.keys import add_key
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from mailserver.networks import network_of

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 §6.1: no vowels, so no words
_NOT_LETTERS = re.compile(r"[^A-Z]")
SECONDS = 600
MAX_OF_NETWORK = 10
"""Requests of one network (``net.networks``) that may wait at the same time: anybody can make one. A further one takes
the place of the oldest, so nobody is refused, and a flood from one address displaces only itself."""
MAX_PENDING = 2000
"""Requests that may wait in all. Beyond it the network that has the most loses its oldest."""


@dataclass(frozen=True, slots=True)
class Started:
    """What the program gets; ``user_code`` is for the person. Valid for ``SECONDS``."""

    request_id: str
    user_code: str


def folded(code: str) -> str:
    """A user code as people type it, as ``ABCD-EFGH``; the letters alone when they are not eight."""
    letters = _NOT_LETTERS.sub("", code.upper()[:100])
    return f"{letters[:4]}-{letters[4:]}" if len(letters) == 8 else letters


async def start(core: Core, address: str | None, program: str) -> Started:
    """A fresh request of ``program`` (its User-Agent) at an IP address, which tell the approver where it came from."""
    origin, network = f"{address or 'an unknown address'}, {program}", network_of(address)
    request_id = secrets.token_urlsafe(32)
    code = folded("".join(secrets.choice(_LETTERS) for _ in range(8)))
    now = now_us()
    login = CliLogin(
        id=new_ulid(),
        hash=hash_of(request_id),
        user_code=code,
        origin=origin[:300],
        organization_id=None,
        permissions_json=None,
        test=False,
        created_at=now,
        expires_at=now + SECONDS * 1_000_000,
        network=network,
    )

    def write(tx: Tx) -> None:
        cli_logins.unscoped_remove_expired_logins(tx, now)
        tx.lock("cli_login")
        _make_room(tx, network)
        cli_logins.add_login(tx, login)

    await core.store.write(write)
    return Started(request_id, code)


def _make_room(tx: Tx, network: str) -> None:
    """Displace the oldest request of a network that has its share, and of the largest one when all places are taken."""
    if cli_logins.unscoped_pending_count(tx, network) >= MAX_OF_NETWORK:
        cli_logins.unscoped_remove_oldest_login(tx, network)
    elif cli_logins.unscoped_pending_count(tx) >= MAX_PENDING:
        cli_logins.unscoped_remove_oldest_login(tx, cli_logins.unscoped_busiest_network(tx))


async def approve(core: Core, scope: Scope, code: str) -> CliLogin:
    """Let the program with this code fetch a key that grants what the caller's does; answers its request.

    Raises NotFound (no such code, expired, or approved already), Forbidden.
    """
    require(scope, "api_key_create")
    if scope.kind != "organization":
        raise Forbidden("signing a program in takes an account-wide key", fix="use an account-wide key")
    granted = None if scope.permissions is None else dump(sorted(scope.permissions))

    def write(tx: Tx) -> CliLogin:
        login = cli_logins.unscoped_pending_login(tx, folded(code), now_us())
        if login is None:
            raise NotFound(
                f"no program waits with the code {code[:20]!r}",
                fix="codes live for ten minutes and work once: start the sign-in again",
            )
        approval = cli_logins.Approval(
            organization_id=scope.organization, permissions_json=granted, test=scope.test
        )
        cli_logins.approve_login(tx, login.id, **approval)
        return replace(login, **approval)

    return await core.store.write(write)


async def fetch(core: Core, request_id: str) -> str | None:
    """The key of an approved request, once; None while nobody approved it. Raises NotFound."""
    wanted = hash_of(request_id[:200])
    key = new_secret("om_")

    def find(tx: Tx) -> CliLogin:
        login = cli_logins.unscoped_login_with_hash(tx, wanted, now_us())
        if login is None:
            raise NotFound(
                "this sign-in has expired, or its key was fetched already", fix="start the sign-in again"
            )
        return login

    def write(tx: Tx) -> str | None:
        login = find(tx)
        if login.organization_id is None:
            return None
        cli_logins.remove_login(tx, login.id)
        made = new_key(
            key,
            login.organization_id,
            name="command line",
            permissions=login.permissions,
            test=login.test,
            prefix="om_",
        )
        add_key(tx, made)
        return key

    if (await core.store.read(find)).organization_id is None:
        return None
    return await core.store.write(write)
