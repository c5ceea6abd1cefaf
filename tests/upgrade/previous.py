"""The wheel of the release before, built from this repository's own history."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PREVIOUS = "d00449660c7797eecf989099bb5aa0e9d5158fc2"
"""The last commit of 0.1.0."""
_ROOT = Path(__file__).resolve().parents[2]


def previous_missing() -> str | None:
    """Why its wheel cannot be built here, or None."""
    try:
        known = subprocess.run(
            ["git", "cat-file", "-e", f"{PREVIOUS}^{{commit}}"], cwd=_ROOT, capture_output=True
        )
    except FileNotFoundError:
        return "git is not installed: apt install git"
    return (
        None
        if known.returncode == 0
        else f"git's history here does not hold {PREVIOUS[:7]} (git fetch --unshallow)"
    )


def build_previous(folder: Path) -> Path:
    """Its wheel, in ``folder``; the tree it is built from stays out of the repository."""
    tree, made = folder / "tree", folder / "wheel"
    tree.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", PREVIOUS], cwd=_ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "--extract"], cwd=tree, check=True, input=archive)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation"),
            *("--wheel-dir", str(made), str(tree)),
        ],
        check=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    [wheel] = made.glob("postern-0.1.0-*.whl")
    return wheel
