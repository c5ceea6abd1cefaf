"""The wire between two hosts, and speaking from a host's place in the network.

Addresses are of TEST-NET-1 (RFC 5737) and exist in the hosts' namespaces only.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tests.vps.host import Host

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def connect(one: Host, one_addresses: list[str], other: Host, other_addresses: list[str]) -> None:
    """Lay a wire between two hosts and give its ends their addresses (/24)."""
    target = ["nsenter", "--net", "--target", str(one.pid), "ip"]
    subprocess.run(
        [*target, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(other.pid)],
        check=True,
        capture_output=True,
    )
    for host, addresses in ((one, one_addresses), (other, other_addresses)):
        for address in addresses:
            host.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        host.run("ip", "link", "set", "eth0", "up")


class Place:
    """Runs functions as if on ``host``: every socket they open is in its network, also after they return."""

    def __init__(self, host: Host) -> None:
        self._threads = ThreadPoolExecutor(
            8, thread_name_prefix=host.name, initializer=_enter, initargs=(host.pid,)
        )

    def __call__(self, work: Callable[..., T], *args: object, **options: object) -> T:
        """``work(*args, **options)`` there. Names are resolved with this machine's resolv.conf: give addresses."""
        return self._threads.submit(work, *args, **options).result()

    def close(self) -> None:
        self._threads.shutdown(wait=True)


def _enter(pid: int) -> None:
    handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        if _libc.setns(handle, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(handle)
