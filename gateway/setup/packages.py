"""The Debian packages a server needs, in one place; installed without starting or enabling their own daemons."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.setup.hands import Hands

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

_POLICY = Path("/usr/sbin/policy-rc.d")


def missing(hands: Hands, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of ``names`` that are not installed."""
    lines = hands.ask("dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n", *names).splitlines()
    there = {line.split()[0] for line in lines if line.endswith(" installed")}
    return tuple(name for name in names if name not in there)


def install(hands: Hands, names: tuple[str, ...]) -> None:
    """Install ``names``. A policy-rc.d (Debian's invoke-rc.d asks it) forbids starting daemons meanwhile; the
    units that the packages enable are disabled again. Raises CommandFailed."""
    held = hands.read(_POLICY)
    if held is None:
        hands.write(
            _POLICY, b"#!/bin/sh\n# of `postern setup`, while it installs\nexit 101\n", 0o755, "root", "root"
        )
    environ = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        if "postfix" in names:
            hands.run(
                "debconf-set-selections", stdin="postfix postfix/main_mailer_type select No configuration\n"
            )
        hands.run("apt-get", "update", "-qq", environ=environ)
        hands.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *names, environ=environ)
    finally:
        if held is None:
            hands.remove(_POLICY)
    units = tuple(unit for name in names for unit in DAEMONS.get(name, ()))
    if units and (hands.dry or os.path.isdir("/run/systemd/system")):
        hands.run("systemctl", "disable", *units)
