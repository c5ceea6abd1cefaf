"""What the benchmarks share: a gateway or a bare mail server in a process of its own, and figures in words."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from tests.gateway_process import GatewayProcess, Organization, Server, start_gateway
from tests.servers import data_directory

ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def gateway_in(server: Server = "embedded", **settings: Any) -> Iterator[GatewayProcess]:
    """A started gateway on a data directory of its own, stopped and removed at the end."""
    with TemporaryDirectory(prefix="bench-") as folder, data_directory(Path(folder)) as data:
        settings.setdefault("log__level", "warning")
        gateway = start_gateway(data, server, **settings)
        try:
            yield gateway
        finally:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.stop()


def inboxes_of(organization: Organization, count: int) -> list[str]:
    """Make inboxes; answers their addresses."""
    with organization.client() as client:
        made = []
        for number in range(count):
            answer = client.post("inboxes", json={"username": f"bench-{number}-{os.urandom(3).hex()}"})
            answer.raise_for_status()
            made.append(str(answer.json()["email"]))
    return made


class Bare:
    """The same mail server without the gateway (see ``bare.py``), in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.facts: dict[str, Any] = self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the bare mail server ended")
        return json.loads(line)

    def ask(self, command: str) -> Any:
        """One command, one answer. Blocks."""
        stdin: IO[str] | None = self._process.stdin
        assert stdin is not None
        stdin.write(command + "\n")
        stdin.flush()
        return self._answer()

    async def stored(self, count: int) -> float:
        """Wait until ``count`` mails in all were stored; answers the monotonic time of the last one."""
        return float(await asyncio.to_thread(self.ask, f"stored {count}"))


@contextmanager
def bare_server(server: Server, mailboxes: int, smarthost: int = 0) -> Iterator[Bare]:
    """A bare mail server with that many mailboxes; ``smarthost`` is a loopback port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.bench.bare", server, str(mailboxes), str(smarthost)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Bare(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` (0 … 1) of the values do not exceed."""
    ordered = sorted(values)
    return (
        ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))] if ordered else float("nan")
    )


def spread(seconds: Sequence[float]) -> str:
    """p50 and p99 in milliseconds."""
    return f"p50 {percentile(seconds, 0.5) * 1e3:.1f} ms  p99 {percentile(seconds, 0.99) * 1e3:.1f} ms"


def say(what: str, figure: str) -> None:
    print(f"  {what:<58} {figure}", flush=True)


def heading(title: str) -> None:
    load = os.getloadavg()[0]
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    print(f"{title}  ({now}, {os.cpu_count()} cores, {platform.release()}, load {load:.1f})", flush=True)


async def gather_all(jobs: Sequence[Callable[[], Awaitable[None]]], width: int) -> float:
    """Run jobs ``width`` at a time; answers the seconds it took."""
    waiting = iter(jobs)

    async def worker() -> None:
        for job in waiting:
            await job()

    started = time.monotonic()
    await asyncio.gather(*(worker() for _ in range(width)))
    return time.monotonic() - started
