"""A command in a terminal of a given size: a pseudo-terminal, as a person's shell has one."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from dataclasses import dataclass

from tests.support.gateway_process import GatewayProcess


@dataclass(frozen=True)
class Seen:
    """What came out of the terminal, and how the command ended."""

    text: str
    code: int

    @property
    def lines(self) -> list[str]:
        return self.text.replace("\r\n", "\n").rstrip("\n").split("\n")


def in_terminal(
    gateway: GatewayProcess, *arguments: str, width: int = 80, height: int = 24, **environment: str
) -> Seen:
    """Run a ``postern`` command with its three streams on a terminal, and read it to the end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    # no carriage returns are added, so that what is read is what was written
    modes = termios.tcgetattr(theirs)
    modes[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    inherited = {
        name: value
        for name, value in gateway.environment().items()
        if name not in ("NO_COLOR", "PAGER", "LESS", "COLUMNS", "LINES")
    }
    process = subprocess.Popen(
        gateway.command(*arguments),
        env={**inherited, "TERM": "xterm-256color", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    read = b""
    try:
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            read += part
    finally:
        os.close(ours)
    return Seen(read.decode("utf-8"), process.wait(60))
