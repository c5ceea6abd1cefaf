"""Log records as entries of systemd's journal, with fields: ``journalctl -u postern POSTERN_INBOX=a@b.example``.

The protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL) is one datagram an entry: ``NAME=value`` lines, or the name,
a length and the octets where a value has line feeds. What is too large for a datagram goes as a sealed memory file.
"""

from __future__ import annotations

import array
import errno
import fcntl
import logging
import os
import re
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any

SOCKET = "/run/systemd/journal/socket"
IDENTIFIER = "postern"

_NOT_IN_NAMES = re.compile(r"[^A-Z0-9_]")
_BUFFER = 8 << 20
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
# syslog(3), by what a level is at least
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))

Fields = Callable[[logging.LogRecord], Mapping[str, Any]]


def is_standard_error(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether standard error ends in the journal: ``$JOURNAL_STREAM`` names its device and inode (systemd.exec(5))."""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class JournalHandler(logging.Handler):
    """Writes entries; the formatter makes MESSAGE, ``fields`` the rest, whose names get POSTERN_ in front.

    An entry that the journal does not take at once (it is away, or behind) goes to ``fallback`` instead: a full
    socket never stops the event loop.
    """

    def __init__(self, fields: Fields, fallback: logging.Handler, path: str = SOCKET) -> None:
        super().__init__()
        self._fields = fields
        self._fallback = fallback
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._send(self._entry(record))
        except OSError:
            self._fallback.handle(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        self._socket.close()
        super().close()

    def _entry(self, record: logging.LogRecord) -> bytes:
        entry: dict[str, Any] = {
            "MESSAGE": self.format(record),
            "PRIORITY": next((one for level, one in _PRIORITIES if record.levelno >= level), 7),
            "SYSLOG_IDENTIFIER": IDENTIFIER,
            "LOGGER": record.name,
            "CODE_FILE": record.pathname,
            "CODE_LINE": record.lineno,
            "CODE_FUNC": record.funcName,
        }
        for name, value in self._fields(record).items():
            entry["POSTERN_" + _NOT_IN_NAMES.sub("_", name.upper())[:50]] = value
        return b"".join(_field(name, str(value)) for name, value in entry.items())

    def _send(self, entry: bytes) -> None:
        try:
            self._socket.sendto(entry, self._path)
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                raise
            self._send_file(entry)

    def _send_file(self, entry: bytes) -> None:
        memory = os.memfd_create("journal-entry", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        with open(memory, "wb", buffering=0) as file:
            file.write(entry)
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
            passed = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file.fileno()]))
            self._socket.sendmsg([b""], [passed], 0, self._path)


def _field(name: str, value: str) -> bytes:
    octets = value.encode("utf-8", "backslashreplace")
    if b"\n" in octets:
        return name.encode() + b"\n" + struct.pack("<Q", len(octets)) + octets + b"\n"
    return name.encode() + b"=" + octets + b"\n"
