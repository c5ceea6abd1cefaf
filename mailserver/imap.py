"""IMAP access for the gateway: an IMAPClient that reads whole sets, and a pool of kept connections.

IMAPClient is synchronous and not thread-safe, so every connection is used by one thread at a time; the pool
hands (connection, thread) pairs out per mailbox. See RFC 9051 (IMAP4rev2), RFC 7162 (CONDSTORE/QRESYNC).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
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

log = logging.getLogger("postern.imap")

T = TypeVar("T")

PATIENCE = 0.25
"""Seconds without a sign of the mail server for which work on a mailbox keeps its place from others."""
_SILENT = 3.0
"""Seconds without a sign of the mail server after which slow work is ended, where others need its place."""
_GRACE = 2.0
"""Seconds that work under way may take to end when its connection is closed."""
_PAUSE = 1.0
"""Seconds between two tries of a mailbox that does not answer."""
_NAMED = 20
"""How many mailboxes that do not answer are named in the log."""

_STORAGE = re.compile(rb"\bSTORAGE (\d+) \d+", re.IGNORECASE)
_SET = re.compile(r"[0-9*]+(:[0-9*]+)?(,[0-9*]+(:[0-9*]+)?)*")
_UNSAFE = re.compile(r"[\x00\r\n]")

FetchResult = dict[int, dict[bytes, Any]]


class UnsafeValue(ValueError):
    """A value that must not reach an IMAP command line (CR, LF or NUL: RFC 9051 §9)."""


class MailboxStuck(MailServerDown):
    """The mail server takes the connection and then does not answer for this mailbox."""


def checked(value: str) -> str:
    """Return ``value`` if it can be written into an IMAP command; raise :class:`UnsafeValue` if not."""
    if _UNSAFE.search(value):
        raise UnsafeValue("value with CR, LF or NUL refused")
    return value


class Client(IMAPClient):  # type: ignore[misc]
    """IMAPClient whose FETCH takes a UID set as text (``1:*``) and reports VANISHED (RFC 7162 §3.2.10)."""

    def __init__(
        self,
        login: ImapLogin,
        timeout: float = 30.0,
        opened: Callable[[Client], None] = lambda client: None,
    ) -> None:
        """Connect and log in. ``timeout``: seconds the server may be silent, 10 at most while this lasts. ``opened`` is
        called with the client as soon as there is a connection."""
        end = login.endpoint
        super().__init__(
            end.host,
            end.port,
            ssl=end.tls == "implicit",
            timeout=imapclient.SocketTimeout(connect=min(timeout, 10.0), read=timeout),
        )
        opened(self)
        self.socket().settimeout(min(timeout, 10.0))
        self.normalise_times = False
        if end.tls == "starttls":
            self.starttls()
        self.login(login.user, login.secret)
        self.selected: str | None = None
        self.qresync = self.has_capability("QRESYNC") and self.has_capability("ENABLE")
        if self.qresync:
            self.enable("QRESYNC")
        self.socket().settimeout(timeout)

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
class _Session:
    """One mailbox's connection, and the work under way on it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    client: Client | None = None
    used: float = 0.0
    begun: float = 0.0
    ordinary: bool = False  # the work under way holds one of the ordinary places
    cut: bool = False  # its connection was shut from outside

    def silent(self) -> float:
        """Seconds since the mail server last sent something, or took something, on this connection."""
        age = time.monotonic() - self.begun
        client = self.client
        if client is None:
            return age
        try:
            info = client.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)
            sent, taken = struct.unpack_from("II", info, 52)  # tcpi_last_data_recv, tcpi_last_ack_recv: ms
        except (OSError, AttributeError, struct.error):
            return age
        return min(age, int(sent) / 1000, int(taken) / 1000)

    def shut(self) -> None:
        """End the connection under the thread that uses it: it reads the end of the stream, and returns."""
        self.cut = True
        client = self.client
        if client is not None:
            with contextlib.suppress(OSError, AttributeError):
                # not SSLSocket's own: that one changes what the thread is using
                socket.socket.shutdown(client.socket(), socket.SHUT_RDWR)


@dataclass(slots=True)
class _Stuck:
    """A mailbox that did not answer."""

    since: float
    again: float  # before this no further try


class ImapPool:
    """Keeps up to ``size`` logged-in connections, one per mailbox, and runs functions on them in threads.

    Calls for one mailbox run one after the other; different mailboxes run at once, up to ``threads``. A connection
    that failed or whose caller was cancelled is closed, never used again.

    A mailbox that does not answer keeps no other from being read: work that hears nothing for a moment leaves its
    place to others, up to ``slow`` at a time; when those are all in use, the one silent longest is ended. A mailbox
    that did not answer in time is *stuck* until it does: it gets one try at a time, which must reach its INBOX within
    ``probe`` seconds, in one of ``tries`` places that all stuck mailboxes share; other calls for it fail at once.
    """

    def __init__(
        self,
        login: Callable[[str], ImapLogin],
        *,
        size: int = 128,
        threads: int = 8,
        idle_seconds: float = 300.0,
        timeout: float = 30.0,
        slow: int = 24,
        tries: int = 4,
        probe: float = 5.0,
    ) -> None:
        """``timeout``: seconds the mail server may be silent while it answers."""
        self._login = login
        self._size = size
        self._idle = idle_seconds
        self._timeout = timeout
        self._probe = min(probe, timeout)
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._places = asyncio.Semaphore(threads)
        self._slow: dict[int, _Session] = {}
        self._most_slow = slow
        self._trying = 0
        self._most_trying = tries
        self._stuck: dict[str, _Stuck] = {}
        self._jobs: set[asyncio.Future[Any]] = set()
        self._threads = ThreadPoolExecutor(threads + slow + tries, thread_name_prefix="imap")

    def is_stuck(self, address: str) -> bool:
        """Whether a mailbox did not answer when it was last tried."""
        return address in self._stuck

    def stuck(self) -> dict[str, float]:
        """The mailboxes that do not answer, with the seconds since they were first found so."""
        now = time.monotonic()
        return {address: now - one.since for address, one in self._stuck.items()}

    def silent(self, address: str) -> float:
        """Seconds for which work on a mailbox has heard nothing of the mail server; 0 where there is none."""
        session = self._sessions.get(address)
        return session.silent() if session is not None and session.lock.locked() else 0.0

    async def run(self, address: str, work: Callable[[Client], T]) -> T:
        """Run ``work(client)`` in a thread on a connection of ``address``.

        A kept connection that turns out dead before the first answer is replaced once, so ``work`` must be
        safe to repeat. Raises MailServerDown when no connection can be had, MailboxStuck (one of those) when there is
        no answer in time or another call is finding out; what ``work`` raises otherwise.
        """
        while True:
            session = self._sessions.get(address)
            if session is None:
                session = self._sessions[address] = _Session()
            self._sessions.move_to_end(address)
            if address in self._stuck and session.lock.locked():
                raise self._refusal(address)
            async with session.lock:
                if self._sessions.get(address) is session:  # else it was dropped while we waited
                    return await self._run(address, session, work)

    async def _run(self, address: str, session: _Session, work: Callable[[Client], T]) -> T:
        stuck = self._stuck.get(address)
        if stuck is not None:
            if time.monotonic() < stuck.again or self._trying >= self._most_trying:
                raise self._refusal(address)
            self._trying += 1
        else:
            await self._places.acquire()
            session.ordinary = True
        session.begun, session.cut = time.monotonic(), False
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(self._threads, self._work, address, session, work, stuck is not None)
        self._jobs.add(job)
        job.add_done_callback(lambda done: self._ended(address, session, done, tried=stuck is not None))
        try:
            while not job.done():
                await asyncio.wait([job], timeout=PATIENCE if session.ordinary else None)
                if session.ordinary and not job.done() and session.silent() >= PATIENCE:
                    self._lend(session)
        except asyncio.CancelledError:
            # the thread still owns the connection: what it began may end, for a moment; then it is cut off
            await asyncio.wait([job], timeout=_GRACE)
            self._forsake(address, session, job)
            raise
        finally:
            session.used = time.monotonic()
            self._evict()
        try:
            found = job.result()
        except MailboxStuck as error:
            if self._sessions.get(address) is session:  # else it was dropped, and cut off for that
                self._did_not_answer(address, error)
            raise
        except MailServerDown:
            raise
        except BaseException:
            self._answered(address)
            raise
        self._answered(address)
        return found

    def _lend(self, session: _Session) -> None:
        """Leave the place to another: this one hears nothing. Where too many do, the one silent longest is ended."""
        if len(self._slow) < self._most_slow:
            self._slow[id(session)] = session
            session.ordinary = False
            self._places.release()
        elif self._slow:
            quietest = max(
                (one for one in self._slow.values() if not one.cut), key=_Session.silent, default=None
            )
            if quietest is not None and quietest.silent() > _SILENT:
                quietest.shut()

    def _ended(self, address: str, session: _Session, job: asyncio.Future[Any], *, tried: bool) -> None:
        """The thread has let go of a session."""
        self._jobs.discard(job)
        if not job.cancelled():
            job.exception()  # whoever waited may be gone
        if tried:
            self._trying -= 1
        elif session.ordinary:
            session.ordinary = False
            self._places.release()
        else:
            self._slow.pop(id(session), None)
        if self._sessions.get(address) is not session:
            self._close(session)

    def _forsake(self, address: str, session: _Session, job: asyncio.Future[Any]) -> None:
        """Use this session no more; a thread that is still in it closes it when it returns."""
        if self._sessions.get(address) is session:
            del self._sessions[address]
        if job.done():
            self._close(session)
        else:
            session.shut()

    def _refusal(self, address: str) -> MailboxStuck:
        seconds = self.stuck().get(address, 0.0)
        return MailboxStuck(
            f"the mailbox {address} has not answered for {seconds:.0f} s; it is tried again every few seconds"
        )

    def _did_not_answer(self, address: str, error: MailboxStuck) -> None:
        now = time.monotonic()
        known = self._stuck.get(address)
        if known is not None:
            known.again = now + _PAUSE
            return
        self._stuck[address] = _Stuck(now, now + _PAUSE)
        if len(self._stuck) <= _NAMED:
            log.warning(
                "%s; until it answers it is tried alone, for %g s at a time, and other calls for it fail; "
                "check the mail server's log for this mailbox, its disk and its locks",
                error,
                self._probe,
                extra={"inbox": address},
            )
        elif len(self._stuck) == _NAMED + 1:
            log.warning(
                "more than %d mailboxes do not answer: the mail server itself seems stuck, or the network to it",
                _NAMED,
            )

    def _answered(self, address: str) -> None:
        known = self._stuck.pop(address, None)
        if known is not None:
            log.warning(
                "the mailbox %s answers again, after %.0f s",
                address,
                time.monotonic() - known.since,
                extra={"inbox": address},
            )

    def _work(self, address: str, session: _Session, work: Callable[[Client], T], probe: bool) -> T:
        """In a thread. ``probe``: the mailbox did not answer last time, so it has to show first that it does."""
        if probe or session.client is None or time.monotonic() - session.used >= self._idle:
            self._close(session)
        for attempt in (0, 1):
            fresh = session.client is None
            try:
                if session.client is None:
                    self._connect(address, session, probe)
                assert session.client is not None
                return work(session.client)
            except (OSError, EOFError, IMAPClientError) as error:
                dead = isinstance(error, (OSError, EOFError, IMAPClient.AbortError))
                self._close(session)
                if isinstance(error, TimeoutError) or session.cut:
                    waited = time.monotonic() - session.begun
                    raise MailboxStuck(f"the mailbox {address} did not answer for {waited:.0f} s") from error
                if dead and not fresh and attempt == 0:
                    continue
                if dead or (fresh and isinstance(error, imapclient.exceptions.LoginError)):
                    raise MailServerDown(f"IMAP of {address}: {error}") from error
                raise
            except BaseException:
                self._close(session)
                raise
        raise MailServerDown(f"IMAP of {address}: no connection")

    def _connect(self, address: str, session: _Session, probe: bool) -> None:
        def opened(client: Client) -> None:
            session.client = client  # from here on it can be cut off
            if session.cut:
                raise TimeoutError("cut off while it connected")

        client = Client(self._login(address), self._probe if probe else self._timeout, opened)
        if probe:
            client.open("INBOX", readonly=True)
            client.leave()
            client.socket().settimeout(self._timeout)

    @staticmethod
    def _close(session: _Session) -> None:
        client, session.client = session.client, None
        if client is not None:
            try:
                client.shutdown()
            except (OSError, EOFError, IMAPClientError):
                pass

    def _evict(self) -> None:
        open_ones = [(a, one) for a, one in self._sessions.items() if one.client is not None]
        now = time.monotonic()
        surplus = len(open_ones) - self._size
        for address, session in open_ones:
            if session.lock.locked():
                continue
            if surplus > 0 or now - session.used > self._idle:
                self._close(session)
                self._sessions.pop(address, None)
                surplus -= 1

    async def drop(self, address: str) -> None:
        """Close the connection of ``address`` (its mailbox goes away); what is under way on it may end first, for a
        moment."""
        self._stuck.pop(address, None)
        session = self._sessions.pop(address, None)
        if session is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE), session.lock:
                self._close(session)
                return
        session.shut()

    @contextlib.asynccontextmanager
    async def closed(self, addresses: Iterable[str]) -> AsyncIterator[None]:
        """Have no connection of these mailboxes inside the block; calls for them wait until it ends."""
        async with contextlib.AsyncExitStack() as stack:
            for address in sorted(set(addresses)):
                await self.drop(address)
                session = self._sessions[address] = _Session()
                await stack.enter_async_context(session.lock)
            yield

    async def close(self) -> None:
        """Close every connection and end the threads; one that hangs is cut off."""
        await asyncio.gather(*(self.drop(address) for address in list(self._sessions)))
        if self._jobs:
            await asyncio.wait(list(self._jobs), timeout=_GRACE)
        self._threads.shutdown(wait=not self._jobs, cancel_futures=True)
