"""Which Postern is installed: its version, and the commit that it was built from.

Both were settled when the wheel was built (``scripts/packaging/version.py``). A development installation reports what
they were when it was made: nothing asks git while a program runs.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import metadata
from typing import NamedTuple

_UNKNOWN = "0+unknown"
_SHORT = 7


class Build(NamedTuple):
    """The installed Postern."""

    version: str
    """By PEP 440, such as ``0.2.0`` or ``0.2.1.dev12+gd004496``; ``0+unknown`` where Postern is not installed."""
    commit: str
    """The first seven digits of the commit's hash; empty where the build did not know it."""
    editable: bool
    """Whether the program runs from a source tree, which may have changed since it was installed."""

    def __str__(self) -> str:
        """``0.2.1.dev12 (commit d004496)``, and what else there is to know."""
        if self.version == _UNKNOWN:
            return "of unknown version: it is not installed"
        public, _, local = self.version.partition("+")
        notes = [f"commit {self.commit}"] if self.commit else []
        if local.endswith("dirty"):
            notes.append("with uncommitted changes")
        if self.editable:
            notes.append("as of this development installation")
        return f"{public} ({', '.join(notes)})" if notes else public


@cache
def installed_build() -> Build:
    """The Postern that runs."""
    try:
        found = metadata.distribution("postern")
    except metadata.PackageNotFoundError:
        return Build(_UNKNOWN, "", editable=False)
    about = json.loads(found.read_text("extra_metadata/build.json") or "{}")
    return Build(found.version, about.get("commit", "")[:_SHORT], about.get("editable", False))
