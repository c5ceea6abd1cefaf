"""Which version this source tree is, and of which commit. The one place that decides; the build asks it.

At the tag ``v0.2.0`` the version is ``0.2.0``. Twelve commits later it is ``0.2.1.dev12+gd004496``: the next version,
the number of commits since the tag, the commit. ``.dirty`` at the end says that files were changed since that commit.

The next version is what CHANGELOG.md names as ``## Unreleased (0.3.0)``; without a name, or when it is not above the
last release, the last release with its last number raised by one.

The last release and the number of commits come from the first of these that there is:

1. ``PKG-INFO``, which a source distribution has: the version in it.
2. the environment variable SETUPTOOLS_SCM_PRETEND_VERSION_FOR_POSTERN: taken as it is, for packagers.
3. git, with a tag ``v*`` in the history: that tag, and the commits since.
4. git, without such a tag: the last release that CHANGELOG.md names, and the number of all commits. In a shallow clone,
   where git knows only the newest commits, the number is 0.
5. ``.git_archival.txt``, into which ``git archive`` writes the commit: as 3, or as 4 with the number 0.
6. CHANGELOG.md alone: the next version with ``.dev0``, and no commit.
"""

from __future__ import annotations

import re
import subprocess
import warnings
from email import message_from_string
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import Version

from scripts.packaging import changelog

if TYPE_CHECKING:
    from setuptools_scm import ScmVersion

ROOT = Path(__file__).resolve().parents[2]
_COMMIT_LENGTH = 7
_DESCRIBE = "git describe --dirty --tags --long --abbrev=40 --match v[0-9]*"


class Decided(NamedTuple):
    """The answer."""

    version: str
    """By PEP 440."""
    commit: str
    """The full hash where it is known, else what the version says of it; empty where nothing does."""


def decide(root: Path = ROOT) -> Decided:
    """The version and commit of the source tree ``root``. Raises BadChangelog for an unreadable CHANGELOG.md."""
    from setuptools_scm import get_version

    if (root / "PKG-INFO").is_file():
        return _known(message_from_string((root / "PKG-INFO").read_text("utf-8"))["Version"], "", root)
    sections = changelog.read(root)
    last, planned = changelog.last_release(sections), changelog.planned(sections)
    commit = ""

    def public(found: ScmVersion) -> str:
        nonlocal commit
        commit = (found.node or "").removeprefix("g")
        tagged = str(found.tag) != "0.0"
        if tagged and found.exact:
            return str(found.tag)
        distance = found.distance if tagged or not _is_shallow(root) else 0
        return f"{_next(Version(str(found.tag)) if tagged else last, planned)}.dev{distance}"

    def local(found: ScmVersion) -> str:
        if found.node is None or (found.exact and str(found.tag) != "0.0"):
            return ""
        return f"+g{found.node.removeprefix('g')[:_COMMIT_LENGTH]}{'.dirty' if found.dirty else ''}"

    try:
        with warnings.catch_warnings():
            # a shallow clone and an archive without git's words are cases of ours, not mistakes
            warnings.simplefilter("ignore")
            version = get_version(
                root=str(root),
                fallback_root=str(root),
                dist_name="postern",
                version_scheme=public,
                local_scheme=local,
                scm={"git": {"describe_command": _DESCRIBE}},
            )
    except LookupError:  # neither git nor a file that says
        version = f"{_next(last, planned)}.dev0"
    return _known(version, commit, root)


def _known(version: str, commit: str, root: Path) -> Decided:
    """With the commit from wherever it is named."""
    said = re.search(r"\+g([0-9a-f]+)", version)
    return Decided(version, _archived_commit(root) or commit or (said[1] if said else ""))


def _next(last: Version | None, planned: Version | None) -> Version:
    if last is not None and last.pre and (planned is None or planned.release == last.release):
        # after 0.3.0rc1 comes 0.3.0rc2
        return Version(f"{last.base_version}{last.pre[0]}{last.pre[1] + 1}")
    if planned is not None and (last is None or planned > last):
        return planned
    major, minor, patch = (*(last or Version("0")).release, 0, 0)[:3]
    return Version(f"{major}.{minor}.{patch + 1}")


def _is_shallow(root: Path) -> bool:
    try:
        # named outright, git also reads a repository of another user, as setuptools-scm does
        asked = subprocess.run(
            ["git", "--git-dir", str(root / ".git"), "rev-parse", "--is-shallow-repository"],
            capture_output=True,
            text=True,
        )
    except OSError:
        return False
    return asked.stdout.strip() == "true"


def _archived_commit(root: Path) -> str:
    """The commit that ``.git_archival.txt`` names; empty where there is none, or git did not fill it in."""
    try:
        text = (root / ".git_archival.txt").read_text("utf-8")
    except OSError:
        return ""
    named = re.search(r"^node: ([0-9a-f]{40,64})$", text, re.MULTILINE)
    return named[1] if named else ""
