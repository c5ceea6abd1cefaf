"""Keeping one daemon of ours alive as a child, and never killing a process that is not ours.

The child dies with the gateway (PR_SET_PDEATHSIG through setpriv(1), because a preexec function may not run
Python safely in a threaded parent). What a SIGKILL of everything still leaves is found at the next start by
its working directory below our run directory, and ended before a new daemon starts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from pathlib import Path

log = logging.getLogger(__name__)

_FILES = 16384
_GRACE_SECONDS = 3.0
_STARTS = 4


@cache
def _tool(name: str) -> str | None:
    """Where a program is; looked up once, because callers are on the event loop."""
    return shutil.which(name)


def wrapped(
    command: Sequence[str], user: str | None = None, group: str | None = None, groups: Sequence[str] = ()
) -> list[str]:
    """``command`` that dies with us, under ``user`` (only when we are root), with enough descriptors."""
    line: list[str] = []
    if setpriv := _tool("setpriv"):
        line += [setpriv]
        if user and os.geteuid() == 0:
            line += [f"--reuid={user}", f"--regid={group or user}"]
            line += [f"--groups={','.join(groups)}"] if groups else ["--clear-groups"]
        line += ["--pdeathsig", "TERM"]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if prlimit := _tool("prlimit"):
        limit = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        line += [prlimit, f"--nofile={limit}"]
    return [*line, *command]


def below(directory: Path) -> list[int]:
    """Pids of processes whose working directory is ``directory`` or below it (our daemons' children)."""
    found = []
    top = os.path.realpath(directory)
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            cwd = os.readlink(f"/proc/{entry}/cwd").removesuffix(" (deleted)")
        except OSError:
            continue
        if cwd == top or cwd.startswith(top + "/"):
            found.append(int(entry))
    return found


def exists(pid: int) -> bool:
    """Whether there is a process ``pid``, of whatever user. Not by /proc, which in a unit's sandbox
    (``ProtectProc=`` of systemd.exec(5)) shows less than there is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def program_of(pid: int) -> str:
    """The name a process runs under, for the log."""
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "a process"


def end(pids: Callable[[], list[int]], patience: float = 1.5) -> None:
    """SIGTERM what ``pids`` names, SIGKILL what is left after ``patience`` seconds. Blocks.

    Both daemons are made to survive a SIGKILL (what was not acknowledged is sent again), and some of their
    processes answer SIGTERM late: Dovecot's auth waits up to 30 s for its clients.
    """
    deadline = time.monotonic() + patience
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids():
            if sign == signal.SIGKILL:
                log.warning("%s (pid %d) did not end in %g s; it is killed", program_of(pid), pid, patience)
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                pass
        while pids() and time.monotonic() < deadline:
            time.sleep(0.02)
        if not pids():
            return
        deadline = time.monotonic() + 2


class Child:
    """A daemon in the foreground under supervision: restarted with growing pauses when it dies."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        ready: Callable[[], Awaitable[bool]],
        *,
        before: Callable[[], None] | None = None,
        output: Path | Callable[[asyncio.StreamReader], Awaitable[None]] | None = None,
        first_pause: float = 0.2,
        longest_pause: float = 30.0,
    ) -> None:
        """``before`` (blocking, run in a thread) clears the ground before each start. ``output`` is where what it says
        goes: a file, or what follows a pipe to its end."""
        self.name = name
        self._command = list(command)
        self._ready = ready
        self._before = before
        self._output = output
        self._pauses = (first_pause, longest_pause)
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._followers: set[asyncio.Future[None]] = set()
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self, timeout: float = 20.0) -> bool:
        """Start it and wait until it is ready; False when it ended by itself, or is not ready in time.

        One that somebody killed meanwhile says nothing of its settings: it is started again, a few times.
        """
        deadline = time.monotonic() + timeout
        for again in reversed(range(_STARTS)):
            await self._spawn()
            if await self._await_ready(deadline - time.monotonic()):
                self._watch = asyncio.create_task(self._supervise(), name=f"supervise {self.name}")
                return True
            code = self._process.returncode if self._process is not None else None
            await self._end()
            await self.read_out()
            if code is None or code >= 0:
                return False
            log.error("%s was killed by signal %d while it started", self.name, -code)
            if again and time.monotonic() < deadline:
                log.info("%s is started again", self.name)
                await asyncio.sleep(self._pauses[0])
        return False

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after three seconds."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = None
        await self._end()

    async def read_out(self) -> None:
        """Follow what is left of its output; call when its children are gone too."""
        if self._followers:
            await asyncio.wait(self._followers, timeout=1)
        for one in self._followers:
            one.cancel()

    async def _spawn(self) -> None:
        if self._before is not None:
            await asyncio.to_thread(self._before)
        sink = await (self._open_pipe() if callable(self._output) else asyncio.to_thread(self._open_file))
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd="/",
                start_new_session=True,
            )
        finally:
            os.close(sink)

    def _open_file(self) -> int:
        path = self._output if isinstance(self._output, Path) else Path(os.devnull)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def _open_pipe(self) -> int:
        """A pipe of our own: asyncio's would make waiting for the process wait for its children too, who hold it."""
        assert callable(self._output)
        ours, theirs = os.pipe()
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", 0)
        )
        task = asyncio.ensure_future(self._output(reader))
        self._followers.add(task)
        task.add_done_callback(self._followers.discard)
        return theirs

    async def _await_ready(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._process is None or self._process.returncode is not None:
                return False
            if await self._ready():
                return True
            await asyncio.sleep(0.02)
        return False

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _supervise(self) -> None:
        pause, longest = self._pauses
        while True:
            assert self._process is not None
            started = time.monotonic()
            code = await self._process.wait()
            if time.monotonic() - started > 60:
                pause = self._pauses[0]
            log.error("%s ended with status %s; starting it again in %.1f s", self.name, code, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)
            self.restarts += 1
            try:
                await self._spawn()
            except OSError as error:
                log.error("%s cannot be started: %s", self.name, error)
