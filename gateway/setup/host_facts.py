"""The facts of the machine. Reads only; what only root may read is left out for another user."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import gateway
from gateway.setup import layout, releases
from gateway.setup.host import Hands
from gateway.setup.manifest import UnitState
from mailserver.machine import has_ipv6

STOCK = {
    "postfix.service": (25, 465, 587),
    "exim4.service": (25,),
    "sendmail.service": (25,),
    "opensmtpd.service": (25,),
    "dovecot.service": (143, 993, 4190),
    "dovecot.socket": (143, 993),
}
"""The distribution's mail units and the ports they take with their usual configuration."""
FURTHER = "postern@.service"
"""The template of gateways beside the first, which the administrator enables."""

_LISTEN = "0A"
_UNIT = re.compile(r"([^/]+\.(?:service|scope|socket))$")


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens on a TCP port; ``unit`` and ``program`` are empty where they cannot be seen."""

    address: str
    port: int
    unit: str = ""
    program: str = ""

    @property
    def ours(self) -> bool:
        return self.unit.startswith("postern")

    def __str__(self) -> str:
        who = f"{self.program} ({self.unit})" if self.unit else self.program or "another program"
        where = f"[{self.address}]" if ":" in self.address else self.address
        return f"{who} listens on {where}:{self.port}"


@dataclass(frozen=True, slots=True)
class Facts:
    """The machine as found."""

    release: str = ""
    """``debian 12``, of os-release."""
    packages: dict[str, str] | None = field(default_factory=dict)
    """Versions that are installed or that apt would install (``releases.offered``); None: there is no apt."""
    root: bool = False
    systemd: bool = False
    message_bus: bool = True
    """The system's D-Bus answers, by which ``systemd-run --wait`` hears how a command ended."""
    hostname: str = ""
    addresses: tuple[str, ...] = ()
    """Public ones of its own, IPv4 first."""
    ipv6: bool = True
    listeners: tuple[Listener, ...] = ()
    stock: dict[str, UnitState] = field(default_factory=dict)
    """Mail units of the distribution that are enabled or running."""
    firewall: str = ""
    """``ufw``, ``firewalld``, ``nftables`` when one is active."""
    program: str = ""
    program_problem: str = ""
    postgresql_driver: bool = True
    """psycopg is installed beside Postern."""
    domains: tuple[str, ...] = ()
    """Domains that the gateway serves beside the first, for the names that a proxy answers for."""
    fingerprint: str = ""
    """Changes when another Postern is installed."""


def _bus_answers() -> bool:
    """Whether somebody listens on D-Bus' system socket; systemd starts the bus for whoever connects."""
    with socket.socket(socket.AF_UNIX) as bus:
        try:
            bus.connect("/run/dbus/system_bus_socket")
        except OSError:
            return False
    return True


def gather(hands: Hands) -> Facts:
    """Everything there is to know before planning."""
    program, problem = our_program()
    return Facts(
        release=_release(hands),
        packages=releases.offered(hands),
        root=os.geteuid() == 0,
        systemd=not hands.live or Path("/run/systemd/system").is_dir(),
        message_bus=not hands.live or _bus_answers(),
        hostname=socket.getfqdn().lower().rstrip(".") if hands.live else "",
        addresses=own_addresses() if hands.live else (),
        ipv6=not hands.live or has_ipv6(),
        listeners=tuple(listeners(activated=_activated(hands))) if hands.live else (),
        stock=_stock(hands),
        firewall=_firewall(hands) if hands.live else "",
        program=program,
        program_problem=problem,
        postgresql_driver=find_spec("psycopg") is not None,
        fingerprint=fingerprint(),
    )


def our_program() -> tuple[str, str]:
    """The ``postern`` executable that units can start, and why they cannot (empty when they can)."""
    beside = Path(sys.prefix) / "bin" / "postern"
    program = beside if beside.exists() else Path(sys.argv[0]).absolute()
    needed = {program, Path(sys.executable).resolve(), Path(gateway.__file__).resolve()}
    for path in sorted(needed | {program.resolve()}):
        problem = closed(path)
        if problem:
            return str(program), problem
    return str(program), ""


def closed(path: Path) -> str:
    """Why a service of another user cannot read ``path``; empty when it can."""
    for above in layout.CLOSED_TO_SERVICES:
        if path.is_relative_to(above):
            return f"{path} is below {above}, which the services do not see"
    for one in (path, *path.parents):
        try:
            mode = one.stat().st_mode
        except OSError as error:
            return f"{one}: {error.strerror}"
        if not mode & (stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH):
            return f"{one} is closed to other users than its owner (mode {stat.S_IMODE(mode):04o})"
    return ""


def fingerprint() -> str:
    """The installed Postern: its version and, of a wheel, the digest of its list of files."""
    import hashlib

    try:
        record = metadata.distribution("postern").read_text("RECORD") or ""
    except metadata.PackageNotFoundError:
        record = ""
    return f"{gateway.__version__} {hashlib.sha256(record.encode()).hexdigest()[:16]}"


def own_addresses() -> tuple[str, ...]:
    """The addresses this machine would speak to the world from, where they are public. Nothing is sent."""
    found = []
    # a UDP socket that is connected knows its source address; these are documentation addresses (RFC 5737, 3849)
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((far, 9))
                address = ipaddress.ip_address(probe.getsockname()[0].partition("%")[0])
        except OSError:
            continue
        if address.is_global:
            found.append(str(address))
    return tuple(found)


def resolves(name: str) -> bool:
    """Whether DNS has an address for ``name``. Blocks, for as long as the resolver tries."""
    try:
        return bool(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
    except OSError:
        return False


def listeners(
    proc: Path = Path("/proc"), *, activated: Mapping[tuple[str, int], str] | None = None
) -> list[Listener]:
    """Every TCP port that is listened on, with the unit and program where they can be seen (as root).

    ``activated``: {(address, port): socket unit} of what systemd itself listens on while a service is down.
    """
    found: dict[str, tuple[str, int]] = {}
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN:
                host, _, port = fields[1].partition(":")
                found[fields[9]] = (_address(host), int(port, 16))
    owners = _owners(proc, set(found))
    listening = []
    for inode, where in found.items():
        unit, program = owners.get(inode, ("", ""))
        if program in ("", "systemd"):
            unit = (activated or {}).get(where, unit)
        listening.append(Listener(*where, unit, program))
    return listening


def _activated(hands: Hands) -> dict[tuple[str, int], str]:
    """{(address, port): unit} of systemd's socket units."""
    found = {}
    for line in hands.ask("systemctl", "list-sockets", "--no-legend", "--full", "--no-pager").splitlines():
        fields = line.split()
        address, _, port = fields[0].rpartition(":") if len(fields) > 1 else ("", "", "")
        if port.isdecimal():
            unit = next((one for one in fields[1:] if one.endswith(".socket")), "")
            # a socket that is bound to no address of either family shows as `[::]:PORT` or `*:PORT`
            host = "0.0.0.0" if address == "*" else address.strip("[]")  # noqa: S104
            found[host, int(port)] = unit
    return found


def _address(text: str) -> str:
    """An address as /proc/net writes it: hexadecimal, each 32 bits in the machine's order."""
    raw = b"".join(int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8))
    return str(ipaddress.ip_address(raw))


def _owners(proc: Path, inodes: set[str]) -> dict[str, tuple[str, str]]:
    """{socket inode: (unit, program)}. Of several holders the last to start is taken: systemd passes sockets on."""
    found: dict[str, tuple[str, str]] = {}
    for folder in sorted(proc.glob("[0-9]*"), key=lambda one: int(one.name)):
        try:
            links = [os.readlink(one) for one in (folder / "fd").iterdir()]
        except OSError:
            continue
        held = {one[8:-1] for one in links if one.startswith("socket:[")} & inodes
        if not held:
            continue
        try:
            program = (folder / "comm").read_text().strip()
            match = _UNIT.search((folder / "cgroup").read_text().strip())
        except OSError:
            continue
        for inode in held:
            found[inode] = (match[1] if match else "", program)
    return found


def _release(hands: Hands) -> str:
    fields = {}
    for line in (hands.read(Path("/etc/os-release")) or b"").decode("utf-8", "replace").splitlines():
        name, _, value = line.partition("=")
        fields[name] = value.strip('"')
    return f"{fields.get('ID', '')} {fields.get('VERSION_ID', '')}".strip()


def unit_state(hands: Hands, unit: str) -> UnitState:
    """Whether a unit is enabled and running."""
    enabled = hands.ask("systemctl", "is-enabled", unit) in ("enabled", "enabled-runtime", "alias")
    return UnitState(
        enabled, hands.live and hands.ask("systemctl", "is-active", unit) in ("active", "reloading")
    )


def further_gateways(hands: Hands) -> list[str]:
    """Instances of postern@.service that run or are enabled."""
    running = set()
    if hands.live:
        listed = hands.ask("systemctl", "list-units", "--plain", "--no-legend", FURTHER.replace("@", "@*"))
        running = {line.split()[0] for line in listed.splitlines()}
    links = hands.at(layout.UNITS).glob("*.wants/postern@?*.service")
    return sorted(running | {one.name for one in links})


def _stock(hands: Hands) -> dict[str, UnitState]:
    found = {}
    for unit in STOCK:
        state = unit_state(hands, unit)
        if state.enabled or state.active:
            found[unit] = state
    return found


def _firewall(hands: Hands) -> str:
    conf = (hands.read(Path("/etc/ufw/ufw.conf")) or b"").decode("utf-8", "replace")
    if re.search(r"(?m)^\s*ENABLED\s*=\s*yes", conf):
        return "ufw"
    if hands.ask("firewall-cmd", "--state") == "running":
        return "firewalld"
    rules = hands.ask("nft", "list", "ruleset")
    if re.search(r"hook input[^;]*;\s*policy drop", rules) or re.search(
        r"hook input.*?\b(drop|reject)\b", rules, re.S
    ):
        return "nftables"
    return ""
