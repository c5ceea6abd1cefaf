"""A git repository made for one test."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = """# Changelog

## Unreleased (0.2.0)

### Added

- Something.

## 0.1.0 - 2026-11-29

The first one.
"""
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Someone",
    "GIT_AUTHOR_EMAIL": "someone@elsewhere.example",
    "GIT_COMMITTER_NAME": "Someone",
    "GIT_COMMITTER_EMAIL": "someone@elsewhere.example",
}


class Repository:
    """A working tree with its history. Paths are relative to it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def made(cls, root: Path) -> Repository:
        """An empty one in the new directory ``root``; its branch is called main."""
        root.mkdir(parents=True)
        repository = cls(root)
        repository.git("init", "--quiet", "--initial-branch", "main")
        return repository

    def git(self, *words: str) -> str:
        """Run git in it; answers what it printed. Fails when git does."""
        done = subprocess.run(["git", *words], cwd=self.root, capture_output=True, text=True, env=ENVIRONMENT)
        assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Write a file, and the directories above it."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, "utf-8")

    def commit(self, message: str = "Change something") -> str:
        """Commit everything that changed, if anything did; answers the hash."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def commits(self, count: int) -> str:
        """So many commits; answers the hash of the last."""
        return [self.commit(f"Commit {number}") for number in range(count)][-1]

    def clone(self, into: Path, *options: str) -> Repository:
        """A clone through git's own transport, so that ``--depth`` means something."""
        self.git("clone", "--quiet", *options, f"file://{self.root}", str(into))
        return Repository(into)
