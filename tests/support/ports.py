"""Free ports for the servers that tests start, each kept for its owner from every other test that looks for one."""

from __future__ import annotations

import weakref
from contextlib import ExitStack

from mailserver.ports import held_ports


class _Worker:
    """The process that the tests run in."""


_WORKER = _Worker()


def keep_ports(count: int, owner: object = _WORKER) -> list[int]:
    """Ports of 127.0.0.1 that nobody else draws as long as ``owner`` lives, so also between its stop and start."""
    held = ExitStack()
    ports = held.enter_context(held_ports("127.0.0.1", [0] * count))
    weakref.finalize(owner, held.close)
    return ports


def keep_port() -> int:
    """A port of 127.0.0.1 that nobody else draws as long as this process lives."""
    return keep_ports(1)[0]
