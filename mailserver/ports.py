"""TCP ports for services that others run: free ones, and kept from everybody else until the service listens."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from mailserver.base import MailServerError
from mailserver.machine import has_ipv6

_DRAWS = 100


def check_distinct(wanted: Sequence[int]) -> None:
    """Raises MailServerError when two services want one port (0: none in particular).

    Two services of one port would be one service: Postfix keeps the last of two equal lines in master.cf.
    """
    fixed = [port for port in wanted if port]
    if len(set(fixed)) < len(fixed):
        raise MailServerError(f"two mail services are to listen on the same port: {fixed}")


class Wanted(NamedTuple):
    """A port that a service is to listen at (0: any, or none), and by what it can be set."""

    service: str
    port: int
    option: str


def public_ports(smtp: int, submission: int, submissions: int) -> list[Wanted]:
    """The ports that other servers and people's mail programs come to; 0: none."""
    return [
        Wanted("SMTP", smtp, "--smtp-port or mail.smtp_port"),
        Wanted("submission", submission, "--submission-port or mail.submission_port"),
        Wanted("submission with TLS", submissions, "mail.submissions_port"),
    ]


def check_free(host: str, wanted: Iterable[Wanted]) -> None:
    """Bind each port for an instant. Raises MailServerError that names the service, the port and what to set, when
    another program has it or we may not."""
    for one in wanted:
        for family, address in _families(host) if one.port else ():
            try:
                with socket.socket(family, socket.SOCK_STREAM) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:
                        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    probe.bind((address, one.port))
                    probe.listen(1)
            except OSError as error:
                raise MailServerError(_refusal(one, host, error)) from error


def _families(host: str) -> list[tuple[socket.AddressFamily, str]]:
    if host == "*":
        return [(socket.AF_INET, ""), *([(socket.AF_INET6, "")] if has_ipv6() else [])]
    return [(socket.AF_INET6 if ":" in host else socket.AF_INET, host)]


def _refusal(one: Wanted, host: str, error: OSError) -> str:
    what = f"port {one.port} for {one.service} at {host}"
    if error.errno == errno.EADDRINUSE:
        return f"{what} is taken by another program: choose another with {one.option} (0: any free one)"
    if error.errno == errno.EACCES:
        return (
            f"{what} cannot be opened by this user: ports below 1024 are root's. Choose one from 1024 with "
            f"{one.option}, or let `postern setup` (as root) have systemd open it"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{what} cannot be opened: this machine has no such address (mail.host)"
    return f"{what} cannot be opened: {error.strerror}"


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
