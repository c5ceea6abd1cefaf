"""The machine: a right clock, room on the disks, and a disk that writes in time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from gateway.doctor import sntp
from gateway.doctor.context import Scene, apart
from gateway.doctor.finding import Finding, fail, ok, warn
from gateway.mail_choice import disks_of

_FAIL_OFFSET, _WARN_OFFSET = 60.0, 2.0
_SLOW, _VERY_SLOW = 0.1, 1.0
_TIMES = 5


async def clock(scene: Scene) -> Sequence[Finding]:
    """Signatures, certificates and TLS are judged by it: against a time server, else by what the system says."""
    fix = "let the clock be kept: timedatectl set-ntp true (systemd-timesyncd), or install chrony"
    server = scene.settings.doctor.ntp_server
    if server:
        host, _, port = server.rpartition(":")
        try:
            off = await sntp.offset(host.strip("[]"), int(port))
        except (OSError, TimeoutError, ValueError):
            pass  # often blocked; then the system is asked
        else:
            text = f"{abs(off):.3f} s {'behind' if off > 0 else 'ahead of'} {host}"
            if abs(off) >= _FAIL_OFFSET:
                return [fail("clock", text, fix)]
            return [warn("clock", text, fix) if abs(off) >= _WARN_OFFSET else ok("clock", text)]
    match await _synchronized():
        case True:
            return [ok("clock", "kept by time servers, the system says")]
        case False:
            return [warn("clock", "not kept by time servers, the system says", fix)]
    if scene.development:
        return [ok("clock", "nobody to compare it with")]
    return [warn("clock", "neither a time server nor timedatectl says whether it is right", fix)]


async def _synchronized() -> bool | None:
    try:
        asked = await asyncio.create_subprocess_exec(
            *("timedatectl", "show", "--property=NTPSynchronized", "--value"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(5):
            said, _ = await asked.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            asked.kill()
        return None
    return {b"yes": True, b"no": False}.get(said.strip())


async def disk(scene: Scene) -> Sequence[Finding]:
    """Free space and inodes where data, mail and queue are, and how long an fsync takes."""
    findings: list[Finding] = []
    seen = set()
    for room in await disks_of(scene.settings, scene.data_dir).rooms():
        place = room.path
        if not place.exists():
            continue
        if (device := place.stat().st_dev) not in seen:
            seen.add(device)
            if room.short:
                fix = "make room, or a bigger disk: until then no mail is taken in and nothing can be sent"
                findings.append(fail(str(place), room.words(), fix))
                continue
            findings += await apart(partial(_room, place, scene.settings.doctor.disk_free))
    if scene.data_dir.exists():
        findings.append(await apart(lambda: _fsync(scene.data_dir)))
    return findings or [warn("disk", f"{scene.data_dir} is not there yet", "check --data")]


def _room(place: Path, least: float) -> list[Finding]:
    space, nodes = shutil.disk_usage(place), os.statvfs(place)
    text = f"{space.free / 1e9:.1f} GB free ({100 * space.free / space.total:.0f} %)"
    free = {
        "space": space.free / space.total,
        "inodes": nodes.f_favail / nodes.f_files if nodes.f_files else 1.0,
    }
    short = [name for name, part in free.items() if part < least]
    if not short:
        return [ok(str(place), text)]
    level = fail if min(free.values()) < least / 4 else warn
    fix = "make room, or a bigger disk: a full one refuses mail. `postern usage` shows the largest mailboxes' owners"
    return [level(str(place), f"little is left of its {' and '.join(short)}: {text}", fix)]


def _fsync(place: Path) -> Finding:
    """The middle one of a few: each accepted mail waits for about two."""
    block, taken = os.urandom(4096), []
    with tempfile.TemporaryFile(dir=place) as file:
        for _ in range(_TIMES):
            file.write(block)
            start = time.monotonic()
            file.flush()
            os.fsync(file.fileno())
            taken.append(time.monotonic() - start)
    middle = sorted(taken)[_TIMES // 2]
    text = f"an fsync takes {1000 * middle:.1f} ms"
    if middle < _SLOW:
        return ok(f"{place} fsync", text)
    fix = "each mail waits for the disk: a disk of its own, an SSD, or less that writes beside it"
    return (fail if middle >= _VERY_SLOW else warn)(f"{place} fsync", text, fix)
