"""IMAP access for the gateway: an IMAPClient that reads whole sets, and a pool of kept connections.

IMAPClient is synchronous and not thread-safe, so every connection is used by one thread at a time; the pool
hands (connection, thread) pairs out per mailbox. See RFC 9051 (IMAP4rev2), RFC 7162 (CONDSTORE/QRESYNC).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import imapclient
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError
from imapclient.imapclient import seq_to_parenstr_upper
from imapclient.response_parser import parse_fetch_response

from mailserver.base import ImapLogin, MailServerDown
from mailserver.own_address import OwnImap

T = TypeVar("T")

_STORAGE = re.compile(rb"\bSTORAGE (\d+) \d+", re.IGNORECASE)
_SET = re.compile(r"[0-9*]+(:[0-9*]+)?(,[0-9*]+(:[0-9*]+)?)*")
_UNSAFE = re.compile(r"[\x00\r\n]")

FetchResult = dict[int, dict[bytes, Any]]


class UnsafeValue(ValueError):
    """A value that must not reach an IMAP command line (CR, LF or NUL: RFC 9051 §9)."""


def checked(value: str) -> str:
    """Return ``value`` if it can stand in an IMAP command; raise :class:`UnsafeValue` if not."""
    if _UNSAFE.search(value):
        raise UnsafeValue("value with CR, LF or NUL refused")
    return value


class Client(IMAPClient):  # type: ignore[misc]
    """IMAPClient whose FETCH takes a UID set as text (``1:*``) and reports VANISHED (RFC 7162 §3.2.10)."""

    def __init__(self, login: ImapLogin, timeout: float = 30.0) -> None:
        end = login.endpoint
        super().__init__(
            end.host,
            end.port,
            ssl=end.tls == "implicit",
            timeout=imapclient.SocketTimeout(connect=min(timeout, 10.0), read=timeout),
        )
        self.normalise_times = False
        if end.tls == "starttls":
            self.starttls()
        self.login(login.user, login.secret)
        self.selected: str | None = None
        self.qresync = self.has_capability("QRESYNC") and self.has_capability("ENABLE")
        if self.qresync:
            self.enable("QRESYNC")

    def _create_IMAP4(self) -> Any:
        if self.ssl:
            return super()._create_IMAP4()
        return OwnImap(self.host, self.port, getattr(self._timeout, "connect", None))

    def fetch_set(
        self, uidset: str, items: list[str], modifiers: list[str] | None = None
    ) -> tuple[FetchResult, list[bytes]]:
        """UID FETCH a set given as text. Returns rows by UID and the raw VANISHED sets."""
        if not _SET.fullmatch(uidset):
            raise UnsafeValue(uidset)
        extra = [seq_to_parenstr_upper(modifiers)] if modifiers else []
        tag = self._imap._command("UID", "FETCH", uidset, seq_to_parenstr_upper(items), *extra)
        typ, data = self._imap._command_complete("FETCH", tag)
        self._checkok("fetch", typ, data)
        gone: list[bytes] = self._imap.untagged_responses.pop("VANISHED", None) or []
        typ, data = self._imap._untagged_response(typ, data, "FETCH")
        rows: FetchResult = (
            {} if data == [None] else parse_fetch_response(data, self.normalise_times, uid_is_key=True)
        )
        return rows, gone

    def open(self, folder: str, readonly: bool = False) -> dict[bytes, Any]:
        """SELECT (or EXAMINE) ``folder``; answers UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ, EXISTS..."""
        answer: dict[bytes, Any] = self.select_folder(checked(folder), readonly=readonly)
        self.selected = folder
        return answer

    def leave(self) -> None:
        """Select nothing: STATUS of the selected folder answers from the session's old view (RFC 9051 §6.3.11)."""
        if self.selected is not None:
            if self.has_capability("UNSELECT"):
                self.unselect_folder()
            else:
                self.noop()
            self.selected = None

    def storage_used(self) -> int | None:
        """Octets that count against the mailbox's quota (RFC 9208 §4: in units of 1024); None where it has no limit."""
        typ, data = self._imap.getquotaroot("INBOX")
        self._checkok("getquotaroot", typ, data)
        found = [_STORAGE.search(line) for line in data[1] if line]
        return next((1024 * int(match[1]) for match in found if match), None)

    def find_message_id(self, message_id: str) -> list[int]:
        """UIDs in the selected folder whose Message-ID is exactly this one."""
        found: list[int] = self.search(["HEADER", "Message-ID", checked(message_id)])
        return found


@dataclass(slots=True)
class _Lane:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    client: Client | None = None
    used: float = 0.0
    closed: bool = False


class ImapPool:
    """Keeps up to ``size`` logged-in connections, one per mailbox, and runs functions on them in threads.

    Calls for one mailbox run one after the other; different mailboxes run at once, up to ``threads``.
    A connection that failed or whose caller was cancelled is closed, never used again.
    """

    def __init__(
        self,
        login: Callable[[str], ImapLogin],
        *,
        size: int = 128,
        threads: int = 8,
        idle_seconds: float = 300.0,
        timeout: float = 30.0,
    ) -> None:
        self._login = login
        self._size = size
        self._idle = idle_seconds
        self._timeout = timeout
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="imap")

    async def run(self, address: str, work: Callable[[Client], T]) -> T:
        """Run ``work(client)`` in a thread on a connection of ``address``.

        A kept connection that turns out dead before the first answer is replaced once, so ``work`` must be
        safe to repeat. Raises MailServerDown when no connection can be had; what ``work`` raises otherwise.
        """
        lane = self._lanes.get(address)
        if lane is None:
            lane = self._lanes[address] = _Lane()
        self._lanes.move_to_end(address)
        async with lane.lock:
            loop = asyncio.get_running_loop()
            job = loop.run_in_executor(self._threads, self._work, address, lane, work)
            try:
                return await asyncio.shield(job)
            except asyncio.CancelledError:
                # the thread still owns the connection: wait for it before anyone else may, then drop it
                await asyncio.wait([job])
                if job.done() and not job.cancelled():
                    job.exception()
                self._close(lane)
                raise
            finally:
                lane.used = time.monotonic()
                self._evict()

    def _work(self, address: str, lane: _Lane, work: Callable[[Client], T]) -> T:
        kept = lane.client is not None and time.monotonic() - lane.used < self._idle
        if not kept:
            self._close(lane)
        for attempt in (0, 1):
            fresh = lane.client is None
            try:
                if lane.client is None:
                    lane.client = Client(self._login(address), self._timeout)
                return work(lane.client)
            except (OSError, EOFError, IMAPClientError) as error:
                dead = isinstance(error, (OSError, EOFError, IMAPClient.AbortError))
                self._close(lane)
                if dead and not fresh and attempt == 0:
                    continue
                if dead or (fresh and isinstance(error, imapclient.exceptions.LoginError)):
                    raise MailServerDown(f"IMAP of {address}: {error}") from error
                raise
            except BaseException:
                self._close(lane)
                raise
        raise MailServerDown(f"IMAP of {address}: no connection")

    @staticmethod
    def _close(lane: _Lane) -> None:
        client, lane.client = lane.client, None
        if client is not None:
            try:
                client.shutdown()
            except (OSError, EOFError, IMAPClientError):
                pass

    def _evict(self) -> None:
        open_lanes = [(a, one) for a, one in self._lanes.items() if one.client is not None]
        now = time.monotonic()
        surplus = len(open_lanes) - self._size
        for address, lane in open_lanes:
            if lane.lock.locked() and lane.lock._waiters:  # someone waits for it
                continue
            if surplus > 0 or now - lane.used > self._idle:
                if lane.lock.locked():
                    continue
                self._close(lane)
                self._lanes.pop(address, None)
                surplus -= 1

    async def drop(self, address: str) -> None:
        """Close the connection of ``address`` (its mailbox goes away)."""
        lane = self._lanes.pop(address, None)
        if lane is not None:
            async with lane.lock:
                self._close(lane)

    async def close(self) -> None:
        """Close every connection and end the threads."""
        for address in list(self._lanes):
            await self.drop(address)
        self._threads.shutdown(wait=True, cancel_futures=True)
