"""Parsing off the event loop, in processes that can be killed (DESIGN §1.7).

Each slot owns one process and takes small runs of messages from one queue. A message that keeps its process busy
past ``patience`` is taken aside with that process: a fresh process serves the slot and the neighbours go on,
while the slow one has until ``deadline``. What then has no answer comes back with what its header block tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import subprocess
import sys
import time
from collections import deque

import msgspec

from gateway.mime.limits import DEFAULT_LIMITS, Limits
from gateway.mime.parse import minimal
from gateway.mime.types import ParsedMessage
from gateway.mime.worker_main import WorkerSettings

_RUN_MESSAGES = 16
_RUN_OCTETS = 256 * 1024


class _Job:
    __slots__ = ("raw", "result")

    def __init__(self, raw: bytes, result: asyncio.Future[ParsedMessage]) -> None:
        self.raw = raw
        self.result = result


class _Process:
    """One child and the socket to it."""

    def __init__(
        self, child: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.child = child
        self.reader = reader
        self.writer = writer
        self.decoder = msgspec.msgpack.Decoder(ParsedMessage)
        self.size: int | None = None  # of the frame whose header was read: a timeout may fall between the two

    @classmethod
    async def start(cls, settings: WorkerSettings) -> _Process:
        ours, theirs = socket.socketpair()
        try:
            child = await asyncio.to_thread(_spawn, settings, theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours, limit=1 << 20)
        return cls(child, reader, writer)

    def send(self, raw: bytes) -> None:
        # No drain: what a run may hold is bounded, and waiting here while the child waits to answer would lock.
        self.writer.write(struct.pack(">I", len(raw)))
        self.writer.write(raw)

    async def receive(self) -> ParsedMessage:
        if self.size is None:
            self.size = struct.unpack(">I", await self.reader.readexactly(4))[0]
        answer = await self.reader.readexactly(self.size)  # consumes all or nothing
        self.size = None
        return self.decoder.decode(answer)

    async def stop(self) -> None:
        self.writer.close()
        self.child.kill()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()
        await asyncio.to_thread(self.child.wait)


def _spawn(settings: WorkerSettings, theirs: socket.socket) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "gateway.mime.worker_main", msgspec.json.encode(settings).decode()],
        stdin=theirs.fileno(),
        stdout=subprocess.DEVNULL,
        env={"PYTHONPATH": path, "PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
    )


class ParserPool:
    """Parser processes behind one queue. Use as an async context manager, or ``start`` and ``close``.

    Args:
        processes: how many messages are parsed at once.
        deadline: seconds of wall clock a message may take.
        patience: seconds (plus 50 ms per megabyte) after which a message is taken aside.
        memory: octets of address space of a process.
        limits: of the parser.
        authserv_id: our mail server's name in Authentication-Results, None to ignore them.
    """

    def __init__(
        self,
        processes: int = 2,
        *,
        deadline: float = 10.0,
        patience: float = 0.5,
        memory: int = 768 * 1024 * 1024,
        limits: Limits = DEFAULT_LIMITS,
        authserv_id: str | None = None,
    ) -> None:
        self.processes = processes
        self.deadline = deadline
        self.patience = min(patience, deadline)
        self.limits = limits
        self.settings = WorkerSettings(memory, deadline, limits, authserv_id)
        self._queue: deque[_Job] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._slow: set[asyncio.Task[None]] = set()
        self._processes: set[_Process] = set()
        self._open = False

    async def __aenter__(self) -> ParserPool:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Start every process (about 0.2 s of CPU each)."""
        self._open = True
        try:
            started = await asyncio.gather(*(self._start_process() for _ in range(self.processes)))
        except BaseException:
            await self.close()
            raise
        self._tasks = {asyncio.create_task(self._slot(process)) for process in started}

    async def _start_process(self) -> _Process:
        process = await _Process.start(self.settings)
        self._processes.add(process)
        return process

    async def _stop_process(self, process: _Process) -> None:
        await process.stop()
        self._processes.discard(process)

    async def close(self) -> None:
        """Stop: no process is left when this returns; calls still waiting raise CancelledError."""
        self._open = False
        tasks = [*self._tasks, *self._slow]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(self._stop_process(process) for process in list(self._processes)))
        while self._queue:
            self._queue.popleft().result.cancel()
        self._tasks.clear()

    async def parse(self, raw: bytes) -> ParsedMessage:
        """One message. Never raises for what is in it."""
        return (await self.parse_many([raw]))[0]

    async def parse_many(self, raws: list[bytes]) -> list[ParsedMessage]:
        """Messages in, parsed messages out, same order. A bad one harms and delays none of the others.

        Raises:
            RuntimeError: the pool is not open.
        """
        if not self._open:
            raise RuntimeError("the parser pool is not open")
        loop = asyncio.get_running_loop()
        jobs = [_Job(raw, loop.create_future()) for raw in raws]
        self._queue.extend(jobs)
        self._wake(len(jobs))
        try:
            return [await job.result for job in jobs]
        finally:
            for job in jobs:
                job.result.cancel()  # no effect on those done

    def _wake(self, count: int) -> None:
        while self._waiting and count > 0:
            sleeper = self._waiting.popleft()
            if not sleeper.done():
                sleeper.set_result(None)
                count -= 1

    async def _next_run(self) -> list[_Job]:
        while True:
            run: list[_Job] = []
            octets = 0
            # Leave the other slots their share of a batch.
            share = max(1, min(_RUN_MESSAGES, -(-len(self._queue) // self.processes)))
            while self._queue and len(run) < share and octets < _RUN_OCTETS:
                job = self._queue.popleft()
                if not job.result.done():
                    run.append(job)
                    octets += len(job.raw)
            if run:
                return run
            sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(sleeper)
            await sleeper

    async def _slot(self, process: _Process | None) -> None:
        while True:
            run = await self._next_run()
            try:
                if process is None:
                    process = await self._start_process()
            except OSError as error:
                await self._give_up(run.pop(0), f"no parser process: {error.strerror}")
                self._requeue(run)
                continue
            if not await self._serve(process, run):
                process = None

    async def _serve(self, process: _Process, run: list[_Job]) -> bool:
        """Answer ``run``; False when the process is gone (dead, or taken aside with the message it is at)."""
        for job in run:
            process.send(job.raw)
        for index, job in enumerate(run):
            patience = min(self.patience + len(job.raw) / 20_000_000, self.deadline)
            begun = time.monotonic()
            try:
                async with asyncio.timeout(patience):
                    answer = await process.receive()
            except TimeoutError:
                self._requeue(run[index + 1 :])
                self._take_aside(process, job, begun)
                return False
            except (asyncio.IncompleteReadError, OSError, msgspec.MsgspecError):
                self._requeue(run[index + 1 :])
                await self._stop_process(process)
                await self._give_up(job, "parser process died")
                return False
            if not job.result.done():
                job.result.set_result(answer)
        return True

    def _requeue(self, jobs: list[_Job]) -> None:
        self._queue.extendleft(reversed(jobs))
        self._wake(len(jobs))

    def _take_aside(self, process: _Process, job: _Job, begun: float) -> None:
        # So many at once that the machine would suffer: the newest is given up at once.
        left = self.deadline - (time.monotonic() - begun)
        if len(self._slow) >= 2 * self.processes:
            left = 0.0
        task = asyncio.create_task(self._wait_slow(process, job, left))
        self._slow.add(task)
        task.add_done_callback(self._slow.discard)

    async def _wait_slow(self, process: _Process, job: _Job, left: float) -> None:
        reason = "took too long to parse"
        try:
            async with asyncio.timeout(max(left, 0)):
                answer = await process.receive()
            if not job.result.done():
                job.result.set_result(answer)
            return
        except TimeoutError:
            pass
        except (asyncio.IncompleteReadError, OSError, msgspec.MsgspecError):
            reason = "parser process died"
        finally:
            await asyncio.shield(self._stop_process(process))
        await self._give_up(job, reason)

    async def _give_up(self, job: _Job, reason: str) -> None:
        if not job.result.done():
            result = await asyncio.to_thread(minimal, job.raw, self.limits, reason)
            if not job.result.done():
                job.result.set_result(result)
