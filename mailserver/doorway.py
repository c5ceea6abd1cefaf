"""Who may have how many of a listener's connections: so that no client keeps the others out.

A client is an IPv4 address or an IPv6 /64; its site is the /48, of which one customer may have all. The last places
are for those who have no connection yet.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from mailserver.networks import client_of, site_of


@dataclass(slots=True)
class Place:
    """One connection's place. ``login`` is empty until it logged in."""

    client: str
    site: str
    login: str = ""
    names: list[str] = field(default_factory=list)  # what it is counted under


class Doorway:
    """Counts connections.

    Args:
        most: connections at once.
        each: of one client; of one site twice as many; of one login as many.
        newcomers: of ``most``, the last ones, which only sites take that have none yet.
        logins: those that did not log in have half of ``most`` at the most.
    """

    def __init__(self, most: int, each: int, newcomers: int, *, logins: bool = False) -> None:
        self._most, self._each = most, each
        self._newcomers = min(newcomers, most // 2)
        self._logins = logins
        self._counts: Counter[str] = Counter()
        self._all = self._strangers = 0

    @property
    def crowded(self) -> bool:
        """Whether only newcomers are let in."""
        room = self._most - self._newcomers
        return self._all >= room or (self._logins and self._strangers >= room // 2)

    def enter(self, address: str) -> Place | None:
        """A place for a connection from an IP address; None when it gets none."""
        place = Place(client_of(address), site_of(address))
        client, site = f"client {place.client}", f"site {place.site}"
        strangers = self._most // 2 if self._logins else self._most
        known = bool(self._counts[site])
        if (
            self._all >= self._most
            or self._strangers >= strangers
            or self._counts[client] >= self._each
            or self._counts[site] >= 2 * self._each
            or (known and self.crowded)
        ):
            return None
        place.names = [client, site]
        self._count(place, 1)
        return place

    def enter_known(self) -> Place | None:
        """A place for a connection that counts as no client's; None when all are taken."""
        if self._all >= self._most:
            return None
        place = Place("", "")
        self._count(place, 1)
        return place

    def move(self, place: Place, login: str) -> bool:
        """Count a place as ``login``'s from now on; False, and nothing changes, when that has too many."""
        name = f"login {login}"
        if self._counts[name] >= self._each:
            return False
        self._count(place, -1)
        place.login, place.names = login, [name]
        self._count(place, 1)
        return True

    def leave(self, place: Place) -> None:
        """Its connection ended."""
        self._count(place, -1)

    def _count(self, place: Place, by: int) -> None:
        self._all += by
        if not place.login:
            self._strangers += by
        for name in place.names:
            self._counts[name] += by
            if self._counts[name] <= 0:
                del self._counts[name]
