"""Whether what changed for users has a line in CHANGELOG.md.

A commit counts as a change for users when it touches one of USER_VISIBLE, other than documentation (``*.md``). Such
commits need a new line below "Unreleased" in CHANGELOG.md: in one of them, in another commit of the same branch, or not
yet committed. A commit that users do not notice says so in its message, with the trailer

    Changelog: none

Looked at are the commits since the branch left the main branch; on the main branch itself the last commit, with all
that it merges. Where git does not know what came before (no repository, a single commit, a shallow clone) nothing is
found wrong, and the answer says that nothing was looked at.

    python -m scripts.packaging.changelog_lines [BASE]

BASE is the commit to compare with instead, also as the environment variable CHANGELOG_BASE.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from scripts.packaging import changelog
from scripts.packaging.version import ROOT

USER_VISIBLE = (
    "gateway/",
    "mailserver/",
    "config/",
    "systemd/",
    "scripts/run",
    "Containerfile",
    "compose.yaml",
)
MAIN = ("refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/heads/main")


class NothingToCompare(Exception):
    """Git does not know what came before; the text says why."""


def complaint(root: Path = ROOT, base: str | None = None) -> str:
    """What is missing, in words; empty when nothing is. ``base`` is a commit to compare with.

    Raises NothingToCompare where git does not know the commits before, BadChangelog for an unreadable CHANGELOG.md.
    """
    now = changelog.read(root)
    if (
        not (root / ".git").exists()
        or _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}") is None
    ):
        raise NothingToCompare("there is no git repository with a commit here")
    start = _base(root, base)
    since = _lines(root, "rev-list", f"{start}..HEAD")
    if not _cut_off(root).isdisjoint(since):
        raise NothingToCompare("git's history is cut off here (git fetch --unshallow brings the rest)")
    unexplained = [one for one in since if _is_for_users(root, one)]
    if not unexplained or _new_lines(now, _git(root, "show", f"{start}:{changelog.FILE}") or ""):
        return ""
    named = "".join(
        f"\n  {_git(root, 'show', '--no-patch', '--format=%h %s', one)}" for one in reversed(unexplained)
    )
    return (
        f"{changelog.FILE} has no new line below Unreleased, but these commits change what users see:{named}\n"
        "Add a line for users, or the trailer 'Changelog: none' to the message of a commit that they do not notice."
    )


def _base(root: Path, given: str | None) -> str:
    head = _lines(root, "rev-parse", "HEAD")[0]
    if given:
        if _git(root, "rev-parse", "--verify", "--quiet", f"{given}^{{commit}}") is None:
            raise NothingToCompare(f"git does not know the commit {given} here")
        common = _git(root, "merge-base", given, "HEAD")
        if common is None:
            raise NothingToCompare(f"git knows no common ancestor of {given} and HEAD here")
        return common
    for name in MAIN:
        common = _git(root, "merge-base", name, "HEAD")
        # a commit that main has, and is not its last one, was asked when it came there: nothing is left to ask
        if common is not None and (common != head or _git(root, "rev-parse", name) != head):
            return common
    before = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^1")
    if before is None:
        raise NothingToCompare("git knows no commit before this one")
    return before


def _cut_off(root: Path) -> set[str]:
    """The commits whose parents a shallow clone does not have."""
    try:
        return set((root / (_git(root, "rev-parse", "--git-path", "shallow") or "")).read_text().split())
    except OSError:
        return set()


def _is_for_users(root: Path, commit: str) -> bool:
    trailer = _git(root, "show", "--no-patch", "--format=%(trailers:key=Changelog,valueonly)", commit) or ""
    if trailer.strip().lower().startswith("none"):
        return False
    # of a merge this lists nothing: the commits that it brought are asked themselves
    touched = _lines(root, "diff-tree", "--no-commit-id", "--name-only", "-r", "--root", commit)
    return any(one.startswith(USER_VISIBLE) and not one.endswith(".md") for one in touched)


def _new_lines(now: list[changelog.Section], before: str) -> bool:
    """Whether a section that was not released before has a line that the changelog did not have before."""
    try:
        released = {one.version for one in changelog.sections(before) if one.released}
    except changelog.BadChangelog:
        released = set()
    known = set(before.splitlines())
    return any(
        line.strip() and not line.startswith("#") and line not in known
        for one in now
        if not one.released or one.version not in released
        for line in one.text.splitlines()
    )


def _git(root: Path, *words: str) -> str | None:
    """What git printed; None when it failed or is not installed."""
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _lines(root: Path, *words: str) -> list[str]:
    return (_git(root, *words) or "").splitlines()


def main() -> int:
    base = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("CHANGELOG_BASE")
    try:
        missing = complaint(base=base)
    except NothingToCompare as reason:
        print(f"{changelog.FILE}: not compared with earlier commits: {reason}")
        return 0
    except changelog.BadChangelog as error:
        print(error, file=sys.stderr)
        return 1
    if missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
