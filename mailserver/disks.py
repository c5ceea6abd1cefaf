"""How much room is left on the file systems that mail and data lie on."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_AGE = 1.0  # seconds that what is known is good for


@dataclass(frozen=True, slots=True)
class Room:
    """One file system: what of ours is on it, where, octets that are free and in all, and those that must be free."""

    name: str
    path: Path
    free: int
    total: int
    floor: int

    @property
    def short(self) -> bool:
        """Whether too little is left to take anything in."""
        return self.free < self.floor

    def words(self) -> str:
        """What is wrong, for the operator."""
        return (
            f"the disk is full: {self.free / 1e6:.0f} MB are free on the file system of {self.path}, "
            f"at least {self.floor / 1e6:.0f} MB must be"
        )


class Disks:
    """The file systems of some places. Blocking and asynchronous callers may share one.

    Args:
        places: their paths by name. One that is not there is looked for above it.
        floor: octets that must be free on each; a twentieth of a file system where that is less.
    """

    def __init__(self, places: Mapping[str, Path], floor: int) -> None:
        self._places = dict(places)
        self._floor = floor
        self._known: list[Room] = []
        self._looked = 0.0

    def look(self) -> list[Room]:
        """How much room each place has now. Blocks for as long as the file systems do."""
        found = []
        for name, path in self._places.items():
            there = path
            while not there.exists() and there != there.parent:
                there = there.parent
            try:
                space = os.statvfs(there)
            except OSError:
                continue
            total = space.f_blocks * space.f_frsize
            floor = min(self._floor, total // 20)
            found.append(Room(name, path, space.f_bavail * space.f_frsize, total, floor))
        self._known, self._looked = found, time.monotonic()
        return found

    async def rooms(self) -> list[Room]:
        """:meth:`look`, or what it found a moment ago."""
        if time.monotonic() - self._looked > _AGE:
            return await asyncio.to_thread(self.look)
        return self._known

    async def short(self) -> Room | None:
        """A place with too little room left to take anything in; None when all have enough."""
        return next((one for one in await self.rooms() if one.short), None)
