"""What a plan is made of. Each step says what is to be there, not how to get there; paths are the server's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Packages:
    """Debian packages that must be installed; their own daemons are neither started nor enabled by it."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The daemons' own parsers read the configuration that their units will write. Nothing is started."""

    program: str


@dataclass(frozen=True, slots=True)
class StockUnits:
    """Units of the distribution to stop and disable; how they were is remembered."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """The system user, made by systemd-sysusers from a file that an earlier step writes."""

    name: str
    source: Path


@dataclass(frozen=True, slots=True)
class Directory:
    path: Path
    mode: int
    owner: str = "root"
    group: str = "root"
    data: bool = False
    """What administrators and users put there is theirs: removed by ``--purge`` alone."""


@dataclass(frozen=True, slots=True)
class File:
    """A file with its whole content. One that was edited by hand is kept, and the new one put beside it."""

    path: Path
    mode: int
    content: str
    owner: str = "root"
    group: str = "root"
    secret: bool = False
    copy: bool = False
    """A copy of a file kept elsewhere: nobody edits it here, so it is always brought up to date."""
    affects: tuple[str, ...] = ()
    """Units to restart when it changes."""


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """postern.toml: each setting that setup owns, merged into the file so that comments and edits stay."""

    path: Path
    mode: int
    values: dict[str, Any]
    meanings: Mapping[str, str]
    """Words above a new line, by the setting's name."""
    owner: str = "root"
    group: str = "root"
    affects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line at the end of a file that is somebody else's, and what it is for, as a comment above it."""

    path: Path
    text: str
    why: str
    unit: str
    """Reads it when it is reloaded."""


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link. A file of somebody else's in its place is kept."""

    path: Path
    target: Path
    unit: str
    """Reads it when it is reloaded."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user of another package's in a group of ours; its unit is restarted to notice."""

    user: str
    group: str
    unit: str


@dataclass(frozen=True, slots=True)
class Proxy:
    """A reverse proxy's unit, enabled and started, with what the steps before it changed taken up."""

    unit: str
    package: str
    test: tuple[str, ...]
    """The command that reads its configuration and starts nothing. When it fails the site is taken out again."""
    start: bool = True


@dataclass(frozen=True, slots=True)
class SelfSigned:
    """A certificate of our own for trying out, made once for these names."""

    names: tuple[str, ...]
    chain: Path
    key: Path
    group: str
    until: bool = False
    """Only until another certificate comes: one that is there is kept, whoever it is from."""


@dataclass(frozen=True, slots=True)
class FromCaddy:
    """Caddy's certificate for this name, waited for and copied to the mail services."""

    hostname: str
    chain: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certbot:
    """A certificate from certbot, and its first copy to where the services read it (by the deploy hook)."""

    command: tuple[str, ...]
    names: tuple[str, ...]
    """The server's first. Of the others those are asked for that DNS knows."""
    lineage: Path
    hook: Path
    chain: Path
    later: bool = False
    """Another certificate serves until this one comes: that it cannot be had now stops nothing."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that opens the firewall; what undoes it is remembered."""

    argv: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Units:
    """Units to enable, and to start or restart, in this order."""

    enable: tuple[str, ...]
    start: bool = True


Step = (
    Packages
    | Rehearsal
    | StockUnits
    | Account
    | Directory
    | File
    | SettingsFile
    | Line
    | Link
    | Member
    | Proxy
    | SelfSigned
    | FromCaddy
    | Certbot
    | Command
    | Units
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order, and words the administrator should read."""

    steps: tuple[Step, ...]
    holds: frozenset[Path] = frozenset()
    """Files that stay though no step writes them this time."""
    notes: tuple[str, ...] = field(default=())
