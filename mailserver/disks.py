"""Measures the free space on the file systems of mail and data."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_AGE = 1.0  # seconds that what is known is good for
_PATIENCE = 2.0  # seconds a caller waits for a file system that does not answer; then what is known has to do


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
        """Whether there is too little free space to accept mail."""
        return self.free < self.floor

    def words(self) -> str:
        """The problem, for the operator."""
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
        # of its own: every message asks, and must not wait for whatever else threads do
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="disks")
        self._looking: asyncio.Future[list[Room]] | None = None

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
        """:meth:`look`, or what it found a moment ago. Callers at the same time share one look."""
        if time.monotonic() - self._looked > _AGE:
            loop = asyncio.get_running_loop()
            if self._looking is None or self._looking.done() or self._looking.get_loop() is not loop:
                self._looking = loop.run_in_executor(self._thread, self.look)
            looked, _ = await asyncio.wait([self._looking], timeout=_PATIENCE)
            if looked:
                return self._looking.result()
        return self._known

    async def short(self) -> Room | None:
        """A place with too little room left to take anything in; None when all have enough."""
        return next((one for one in await self.rooms() if one.short), None)
