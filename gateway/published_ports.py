"""Under which ports others reach ours, where a container or a router hands connections on (``mail.published_ports``).

DNS records, mail clients and ``postern doctor`` get the port outside; the services listen on the one inside.
"""

from __future__ import annotations

import re

from gateway.configuration import BadSettings
from gateway.settings import Mail

_PAIR = re.compile(r"([0-9]{1,5}):([0-9]{1,5})")


def outside_ports(mail: Mail) -> dict[int, int]:
    """The port outside of each port inside; empty: every port is reached as it is. Raises BadSettings."""
    found: dict[int, int] = {}
    for text in mail.published_ports:
        match = _PAIR.fullmatch(text)
        outside, inside = map(int, match.groups()) if match else (0, 0)
        if not (0 < outside < 65536 and 0 < inside < 65536):
            raise BadSettings(
                f"mail.published_ports takes OUTSIDE:INSIDE, two port numbers such as 25:2525, not {text!r}"
            )
        found[inside] = outside
    return found


def outside_port(mail: Mail, port: int) -> int:
    """The port by which others reach ``port``; 0: they cannot. Raises BadSettings."""
    ports = outside_ports(mail)
    return ports.get(port, 0) if ports else port
