"""Telling systemd how the gateway is: sd_notify(3), whose whole protocol is one datagram of ``NAME=value`` lines.

::

    manager = Manager.of(os.environ)
    manager.status("starting: opening the database")
    async with manager.busy():      # a start or stop that takes longer than the unit allows
        ...
    manager.ready()
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import socket
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager

log = logging.getLogger("postern.service")

_EXTENSION = 30.0


class Manager:
    """The service manager above this process. Without one (``address`` empty) every call does nothing.

    Args:
        address: ``$NOTIFY_SOCKET``: a path, or ``@name`` in the abstract namespace (unix(7)).
        watchdog_seconds: how long it waits for a sign of life before it ends the process; 0: it does not.
    """

    def __init__(self, address: str = "", watchdog_seconds: float = 0.0) -> None:
        self.watchdog_seconds = watchdog_seconds
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Manager:
        """The one that the environment names. Its variables are taken out: they are not for our children."""
        address = environ.pop("NOTIFY_SOCKET", "")
        span, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        ours = not pid or pid == str(os.getpid())
        return cls(address, int(span) / 1e6 if span.isdecimal() and ours else 0.0)

    @property
    def there(self) -> bool:
        return self._socket is not None

    def ready(self) -> None:
        """The start is over: requests are answered."""
        self._send("READY=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        """A sign of life; it must be sent oftener than every ``watchdog_seconds``."""
        self._send("WATCHDOG=1")

    def status(self, words: str) -> None:
        """One line for people: ``systemctl status`` shows it."""
        self._send("STATUS=" + " ".join(words.split())[:500])

    @asynccontextmanager
    async def busy(self, most: float = math.inf) -> AsyncIterator[None]:
        """Ask for more time to start or stop, again and again, while the block runs and the event loop turns; for
        ``most`` seconds."""
        asking = asyncio.create_task(self._ask_for_time(most), name="more-time") if self.there else None
        try:
            yield
        finally:
            if asking is not None:
                asking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asking

    async def _ask_for_time(self, most: float) -> None:
        until = time.monotonic() + most
        while time.monotonic() < until:
            self._send(f"EXTEND_TIMEOUT_USEC={int(_EXTENSION * 1e6)}")
            await asyncio.sleep(_EXTENSION / 3)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, line: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(line.encode(), self._address)
        except OSError as error:  # it is sent again soon, and nothing of ours depends on it
            log.warning("cannot notify systemd of %s: %s", line.split("=")[0], error)
