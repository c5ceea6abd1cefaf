"""What /proc says about processes: children, command lines, memory, processor time. Linux only, as Dovecot here."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(") ")[2].split()  # the name before it may hold anything


def alive(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    fields = _stat(pid)
    return fields is not None and fields[0] != "Z"


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) and fields[0] != "Z":
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid] if alive(pid) else []
    for one in found:
        found += parents.get(one, [])
    return found


def command_line(pid: int) -> str:
    """The words of its command line, '' when it is gone."""
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        )
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def mentioning(text: str) -> list[int]:
    """Processes with ``text`` on their command line or in their working directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid() or not alive(int(entry.name)):
            continue
        try:
            folder = os.readlink(entry / "cwd")
        except OSError:
            folder = ""
        if text in command_line(int(entry.name)) or text in folder:
            found.append(int(entry.name))
    return found


def resident(pid: int) -> int:
    """Resident memory in octets, 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0


def processor_seconds(pid: int) -> float:
    """Processor time it has used, user and system, in seconds."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICK if fields else 0.0
