"""Which systems can be set up. What counts is the packages they have or would get, not the system's name."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping

from gateway.setup.host import Hands

SYSTEMS = "Debian 12 or 13, or Ubuntu 24.04 or 26.04"
"""Where Postern is tested. Other systems that have the same packages are not refused."""

NEEDED = {"dovecot-core": "Dovecot", "postfix": "Postfix"}
"""The packages whose versions matter, with their programs' names."""
ALSO = ("caddy", "nginx", "certbot")
"""Packages of which it is good to know whether apt has them, and nginx's version."""

_DOVECOT = ((2, 3), (2, 4))
_POSTFIX = (3, 7)
_NUMBERS = re.compile(r"(?:\d+:)?(\d+)\.(\d+)")
_POLICY = re.compile(r"^(\S+):\n  Installed: (\S+)\n  Candidate: (\S+)$", re.MULTILINE)
_NONE = "(none)"


def offered(hands: Hands) -> dict[str, str] | None:
    """{package: the version that is installed, else the one that apt would install}, for each of NEEDED and ALSO;
    empty text for a package that apt does not know. None when there is no apt. Of an image: only what is installed."""
    if not hands.live:
        lines = hands.ask("dpkg-query", "-W", "-f=${Package} ${Version}\n", *NEEDED, *ALSO).splitlines()
        return {name: version for name, _, version in (line.partition(" ") for line in lines)}
    if shutil.which("apt-cache") is None or shutil.which("dpkg-query") is None:
        return None
    text = hands.ask("env", "LC_ALL=C", "apt-cache", "policy", *NEEDED, *ALSO)
    found = dict.fromkeys((*NEEDED, *ALSO), "")
    for name, installed, candidate in _POLICY.findall(text):
        version = installed if installed != _NONE else candidate
        found[name] = version if version != _NONE else ""
    return found


def problems(release: str, versions: Mapping[str, str] | None) -> Iterator[tuple[str, str]]:
    """(what is wrong, what to do now) with the answer of :func:`offered`."""
    if versions is None:
        yield (
            f"this is {release or 'an unknown system'}, which has no apt, and set-up installs Debian packages",
            f"take a server with {SYSTEMS}",
        )
        return
    unknown = [name for name in NEEDED if versions.get(name) == ""]
    if unknown:
        universe = "; on Ubuntu also `add-apt-repository universe`" if release.startswith("ubuntu") else ""
        yield (
            f"apt knows no package {' or '.join(unknown)}: its lists are empty, or lack a part of the distribution",
            f"run `apt-get update`{universe}, then the same command again",
        )
    for name in NEEDED:
        version = versions.get(name, "")
        if version and (why := _unfit(name, version)):
            yield (
                f"{NEEDED[name]} {version} (package {name} of {release or 'this system'}) is {why}",
                f"take a server with {SYSTEMS}, or upgrade this one to such a release",
            )


def parsed(version: str) -> tuple[int, int]:
    """The first two numbers of a package's version; (0, 0) when it has none."""
    match = _NUMBERS.match(version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _unfit(name: str, version: str) -> str:
    """Why a version cannot be used; empty when it can."""
    numbers = parsed(version)
    if name == "postfix":
        return "" if numbers >= _POSTFIX else "too old: Postern needs 3.7 or newer"
    if numbers < min(_DOVECOT):
        return "too old: Postern needs 2.3 or 2.4"
    return "" if numbers <= max(_DOVECOT) else "newer than this Postern knows (2.3 and 2.4): upgrade Postern"
