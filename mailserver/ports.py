"""TCP ports for services that others run: free ones, and kept from everybody else until the service listens."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mailserver.base import MailServerError

_DRAWS = 100


def check_distinct(wanted: Sequence[int]) -> None:
    """Raises MailServerError when two services want one port (0: none in particular).

    Two services of one port would be one service: Postfix keeps the last of two equal lines in master.cf.
    """
    fixed = [port for port in wanted if port]
    if len(set(fixed)) < len(fixed):
        raise MailServerError(f"two mail services are to listen on the same port: {fixed}")


@contextmanager
def held_ports(host: str, wanted: Sequence[int]) -> Iterator[list[int]]:
    """The ports as wanted, and for each 0 a free one that nobody else can draw while this is held.

    A drawn port is bound and does not listen. Who binds it with SO_REUSEADDR, as every server does, may listen;
    who looks for a free port binds without, as here, and is refused. So of two that look at the same time,
    each finds its own, though the service of the first listens seconds later.
    Raises MailServerError when a port is wanted twice, or none is free.
    """
    check_distinct(wanted)
    with ExitStack() as held:
        yield [port or _draw(host, wanted, held) for port in wanted]


def _draw(host: str, fixed: Sequence[int], held: ExitStack) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    why: OSError | None = None
    for attempt in range(_DRAWS):
        probe = socket.socket(family, socket.SOCK_STREAM)
        try:
            probe.bind((host if host != "*" else "", _quiet_port() if attempt < _DRAWS // 2 else 0))
            port = int(probe.getsockname()[1])
            if port not in fixed:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # only now: see held_ports
                held.enter_context(probe)
                return port
        except OSError as error:  # somebody has it, most likely
            why = error
        probe.close()
    raise MailServerError(f"no port to listen on at {host}: {why}")


def _quiet_port() -> int:
    """A port that the kernel gives to nobody by itself, or 0 where it keeps none back.

    Of those it gives to outgoing connections, one may be taken while its service is down for a second.
    """
    try:
        kept = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii")
        end = int(kept.split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return random.randrange(10_000, end) if end > 11_000 else 0  # noqa: S311
