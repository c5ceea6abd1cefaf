"""One message whose attachments are read (both ends of the socket: see ``gateway.mime.pool``).

A request is one octet of kind, 4 octets of length, msgpack of ``list[Wanted]``, and the raw message. For each
attachment come ``?`` and what it is if nothing follows (not for kinds that are not read), then ``!`` and what it is;
both are msgpack of ``Extracted``.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import struct
from typing import NamedTuple

import msgspec

from gateway.extract.types import IF_DEAD, TOO_LARGE, UNSUPPORTED, Extracted, Wanted
from gateway.mime.pool import WorkerDied

log = logging.getLogger("postern.extract")

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Extracted)


class Read(NamedTuple):
    """The first attachments' results; ``more``: those after them may be tried with another process."""

    done: list[Extracted]
    more: bool


class ExtractJob:
    """The attachments ``wanted`` of one message, in order."""

    kind: bytes = b"E"
    urgent = False

    def __init__(self, raw: bytes, wanted: list[Wanted], result: asyncio.Future[Read]) -> None:
        asked = _encoder.encode(wanted)
        self.payload = b"".join((struct.pack(">I", len(asked)), asked, raw))
        self.result = result
        self.count = len(wanted)
        self.done: list[Extracted] = []
        self.if_dead: Extracted | None = None

    @property
    def begun(self) -> bool:
        """Whether a process has looked at the first one."""
        return bool(self.done) or self.if_dead is not None

    def take(self, frame: bytes) -> bool:
        """One frame of the answer; True when it was the last one."""
        found = _decoder.decode(memoryview(frame)[1:])
        if frame[:1] == IF_DEAD:
            self.if_dead = found
            return False
        self.done.append(found)
        self.if_dead = None
        if len(self.done) < self.count:
            return False
        self._settle(more=False)
        return True

    async def give_up(self, why: WorkerDied | TimeoutError | OSError) -> None:
        """The one at hand is lost; with a process that died, those after it are not."""
        if isinstance(why, WorkerDied):
            limit = why.returncode == -signal.SIGXCPU or self.if_dead is None
            self.done.append(TOO_LARGE if limit else self.if_dead or TOO_LARGE)
            self._settle(more=len(self.done) < self.count)
            return
        if not isinstance(why, TimeoutError):
            log.error("attachments cannot be read: no process starts: %s", why)
        left = self.count - len(self.done)
        self.done += [TOO_LARGE if isinstance(why, TimeoutError) else UNSUPPORTED] * left
        self._settle(more=False)

    def _settle(self, *, more: bool) -> None:
        if not self.result.done():
            self.result.set_result(Read(self.done, more))
