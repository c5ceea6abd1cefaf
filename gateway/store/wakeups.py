"""Waking the other gateway processes on the same database when there is work for them.

A wake-up may be lost: whoever waits for one also checks by itself every few seconds, so a lost one costs those and
nothing else. ``LocalWakeups`` is for a process that is alone. ``PostgresWakeups`` uses LISTEN and NOTIFY, on two
connections of its own: NOTIFY inside the transactions that write would make their commits wait for one another
(PostgreSQL takes a lock on the whole cluster for it), so it is sent after them, and what comes together goes together.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from gateway.records.ids import new_ulid
from gateway.store.postgres import connection_options, plain_url

log = logging.getLogger("postern.wakeups")

Topic = Literal["events", "outbox", "hint", "keys", "leases", "inboxes"]
"""What other processes are notified of. Only a ``hint`` has a text."""

Subscriber = Callable[[str], None]
Answer = Callable[[str], Awaitable[str | None]]
"""Answers another process's question; None says nothing."""

_CHANNEL = "postern"
_MAX_TEXT = 7_000  # PostgreSQL takes payloads below 8000 octets
_MAX_WAITING = 20_000
_AGAIN_FIRST, _AGAIN_MOST = 0.1, 5.0


class Wakeups(Protocol):
    """Used on the event loop, but for ``notify``."""

    def notify(self, topic: Topic, text: str = "") -> None:
        """Notify every other process; safe from any thread. Nobody in this process is notified."""

    def subscribe(self, topic: Topic, call: Subscriber) -> None:
        """Have ``call`` called with the text when another process notifies of ``topic``, or may have."""

    def answer(self, question: str, how: Answer) -> None:
        """Have the other processes' questions of this kind answered."""

    async def ask(self, question: str, text: str, processes: int, timeout: float) -> list[str]:
        """Ask the others; returns their answers, as soon as one is not empty or ``processes`` have answered."""

    async def start(self) -> None:
        """Connect, now or as soon as it can be done."""

    async def stop(self) -> None:
        """Send what is waiting, and stop."""


class LocalWakeups:
    """There is no other process: events inside this one wake by themselves."""

    def notify(self, topic: Topic, text: str = "") -> None: ...

    def subscribe(self, topic: Topic, call: Subscriber) -> None: ...

    def answer(self, question: str, how: Answer) -> None: ...

    async def ask(self, question: str, text: str, processes: int, timeout: float) -> list[str]:
        return []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class PostgresWakeups:
    """``url``: the database; connect to PostgreSQL itself, not to a pooler that shares connections."""

    def __init__(self, url: str) -> None:
        self._url, self._options = plain_url(url), connection_options(url)
        self._me = new_ulid()
        self._loop = asyncio.get_running_loop()
        self._subscribers: dict[str, list[Subscriber]] = {}
        self._answers: dict[str, Answer] = {}
        self._waiting: dict[str, None] = {}
        self._some = asyncio.Event()
        self._asked: dict[str, asyncio.Queue[str]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._jobs: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._lasting(self._listen), name="wakeups-listen"),
            asyncio.create_task(self._lasting(self._send), name="wakeups-send"),
        ]

    async def stop(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while self._waiting:  # noqa: ASYNC110 - at the very end, for a few milliseconds
                    await asyncio.sleep(0.005)
        tasks = [*self._tasks, *self._jobs]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks = []

    def notify(self, topic: Topic, text: str = "") -> None:
        if len(text.encode()) <= _MAX_TEXT:
            self._post(f"{topic} {text}")

    def subscribe(self, topic: Topic, call: Subscriber) -> None:
        self._subscribers.setdefault(topic, []).append(call)

    def answer(self, question: str, how: Answer) -> None:
        self._answers[question] = how

    async def ask(self, question: str, text: str, processes: int, timeout: float) -> list[str]:
        number, said = new_ulid(), list[str]()
        self._asked[number] = answers = asyncio.Queue[str]()
        try:
            async with asyncio.timeout(timeout):
                self._post(f"?{question} {number} {text}")
                while len(said) < processes and not any(said):
                    said.append(await answers.get())
        except TimeoutError:
            pass
        finally:
            del self._asked[number]
        return said

    def _post(self, words: str) -> None:
        def now() -> None:
            self._waiting[words] = None
            if len(self._waiting) > _MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
            self._some.set()

        with contextlib.suppress(RuntimeError):  # the loop has closed
            self._loop.call_soon_threadsafe(now)

    async def _lasting(self, work: Callable[[], Awaitable[None]]) -> None:
        import psycopg

        pause = _AGAIN_FIRST
        while True:
            begun = self._loop.time()
            try:
                await work()
            except (psycopg.Error, OSError) as error:
                if self._loop.time() - begun > 30:
                    pause = _AGAIN_FIRST
                log.warning(
                    "wake-ups wait for the database: %s; until then each process checks by itself", error
                )
            except Exception:
                log.exception("wake-ups broke; they are taken up again")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _AGAIN_MOST)

    async def _listen(self) -> None:
        import psycopg

        async with await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, **self._options
        ) as connection:
            await connection.execute(f"LISTEN {_CHANNEL}")
            for (
                calls
            ) in self._subscribers.values():  # what was sent before we listened is lost: look at everything
                for call in calls:
                    call("")
            async for notice in connection.notifies():
                sender, _, words = notice.payload.partition(" ")
                if sender != self._me:
                    self._take(words)

    async def _send(self) -> None:
        import psycopg

        async with await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, **self._options
        ) as connection:
            self._some.set()  # what an earlier connection could not send
            while True:
                await self._some.wait()
                self._some.clear()
                some = list(self._waiting)
                if some:
                    await connection.execute(
                        "SELECT pg_notify(%s, words) FROM unnest(%s::text[]) AS words",
                        (_CHANNEL, [f"{self._me} {words}" for words in some]),
                    )
                for words in some:
                    self._waiting.pop(words, None)

    def _take(self, words: str) -> None:
        kind, _, text = words.partition(" ")
        if kind == "!":
            number, _, said = text.partition(" ")
            if number in self._asked:
                self._asked[number].put_nowait(said)
        elif kind.startswith("?"):
            number, _, asked = text.partition(" ")
            how = self._answers.get(kind[1:])
            if how is not None:
                job = asyncio.create_task(self._reply(how, number, asked), name="wakeups-answer")
                self._jobs.add(job)
                job.add_done_callback(self._jobs.discard)
        for call in self._subscribers.get(kind, ()):
            call(text)

    async def _reply(self, how: Answer, number: str, asked: str) -> None:
        try:
            said = await how(asked)
        except Exception:
            log.exception("a question of another process could not be answered")
            said = ""
        if said is not None:
            self._post(f"! {number} {said}")
