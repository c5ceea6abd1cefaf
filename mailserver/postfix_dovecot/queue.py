"""Postfix's queue: what is in it, and another attempt for it, without any right but the group ``postdrop``.

postqueue(1) is set-gid, and then takes no configuration directory but the system's. Without new privileges (as in the
gateway's unit) the kernel ignores that bit, postqueue is a program like any other and believes us; what it reads is
then open to the caller's own groups alone.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailserver.base import MailServerError
from mailserver.postfix_dovecot.config import postfix_binary
from mailserver.postfix_dovecot.verp import bare_recipient

QUEUE_ID = re.compile(r"[0-9A-Za-z]{5,32}")
"""A message's name in Postfix's queue (short or long form)."""

_LINE = 1 << 20  # a message of 2000 recipients, each with its reason, is one line


@dataclass(frozen=True, slots=True)
class QueueState:
    """Messages that wait in Postfix's queue; ``queues`` counts them by queue (active, deferred, …)."""

    count: int = 0
    oldest_seconds: float = 0.0
    size: int = 0  # octets
    queues: dict[str, int] = field(default_factory=dict)
    reason: str = ""  # why the oldest waits, in the words of whoever made it wait


async def queue_state(directory: Path) -> QueueState:
    """The queue of the Postfix configured in ``directory``. Raises MailServerError when it cannot be asked."""
    count = size = 0
    queues: Counter[str] = Counter()
    oldest: dict[str, Any] = {}
    async with aclosing(_messages(directory)) as messages:
        async for one in messages:
            count += 1
            size += int(one.get("message_size", 0))
            queues[str(one.get("queue_name", ""))] += 1
            if one.get("arrival_time", 0) < oldest.get("arrival_time", float("inf")):
                oldest = one
    if not count:
        return QueueState()
    reasons = (str(to.get("delay_reason", "")) for to in oldest.get("recipients", []))
    age = max(0.0, time.time() - oldest.get("arrival_time", 0))
    return QueueState(count, age, size, dict(queues), next(filter(None, reasons), ""))


@dataclass(frozen=True, slots=True)
class Queued:
    """A message in Postfix's queue. ``arrived``: epoch seconds; ``recipients``: (address, why it waits)."""

    queue_id: str
    queue: str  # incoming active deferred hold
    sender: str
    size: int
    arrived: float
    recipients: tuple[tuple[str, str], ...]


async def queued(directory: Path, most: int) -> tuple[int, list[Queued]]:
    """How many messages wait, and the ``most`` oldest of them. Raises MailServerError when it cannot be asked."""
    count = 0
    kept: list[tuple[float, int, Queued]] = []  # a heap with the youngest on top
    async with aclosing(_messages(directory)) as messages:
        async for one in messages:
            count += 1
            arrived = float(one.get("arrival_time", 0))
            heapq.heappush(kept, (-arrived, count, _queued(one, arrived)))
            if len(kept) > most:
                heapq.heappop(kept)
    return count, [one for _, _, one in sorted(kept, key=lambda held: (-held[0], held[1]))]


def _queued(one: dict[str, Any], arrived: float) -> Queued:
    people = one.get("recipients") or []
    return Queued(
        str(one.get("queue_id", "")),
        str(one.get("queue_name", "")),
        str(one.get("sender", "")),
        int(one.get("message_size", 0)),
        arrived,
        tuple((bare_recipient(str(to.get("address", ""))), str(to.get("delay_reason", ""))) for to in people),
    )


async def is_queued(directory: Path, queue_id: str) -> bool:
    """Whether a message of this id waits. Raises MailServerError when it cannot be asked."""
    found = False
    async with aclosing(_messages(directory)) as messages:
        async for one in messages:
            found = found or one.get("queue_id") == queue_id
    return found


async def flush(directory: Path, queue_id: str | None = None) -> None:
    """Have one message, or with None the whole queue, tried now (``postqueue -i``, ``-f``).
    Raises MailServerError when Postfix cannot be asked."""
    child = await _postqueue(directory, *(("-i", queue_id) if queue_id else ("-f",)))
    _, errors = await child.communicate()
    if child.returncode != 0:
        raise MailServerError(_no_entry(errors))


async def expire(directory: Path, queue_id: str) -> None:
    """Have Postfix give up on a message now, held or not, and return it to its sender, as when its time is over
    (``postsuper -f``, Postfix 3.5); who has it already keeps it. Needs root. Raises MailServerError."""
    child = await asyncio.create_subprocess_exec(
        postfix_binary("postsuper"),
        "-c",
        str(directory),
        "-f",
        queue_id,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await child.communicate()
    if child.returncode != 0:
        words = errors.decode("utf-8", "replace").strip()[:300]
        raise MailServerError(f"Postfix did not give up on {queue_id}: {words}")
    await flush(directory, queue_id)


async def queued_from(directory: Path, sender: str) -> bool:
    """Whether a message of this envelope sender waits. Raises MailServerError when it cannot be asked."""
    found = False
    async with aclosing(_messages(directory)) as messages:
        async for one in messages:
            found = found or one.get("sender") == sender
    return found


def _no_entry(said: bytes) -> str:
    words = said.decode("utf-8", "replace").strip()[:300]
    return f"Postfix's queue cannot be read: {words}; the gateway's user must be in the group postdrop"


async def _postqueue(directory: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *([] if await asyncio.to_thread(_unprivileged) else ["setpriv", "--no-new-privs"]),
        postfix_binary("postqueue"),
        "-c",
        str(directory),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LINE,
    )


def _unprivileged() -> bool:
    """Whether we, and so what we start, are without new privileges already; where a unit forbids capset(2), setpriv
    ends even if nothing is left to do for it. Blocks."""
    return "\nNoNewPrivs:\t1\n" in Path("/proc/self/status").read_text("ascii", "replace")


async def _messages(directory: Path) -> AsyncGenerator[dict[str, Any]]:
    """Each message in the queue as postqueue(1) shows it, one at a time however many there are."""
    child = await _postqueue(directory, "-j")
    assert child.stdout is not None
    assert child.stderr is not None
    errors = asyncio.create_task(child.stderr.read())
    try:
        async for line in child.stdout:
            if line.strip():
                yield json.loads(line)
        words = await errors
        if await child.wait() != 0:
            raise MailServerError(_no_entry(words))
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
        await asyncio.wait([errors])
