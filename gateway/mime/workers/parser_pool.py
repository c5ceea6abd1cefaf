"""Parsing and composing in processes that can be killed: what ``gateway.mime.workers.pool`` does for messages.

What has no answer in time comes back with what its header block tells; a message that was to be composed, as
ComposeFailed.
"""

from __future__ import annotations

import asyncio

from gateway.mime.dkim_sign import Signing
from gateway.mime.limits import DEFAULT_LIMITS, Limits
from gateway.mime.types import OutgoingMessage, ParsedMessage
from gateway.mime.workers.jobs import ComposeJob, Order, ParseJob
from gateway.mime.workers.main import WorkerSettings
from gateway.mime.workers.pool import WorkerPool

_WALL_SHARE = 0.1
"""How much of the wall clock counts as a message's time, should it wait for something else than the processor."""


class ParserPool(WorkerPool):
    """Parser processes behind one queue. Use as an async context manager, or ``start`` and ``close``.

    Args:
        processes: how many messages are parsed at once.
        deadline: seconds of processor time a message may take, or ten times that of wall clock.
        patience: the same (plus 50 ms per megabyte) after which a message is taken aside.
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
        super().__init__(
            "gateway.mime.workers.main",
            WorkerSettings(memory, deadline / _WALL_SHARE, limits, authserv_id),
            processes=processes,
            deadline=deadline,
            patience=patience,
            wall_share=_WALL_SHARE,
        )
        self.limits = limits
        self._authserv_id = authserv_id

    async def parse(self, raw: bytes) -> ParsedMessage:
        """One message. Never raises for what is in it."""
        return (await self.parse_many([raw]))[0]

    async def parse_many(self, raws: list[bytes]) -> list[ParsedMessage]:
        """Messages in, parsed messages out, same order. A bad one harms none of the others.

        One that no process lives to answer, or has time for, comes ``unread``: it is worth another try some day.

        Raises:
            RuntimeError: the pool is not open.
        """
        loop = asyncio.get_running_loop()
        jobs = [ParseJob(raw, loop.create_future(), self.limits, self._authserv_id) for raw in raws]
        return await self.run(jobs)

    async def compose(
        self, message: OutgoingMessage, signing: Signing | None = None
    ) -> tuple[bytes, ParsedMessage]:
        """The octets of ``message``, DKIM-signed when ``signing`` is given, and what they parse to.

        Goes before what waits to be parsed: somebody waits for the answer.

        Raises:
            InvalidHeader, InvalidAddress, SigningError: as ``compose`` and ``sign`` do; all are ValueError.
            ComposeFailed: no time, no memory, or the process died; it may be tried again.
            RuntimeError: the pool is not open.
        """
        answer = asyncio.get_running_loop().create_future()
        job = ComposeJob(Order(message, signing), answer, self.limits)
        made: tuple[bytes, ParsedMessage] = (await self.run([job]))[0]
        return made
