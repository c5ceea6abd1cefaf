"""Work on hostile content off the event loop, in processes that can be killed (DESIGN §1.7).

Each slot owns one process and takes small runs of jobs from one queue. A job that keeps its process busy past
``patience`` is taken aside with that process: a fresh process serves the slot and the neighbours go on, while
the slow one has until ``deadline``. A job that then has no answer gets the reason and settles as it sees fit.
Both are processor time where a job is all computing: on a busy machine it is not the job that is slow.

That a process died says little of the job at its head: it may have been killed for memory, or before it read a word.
So the job goes to another process, and to further ones a little later (``retries``), before it is given up. What was
queued behind it goes on at once.

``gateway.mime.workers.serve`` is the other end of the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol, Self

import msgspec

_START_SECONDS = 30.0
_RUN_JOBS = 16
_RUN_OCTETS = 256 * 1024
_CPU_CLOCK = 2  # CPUCLOCK_SCHED of a whole process
_GRAIN = 0.005
_RETRIES = (0.0, 0.5, 2.0)
_STARTS = (0.2, 0.5, 1.0, 2.0)
_OWN_DOING = (-signal.SIGALRM, -signal.SIGXCPU)
"""How a process ends that a job kept too long: with another one it would end the same."""


class WorkerDied(Exception):
    """The process ended in the middle of a job. ``returncode`` as subprocess gives it: -N for signal N."""

    def __init__(self, returncode: int | None) -> None:
        super().__init__(returncode)
        self.returncode = returncode


class Job(Protocol):
    """One request and where its answer goes. ``urgent``: somebody waits, so it goes before what is not. ``deaths``: how
    many processes died at it."""

    kind: bytes
    payload: bytes
    urgent: bool
    deaths: int
    result: asyncio.Future[Any]

    def take(self, frame: bytes) -> bool:
        """One frame of the answer; True when it was the last one."""

    def again(self) -> None:
        """It goes to another process: what of an answer came is dropped, or not asked for again."""

    async def give_up(self, why: WorkerDied | TimeoutError | OSError) -> None:
        """There is no (whole) answer: it took too long, process after process died, or none could be started."""


class _Process:
    """One child and the socket to it."""

    def __init__(
        self, child: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.child = child
        self.reader = reader
        self.writer = writer
        self.size: int | None = None  # of the frame whose header was read: a timeout may fall between the two
        self.job: Job | None = None  # whose answer is next

    @classmethod
    async def start(cls, module: str, settings: msgspec.Struct) -> _Process:
        ours, theirs = socket.socketpair()
        try:
            child = await asyncio.to_thread(_spawn, module, settings, theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours, limit=1 << 20)
        process = cls(child, reader, writer)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await reader.readexactly(1)  # its imports are done: no job pays for them with its patience
        except BaseException as error:
            await asyncio.shield(process.stop())
            if isinstance(error, TimeoutError | asyncio.IncompleteReadError):
                raise ChildProcessError(errno.ECHILD, "it did not start") from error
            raise
        return process

    def cpu_seconds(self) -> float:
        """Processor time the child has used. Its clock has a number made of its pid (clock_getcpuclockid(3))."""
        try:
            return time.clock_gettime((~self.child.pid << 3) | _CPU_CLOCK)
        except OSError:  # it ended: the socket tells
            return 0.0

    def send(self, job: Job) -> None:
        # No drain: what a run may hold is bounded, and waiting here while the child waits to answer would lock.
        self.writer.write(struct.pack(">I", 1 + len(job.payload)) + job.kind)
        self.writer.write(job.payload)

    async def serve(self, job: Job) -> None:
        """Settle ``job`` with its answer; may be cancelled and called again."""
        self.job = job
        done = False
        while not done:
            if self.size is None:
                self.size = struct.unpack(">I", await self.reader.readexactly(4))[0]
            frame = await self.reader.readexactly(self.size)  # consumes all or nothing
            self.size = None
            done = job.take(frame)
        self.job = None

    async def stop(self) -> None:
        self.writer.close()
        self.child.kill()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()
        await asyncio.to_thread(self.child.wait)


def _spawn(module: str, settings: msgspec.Struct, theirs: socket.socket) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, msgspec.json.encode(settings).decode()],
        stdin=theirs.fileno(),
        stdout=subprocess.DEVNULL,
        env={"PYTHONPATH": path, "PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
    )


class _Meter:
    """What a job has used of its time since it was begun."""

    def __init__(self, process: _Process, wall_share: float) -> None:
        self._process, self._wall_share = process, wall_share
        self._begun, self._cpu = time.monotonic(), process.cpu_seconds()

    def spent(self) -> float:
        """Seconds: processor time, or the share of wall clock that counts where that is more."""
        wall = (time.monotonic() - self._begun) * self._wall_share
        return max(wall, self._process.cpu_seconds() - self._cpu)

    async def serve(self, job: Job, limit: float) -> None:
        """Settle ``job``. Raises TimeoutError when it has used ``limit`` seconds; it may be served on."""
        while (left := limit - self.spent()) > 0:
            try:
                async with asyncio.timeout(left + _GRAIN):  # it cannot have used them sooner
                    return await self._process.serve(job)
            except TimeoutError:
                continue
        raise TimeoutError


class WorkerPool:
    """Processes behind one queue. Use as an async context manager, or ``start`` and ``close``.

    Args:
        module: what a process runs: it calls ``gateway.mime.workers.serve.serve``.
        settings: the process' only argument, as JSON.
        processes: how many jobs are worked on at once.
        deadline: seconds a job may take: of processor time, or of wall clock times ``wall_share``.
        patience: such seconds (plus 50 ms per megabyte) after which a job is taken aside.
        wall_share: 1 where the wall clock counts in full, as for jobs that start programs of their own.
        eager: start the processes with the pool, and not with the first jobs.
        hold: what to do when as many are aside as the machine bears: let the slow one keep its slot (the queue
            waits), and not give it up.
        retries: seconds after which a job whose process died goes to another one, each time that happens.
    """

    def __init__(
        self,
        module: str,
        settings: msgspec.Struct,
        *,
        processes: int,
        deadline: float,
        patience: float,
        wall_share: float = 1.0,
        eager: bool = True,
        hold: bool = False,
        retries: Sequence[float] = _RETRIES,
    ) -> None:
        self.module = module
        self.settings = settings
        self.processes = processes
        self.deadline = deadline
        self.patience = min(patience, deadline)
        self._wall_share = wall_share
        self._eager = eager
        self._hold = hold
        self._retries = retries
        self._queue: deque[Job] = deque()
        self._urgent: deque[Job] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._slow: set[asyncio.Task[None]] = set()
        self._later: set[asyncio.Task[None]] = set()
        self._processes: set[_Process] = set()
        self._open = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Open the pool; with ``eager`` every process is started (about 0.2 s of CPU each)."""
        self._open = True
        started: list[_Process | None] = [None] * self.processes
        if self._eager:
            try:
                started = list(await asyncio.gather(*(self._start_process() for _ in range(self.processes))))
            except BaseException:
                await self.close()
                raise
        self._tasks = {asyncio.create_task(self._slot(process)) for process in started}

    async def _start_process(self) -> _Process:
        process = await _Process.start(self.module, self.settings)
        self._processes.add(process)
        return process

    async def _stop_process(self, process: _Process) -> None:
        await process.stop()
        self._processes.discard(process)

    async def close(self) -> None:
        """Stop: no process is left when this returns; calls still waiting raise CancelledError."""
        self._open = False
        tasks = [*self._tasks, *self._slow, *self._later]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(self._stop_process(process) for process in list(self._processes)))
        for job in (*self._urgent, *self._queue):
            job.result.cancel()
        self._urgent.clear()
        self._queue.clear()
        self._tasks.clear()

    async def run(self, jobs: Sequence[Job]) -> list[Any]:
        """The results of ``jobs``, same order; raises the first exception that one was settled with.

        Raises:
            RuntimeError: the pool is not open.
        """
        if not self._open:
            raise RuntimeError("the worker pool is not open")
        for job in jobs:
            (self._urgent if job.urgent else self._queue).append(job)
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

    async def _next_run(self) -> list[Job]:
        while True:
            run: list[Job] = []
            octets = 0
            # Leave the other slots their share of a batch.
            waiting = len(self._urgent) + len(self._queue)
            share = max(1, min(_RUN_JOBS, -(-waiting // self.processes)))
            while (self._urgent or self._queue) and len(run) < share and octets < _RUN_OCTETS:
                # The last place of a run goes to the queue, so that urgent jobs cannot starve the others.
                first = self._urgent and not (self._queue and share > 1 and len(run) == share - 1)
                job = (self._urgent if first else self._queue).popleft()
                if not job.result.done():
                    run.append(job)
                    octets += len(job.payload)
            if run:
                return run
            sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(sleeper)
            await sleeper

    async def _slot(self, process: _Process | None) -> None:
        failures = 0
        while True:
            run = await self._next_run()
            try:
                if process is None:
                    process = await self._start_process()
            except OSError as error:
                if failures == len(_STARTS):
                    await run.pop(0).give_up(error)
                self._requeue(run)
                await asyncio.sleep(_STARTS[min(failures, len(_STARTS) - 1)])
                failures = min(failures + 1, len(_STARTS))
                continue
            failures = 0
            if not await self._serve(process, run):
                process = None
            run = []  # they may be large, and the next may be long in coming

    async def _serve(self, process: _Process, run: list[Job]) -> bool:
        """Answer ``run``; False when the process is gone (dead, or taken aside with the job it is at)."""
        for job in run:
            process.send(job)
        for index, job in enumerate(run):
            patience = min(self.patience + len(job.payload) / 20_000_000, self.deadline)
            meter = _Meter(process, self._wall_share)
            try:
                await meter.serve(job, patience)
            except TimeoutError:
                self._requeue(run[index + 1 :])
                crowded = len(self._slow) >= 2 * self.processes
                if crowded and self._hold:
                    await self._wait_slow(process, job, meter, self.deadline)
                else:
                    # so many at once that the machine would suffer: the newest is given up at once
                    self._take_aside(process, job, meter, 0.0 if crowded else self.deadline)
                return False
            except (asyncio.IncompleteReadError, OSError, msgspec.MsgspecError):
                self._requeue(run[index + 1 :])
                await self._stop_process(process)
                await self._died(job, WorkerDied(process.child.returncode))
                return False
        return True

    async def _died(self, job: Job, why: WorkerDied) -> None:
        """A process died at ``job``: another one gets it, now or in a moment, unless enough have died."""
        job.deaths += 1
        if job.deaths > len(self._retries) or why.returncode in _OWN_DOING:
            await job.give_up(why)
            return
        job.again()
        pause = self._retries[job.deaths - 1]
        if not pause:
            self._requeue([job])
            return
        task = asyncio.create_task(self._requeue_later(job, pause))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _requeue_later(self, job: Job, pause: float) -> None:
        try:
            await asyncio.sleep(pause)
        except asyncio.CancelledError:
            job.result.cancel()
            raise
        self._requeue([job])

    def _requeue(self, jobs: list[Job]) -> None:
        for job in reversed(jobs):
            (self._urgent if job.urgent else self._queue).appendleft(job)
        self._wake(len(jobs))

    def _take_aside(self, process: _Process, job: Job, meter: _Meter, limit: float) -> None:
        task = asyncio.create_task(self._wait_slow(process, job, meter, limit))
        self._slow.add(task)
        task.add_done_callback(self._slow.discard)

    async def _wait_slow(self, process: _Process, job: Job, meter: _Meter, limit: float) -> None:
        why: TimeoutError | WorkerDied
        try:
            await meter.serve(job, limit)
            return
        except TimeoutError as error:
            why = error
        except (asyncio.IncompleteReadError, OSError, msgspec.MsgspecError):
            why = WorkerDied(None)
        finally:
            await asyncio.shield(self._stop_process(process))
        if isinstance(why, WorkerDied):
            why.returncode = process.child.returncode
            await self._died(job, why)
        else:
            await job.give_up(why)
