"""One message whose attachments are read (both ends of the socket: see ``gateway.mime.workers.pool``).

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

from gateway.extract.types import IF_DEAD, TOO_LARGE, Extracted, Wanted
from gateway.mime.workers.pool import WorkerDied

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
        self.deaths = 0
        self.done: list[Extracted] = []
        self.if_dead: Extracted | None = None
        self._raw, self._wanted = raw, wanted

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

    def again(self) -> None:
        """Another process reads on from the one at hand."""
        asked = _encoder.encode(self._wanted[len(self.done) :])
        self.payload = b"".join((struct.pack(">I", len(asked)), asked, self._raw))
        self.if_dead = None

    async def give_up(self, why: WorkerDied | TimeoutError | OSError) -> None:
        """The one at hand is lost; with a process that died, those after it are not. What no process has begun is not
        said to be too large, or anything: it may be read another time."""
        if isinstance(why, WorkerDied):
            if why.returncode == -signal.SIGXCPU:
                self.done.append(TOO_LARGE)
            elif self.if_dead is not None:
                self.done.append(self.if_dead)
            else:
                log.error("attachments are left unread: process after process died before the first")
                self._settle(more=False)
                return
            self._settle(more=len(self.done) < self.count)
            return
        if isinstance(why, TimeoutError):
            if self.begun:
                self.done += [TOO_LARGE] * (self.count - len(self.done))
        else:
            log.error("attachments are left unread: no process starts: %s", why)
        self._settle(more=False)

    def _settle(self, *, more: bool) -> None:
        if not self.result.done():
            self.result.set_result(Read(self.done, more))
