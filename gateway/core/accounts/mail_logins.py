"""API keys as passwords of mailboxes: IMAP and SMTP with an inbox's address and a key that reaches it, as AgentMail's
guide has it.

The mail server asks ``check`` at each login whose password is not the mailbox's own, so a key that was revoked, has
expired or may do less fails at the next login. What a session may do cannot be narrowed further, so the key must have
every permission that the service needs (``NEEDED``); a sandbox key never logs in, because a mailbox is live.

Open IMAP sessions end within seconds after their key: every login is noted, and in ``DATA/key-logins``
(``login_file``), so that this holds after a restart of the gateway, too.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from gateway.core.accounts.login_file import Login, LoginFile
from gateway.core.context import Core
from gateway.core.errors import Forbidden, NotFound
from gateway.core.key_ring import hash_of
from gateway.core.lookup import find_inbox
from gateway.store.engine import StoreDown
from gateway.store.labels import HIDDEN
from gateway.store.scope import Scope
from mailserver.base import MailServerDown, MailServerError
from mailserver.provisioning import Provisioning

log = logging.getLogger("postern.keys")

NEEDED = {
    "imap": (
        "message_read",
        "message_update",
        "message_delete",
        "draft_read",
        "draft_create",
        "draft_update",
        "draft_delete",
        *(f"label_{label}_read" for label in sorted(HIDDEN)),
    ),
    "smtp": ("message_send",),
}
"""The permissions that each service takes; no other service is open to keys."""

RECHECK = 2.0
"""Seconds between two checks of the keys of open sessions."""
SETTLED = 10.0
"""Seconds after which a login that was allowed has opened its session or never will."""
MAX_NOTED = 20_000
"""Logins that are watched; when there are more, those that are oldest are no longer."""
_AT_ONCE = 100  # mailboxes whose sessions end together: the gateway's own of them are closed for that long
_NAMED = 5


@dataclass(slots=True)
class _Opened:
    """A mailbox that a key opened."""

    at: float  # its last login, by the monotonic clock
    scope: Scope | None  # the key's when it was last allowed; None: not known any more
    ended: bool = False  # its sessions have ended since the key was refused


class MailLogins:
    """An engine of the process that the mail server asks."""

    def __init__(
        self,
        core: Core,
        server: Provisioning,
        *,
        recheck: float = RECHECK,
        settled: float = SETTLED,
        most: int = MAX_NOTED,
    ) -> None:
        """``recheck``, ``settled``, ``most``: other values than :data:`RECHECK`, :data:`SETTLED`, :data:`MAX_NOTED`."""
        self._core, self._server = core, server
        self._recheck, self._settled, self._most = recheck, settled, most
        self._file = LoginFile(core.data_dir / "key-logins", most)
        self._opened: dict[Login, _Opened] = {}  # the one that logged in longest ago comes first
        self._job: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer the mail server from now on, and watch the sessions of keys."""
        long_ago, noted = time.monotonic() - self._settled, list[Login]()
        try:
            noted = await asyncio.to_thread(self._file.read)
        except OSError as error:
            log.warning("which sessions API keys opened before is not known: %s", error)
        self._opened = {login: _Opened(long_ago, None) for login in noted}
        self._job = asyncio.create_task(self._watch(), name="key-logins")
        self._server.check_key = self.check

    async def stop(self) -> None:
        """Refuse every key for now, and watch no longer."""
        self._server.check_key = None
        if self._job is not None:
            self._job.cancel()
            await asyncio.wait([self._job])

    async def check(self, address: str, key: str, service: str) -> bool:
        """Whether ``key`` may open the inbox at ``address`` by a service. Raises MailServerDown."""
        if service not in NEEDED:
            return False
        try:
            scope = await self._core.keys.identify(self._core.store, key)
            if scope is None or not await self._allowed(scope, address, service):
                return False
        except StoreDown as error:
            raise MailServerDown("the database cannot be reached now") from error
        if service == "imap":
            await self._note((hash_of(key), address), scope)
        return True

    async def _allowed(self, scope: Scope, address: str, service: str) -> bool:
        if scope.test or not all(scope.allows(one) for one in NEEDED[service]):
            return False
        try:
            inbox = await self._core.store.quick_read(lambda tx: find_inbox(tx, scope, address))
        except (NotFound, Forbidden):
            return False
        return inbox.address == address

    async def _note(self, login: Login, scope: Scope) -> None:
        known = self._opened.pop(login, None)
        self._opened[login] = _Opened(time.monotonic(), scope)
        if known is not None:
            return
        if len(self._opened) > self._most:
            del self._opened[next(iter(self._opened))]
        try:
            await asyncio.to_thread(self._file.add, login)
        except OSError as error:
            log.warning("a login with an API key is not noted in %s: %s", self._file.path, error)

    async def _watch(self) -> None:
        while True:
            try:
                await self._end_refused()
            except StoreDown:
                pass  # the database's own troubles are logged elsewhere; logins are refused meanwhile
            except Exception:
                log.exception("the sessions of API keys could not be checked; it is tried again")
            await asyncio.sleep(self._recheck)

    async def _end_refused(self) -> None:
        """End the sessions of keys that may no longer open them."""
        logins = list(self._opened)
        scopes = await self._core.keys.scopes_of(self._core.store, {digest for digest, _ in logins})
        refused = [login for login in logins if not await self._may_stay(login, scopes.get(login[0]))]
        ending = {address for digest, address in refused if not self._done((digest, address))}
        for addresses in _portions(sorted(ending)):
            try:
                await self._server.end_sessions(addresses)
            except (MailServerError, OSError) as error:
                log.warning("sessions of a refused API key did not end, they are tried again: %s", error)
                ending.difference_update(addresses)
            else:
                log.info(
                    "ended the IMAP sessions of %s: their API key may no longer open them", _named(addresses)
                )
        await self._forget([login for login in refused if login[1] in ending])

    async def _may_stay(self, login: Login, scope: Scope | None) -> bool:
        opened = self._opened.get(login)
        if opened is None:
            return True
        # a key that is as it was reaches what it reached: an inbox that is deleted has its sessions ended for that
        if scope is None or (scope != opened.scope and not await self._allowed(scope, login[1], "imap")):
            return False
        opened.scope, opened.ended = scope, False
        return True

    def _done(self, login: Login) -> bool:
        """Whether the sessions of a refused login have ended, and it may not open one any more."""
        opened = self._opened.get(login)
        return opened is None or (opened.ended and not self._has_settled(opened))

    def _has_settled(self, opened: _Opened) -> bool:
        return time.monotonic() - opened.at >= self._settled

    async def _forget(self, ended: list[Login]) -> None:
        """Watch no longer what has ended. A login that was allowed an instant before may open its session only now:
        that one ends when it has settled."""
        gone = []
        for login in ended:
            opened = self._opened.get(login)
            if opened is None or self._has_settled(opened):
                self._opened.pop(login, None)
                gone.append(login)
            else:
                opened.ended = True
        if gone:
            await asyncio.to_thread(self._file.remove, gone)


def _portions(addresses: list[str]) -> list[list[str]]:
    return [addresses[start : start + _AT_ONCE] for start in range(0, len(addresses), _AT_ONCE)]


def _named(addresses: list[str]) -> str:
    more = len(addresses) - _NAMED
    return ", ".join(addresses[:_NAMED]) + (f" and {more} more" if more > 0 else "")
