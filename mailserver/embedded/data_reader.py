"""Reading the mail data of one DATA command (RFC 5321 §4.1.1.4) into a spool, block by block.

Only CR LF . CR LF ends it, and only a dot behind CR LF is taken off. What is kept has CR LF line ends and no NUL, so
that no later hop can see another end of data (smuggling). What does not do is read to its end all the same, and
refused then (§4.2.5); the connection is not of use otherwise.
"""

from __future__ import annotations

import asyncio
import hashlib

from mailserver.content import Spool
from mailserver.embedded import wire
from mailserver.inflight import NoRoom, Upload
from mailserver.pace import Pace

_END = b"\r\n.\r\n"
MAX_LINE = 1 << 20
"""Lines over 998 octets are wrong but common (RFC 5322 §2.1.1); they are refused only when absurd."""

TOO_LONG = "500 5.6.0 a line is longer than 1 MiB"
NO_ROOM = "451 4.3.2 too much mail is coming in at once, try again in a few minutes"
NO_SPACE = "452 4.3.1 insufficient system storage: the disk is full, try again later"


class DataReader:
    """What is read of one message.

    Args:
        spool: takes the message.
        upload: counts what is read against what may be in flight.
        limit: octets that a message may have on the wire, 0 without limit.
    """

    def __init__(self, spool: Spool, upload: Upload, limit: int) -> None:
        self._spool, self._upload, self._limit = spool, upload, limit
        self.refusal = ""
        self.digest = hashlib.sha256()
        self._octets = -2  # the line end that ``read`` puts before the first line
        self._line = 0  # octets of the line at hand
        self._held = b""  # CR or CR LF at the end of a block: what follows says what it means
        self._first = True

    async def read(self, reader: asyncio.StreamReader, pace: Pace) -> None:
        """Read to the end of the data; ``refusal`` is then the reply, if the message cannot be taken.

        Raises TimeoutError when it comes slower than ``pace``, IncompleteReadError when the connection ends.
        """
        began = asyncio.get_running_loop().time()
        # an empty message ends with a dot right away: to the search it is as if the 354 had been a line of it
        reader._buffer[:0] = b"\r\n"  # type: ignore[attr-defined]
        last = False
        while not last:
            async with asyncio.timeout_at(began + pace.seconds(max(0, self._octets))):
                try:
                    block = await reader.readuntil(_END)
                    last = True
                except asyncio.LimitOverrunError as error:
                    block = await reader.readexactly(error.consumed)
            await self._take(block[: -len(_END) + 2] if last else block, last)

    async def _take(self, block: bytes, last: bool) -> None:
        self._octets += len(block)
        if not self.refusal:
            self.refusal = self._check(block)
        if self.refusal:
            self._spool.close()
            return
        kept = self._kept(block, last)
        if not kept:
            return
        self.digest.update(kept)
        try:
            await self._spool.append(kept)
        except OSError:
            self.refusal = NO_SPACE

    def _check(self, block: bytes) -> str:
        if self._limit and self._octets > self._limit:
            return f"552 5.3.4 the message is larger than {self._limit} octets"
        start = block.find(b"\r\n")
        if self._line + (len(block) if start < 0 else start) > MAX_LINE:
            return TOO_LONG
        self._line = self._line + len(block) if start < 0 else len(block) - block.rfind(b"\r\n") - 2
        try:
            self._upload.add(len(block))
        except NoRoom:
            return NO_ROOM
        return ""

    def _kept(self, block: bytes, last: bool) -> bytes:
        """What is kept of a block: without the dots of the transport, with the line ends that mail has."""
        text = self._held + block
        self._held = b""
        if not last:
            for end in (b"\r\n", b"\r"):
                if text.endswith(end):
                    text, self._held = text[: -len(end)], end
                    break
        text = text.replace(b"\r\n.", b"\r\n")
        if self._first and text:
            text, self._first = text[2:], False  # the line end that we put there ourselves
        return wire.line_ends(text)
