"""How much mail may be on its way in at once: octets of messages and request bodies that are not finished yet.

They lie on disk (``mailserver.content``), so this bounds the disk that unfinished uploads take, and nobody waits here:
who would exceed it is refused for now. One client has at most half, so that it cannot keep the others out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class NoRoom(Exception):
    """The ceiling is reached; what was taken for this upload is given back when its block ends."""


class Upload:
    """What one upload has taken."""

    def __init__(self, ledger: InFlight, client: str) -> None:
        self._ledger, self._client = ledger, client
        self.octets = 0

    def add(self, octets: int) -> None:
        """Take ``octets`` more. Raises NoRoom, and then takes nothing."""
        self._ledger.take(self._client, octets)
        self.octets += octets


class InFlight:
    """The octets of all uploads, by client. For one event loop.

    Args:
        ceiling: octets of all together.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self._by_client: Counter[str] = Counter()
        self._all = 0

    @property
    def octets(self) -> int:
        """What all uploads hold now."""
        return self._all

    def full(self, client: str) -> bool:
        """Whether nothing more can be taken for ``client`` now."""
        return self._all >= self.ceiling or self._by_client[client] >= self.ceiling // 2

    @contextmanager
    def upload(self, client: str) -> Iterator[Upload]:
        """Count what is received inside the block; all of it is given back at the end."""
        one = Upload(self, client)
        try:
            yield one
        finally:
            self._give(client, one.octets)

    def take(self, client: str, octets: int) -> None:
        """See :meth:`Upload.add`."""
        if self._all + octets > self.ceiling or self._by_client[client] + octets > self.ceiling // 2:
            raise NoRoom
        self._by_client[client] += octets
        self._all += octets

    def _give(self, client: str, octets: int) -> None:
        self._all -= octets
        self._by_client[client] -= octets
        if self._by_client[client] <= 0:
            del self._by_client[client]
