"""Checking and signing in processes that can be killed: one bad message harms and delays no other."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.milter.tasks import DONE, SIGN, VERIFY, WorkerSettings
from gateway.mime.workers.pool import WorkerDied, WorkerPool
from gateway.settings import Settings
from gateway.trusted_sealers import trusted_sealers
from mailserver.embedded.authentication.verifier import DEADLINE

_MEMORY = 2 * 1024**3
_SIGN_SECONDS = 60.0


class NoAnswer(Exception):
    """A message took too long, or too much."""


class Refused(Exception):
    """The message may not be sent; the text is the SMTP reply."""


class _TaskJob:
    """One task on its way. What is not begun when nobody waits for it any more is never begun."""

    def __init__(self, kind: bytes, payload: bytes, *, urgent: bool) -> None:
        self.kind = kind
        self.payload = payload
        self.urgent = urgent
        self.deaths = 0
        self.result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def take(self, frame: bytes) -> bool:
        """The answer has one frame."""
        if not self.result.done():
            if frame[:1] == DONE:
                self.result.set_result(frame[1:])
            else:
                self.result.set_exception(Refused(frame[1:].decode("ascii", "replace")))
        return True

    def again(self) -> None:
        """An answer is one frame: nothing of it came."""

    async def give_up(self, why: WorkerDied | TimeoutError | OSError) -> None:
        """Tell who waits."""
        if not self.result.done():
            self.result.set_exception(NoAnswer(repr(why)))


class MilterWorkers(WorkerPool):
    """The processes. Use as an async context manager."""

    def __init__(self, settings: Settings, authserv_id: str, *, processes: int = 2) -> None:
        super().__init__(
            "gateway.milter.worker_main",
            WorkerSettings(
                _MEMORY,
                _SIGN_SECONDS,
                authserv_id,
                settings.dns.nameservers,
                settings.dns.port,
                settings.dns.timeout,
                list(trusted_sealers(settings)),
            ),
            processes=processes,
            deadline=_SIGN_SECONDS,
            patience=1.0,
            retries=(0.0, 0.5),
        )

    async def verify(self, task: bytes) -> bytes:
        """The Authentication-Results field that answers an encoded VerifyTask. Raises NoAnswer."""
        return await self._answer(_TaskJob(VERIFY, task, urgent=False), DEADLINE)

    async def sign(self, task: bytes) -> bytes:
        """The DKIM-Signature field that answers an encoded SignTask. Somebody waits for it, so it goes before what is
        to be checked.

        Raises NoAnswer, Refused.
        """
        return await self._answer(_TaskJob(SIGN, task, urgent=True), _SIGN_SECONDS)

    async def _answer(self, job: _TaskJob, seconds: float) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                field: bytes = (await self.run([job]))[0]
        except TimeoutError:
            raise NoAnswer("no answer in time") from None
        return field
