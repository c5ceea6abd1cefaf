"""Logs the standard error of a daemon, which the gateway reads from a pipe.

So a full disk does not stop the daemon's logging (it would exit), and no log file grows without limit.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque

_KEPT_LINES = 60
_KEPT_OCTETS = 2000
_PIECE = 16 * 1024
_LONGEST = 4096
_STAMP = re.compile(r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ")
_LEVELS = (
    (re.compile(r"Killed with signal 15 "), logging.DEBUG),  # as we stop it
    (re.compile(r"\b(?:Fatal|Panic): "), logging.ERROR),
    (re.compile(r"\bError: "), logging.WARNING),
    (re.compile(r"\bWarning: "), logging.INFO),
)


class DaemonLog:
    """The lines of one daemon, over all its starts. ``name`` is that of the logger, below ``postern``."""

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(f"postern.{name}")
        self._last: deque[str] = deque(maxlen=_KEPT_LINES)

    async def follow(self, stream: asyncio.StreamReader) -> None:
        """Read until the daemon, and every process that inherited its standard error, has exited."""
        rest = b""
        while piece := await stream.read(_PIECE):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._note(line)
            if len(rest) > _LONGEST:
                self._note(rest)
                rest = b""
        if rest:
            self._note(rest)

    def tail(self) -> str:
        """The last lines as one text; empty when there were none."""
        return "\n".join(self._last)[-_KEPT_OCTETS:]

    def _note(self, line: bytes) -> None:
        raw = line.decode("utf-8", "replace").rstrip()
        text = _STAMP.sub("", "".join(c if c.isprintable() else " " for c in raw))[:_LONGEST]
        if not text:
            return
        self._last.append(text)
        level = next((level for words, level in _LEVELS if words.search(text)), logging.DEBUG)
        self._log.log(level, "%s", text)
