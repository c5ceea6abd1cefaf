"""The Debian packages a server needs, in one place; installed without starting or enabling their own daemons."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from gateway.setup.host import CommandFailed, Hands

MAIL = (
    "dovecot-core",
    "dovecot-imapd",
    "dovecot-lmtpd",
    "dovecot-sqlite",
    "dovecot-sieve",
    "dovecot-managesieved",
    "postfix",
    "postfix-sqlite",
)
LOOKUP_POSTGRESQL = ("dovecot-pgsql", "postfix-pgsql")
"""For mail.lookup = postgresql."""
CERTBOT = ("certbot",)

DAEMONS = {"postfix": ("postfix.service",), "dovecot-core": ("dovecot.service", "dovecot.socket")}
"""Units a package brings along and enables."""

PROXIES = {"caddy": ("caddy",), "nginx": ("nginx",)}
"""By the answer ``proxy``."""

_POLICY = Path("/usr/sbin/policy-rc.d")
_FORBID = b"#!/bin/sh\n# of `postern setup`, while it installs\nexit 101\n"
_ENVIRON = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
_LOCK_SECONDS = 120
"""How long apt waits for another package manager, such as unattended-upgrades after a boot."""

_AGAIN = "then run the same command again: it goes on where it stopped"
_REASONS = (
    (
        r"Could not get lock|Unable to acquire the dpkg frontend lock"
        r"|dpkg frontend lock was locked by another process",
        "another package manager is running",
        f"wait until it has ended, {_AGAIN}",
    ),
    (
        r"No space left on device|don't have enough free space",
        "the disk is too full to install packages",
        f"free some space (`df -h` shows where), {_AGAIN}",
    ),
    (
        r"is not valid yet|Release file .* is expired",
        "apt refuses its package lists because of their dates: this machine's clock may be wrong",
        f"set the clock (`timedatectl set-ntp true`), {_AGAIN}",
    ),
    (
        r"Temporary failure resolving|Could not resolve|Could not connect|Unable to connect|Connection timed out"
        r"|Network is unreachable|Failed to fetch|Connection failed",
        "apt cannot fetch packages: its servers cannot be reached, or lack a file of its lists",
        f"see that `apt-get update` works (network, name servers, /etc/apt/sources.list), {_AGAIN}",
    ),
    (
        r"Unable to locate package (\S+)|Package '?(\S+?)'? has no installation candidate",
        "apt knows no package{0}",
        f"see that `apt-get update` works and that every part of the distribution is in apt's sources, {_AGAIN}",
    ),
    (
        r"unmet dependencies|held broken packages|pkgProblemResolver",
        "apt cannot install what is needed: packages on this machine contradict each other",
        f"`apt-get --fix-broken install` shows which, {_AGAIN}",
    ),
)
"""(what apt says, what it means, what to do now), the most particular first."""


class CannotInstall(Exception):
    """The packages cannot be installed now; ``fix`` says what to do."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


def missing(hands: Hands, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of ``names`` that are not installed."""
    lines = hands.ask("dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n", *names).splitlines()
    there = {line.split()[0] for line in lines if line.endswith(" installed")}
    return tuple(name for name in names if name not in there)


def daemons(names: Iterable[str]) -> tuple[str, ...]:
    """Units that these packages bring along and enable, which Postern does not use."""
    return tuple(unit for name in names for unit in DAEMONS.get(name, ()))


def install(hands: Hands, names: tuple[str, ...]) -> None:
    """Install ``names``. A policy-rc.d (Debian's invoke-rc.d asks it) forbids starting daemons meanwhile.
    Raises CannotInstall, CommandFailed."""
    held = hands.read(_POLICY)
    ours = held in (None, _FORBID)  # one of ours that is there was left by a set-up that was killed
    if held is None:
        hands.write(_POLICY, _FORBID, 0o755, "root", "root")
    update_failed = ""
    wait = f"DPkg::Lock::Timeout={_LOCK_SECONDS}"
    try:
        if hands.ask("dpkg", "--audit"):  # an installation was cut short
            hands.run("dpkg", "--configure", "-a", environ=_ENVIRON)
        if "postfix" in names:
            hands.run(
                "debconf-set-selections", stdin="postfix postfix/main_mailer_type select No configuration\n"
            )
        try:
            hands.run("apt-get", "update", "-qq", "-o", wait, environ=_ENVIRON)
        except CommandFailed as error:
            update_failed = str(
                error
            )  # often another source than the distribution's: the lists may do all the same
        hands.run(
            *("apt-get", "install", "-y", "-qq", "--no-install-recommends", "-o", wait, *names),
            environ=_ENVIRON,
        )
    except CommandFailed as error:
        raise _explained(f"{error}\n{update_failed}") or error from error
    finally:
        if ours:
            hands.remove(_POLICY)


def _explained(text: str) -> CannotInstall | None:
    """What a failure of apt's means; None when it is none of the usual ones."""
    for pattern, meaning, fix in _REASONS:
        if match := re.search(pattern, text):
            name = next((one for one in match.groups() if one), "")
            return CannotInstall(meaning.format(f": {name}" if name else ""), fix)
    return None
