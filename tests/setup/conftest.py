"""A Debian tree to set up: what setup reads of one, and nothing else. Real files, real systemctl --root."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.setup import apply, layout, manifest, plan, remove, sources
from gateway.setup.answers import Answers, Secrets, check
from gateway.setup.host import DryHands, Hands
from gateway.setup.host_facts import Facts
from gateway.setup.manifest import Manifest
from gateway.setup.steps import Plan

PROGRAM = "/opt/postern/bin/postern"
ANSWERS = Answers(domain="example.org", tls="self-signed", addresses=("192.0.2.10",), inbox="agent")
FACTS = Facts(release="debian 12", root=True, systemd=True, program=PROGRAM, fingerprint="1")


def snapshot(root: Path) -> dict[str, tuple[Any, ...]]:
    """Everything below a directory: kind and mode, owner, content."""
    found = {}
    for path in sorted(root.rglob("*")):
        info = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(root))] = (
            info.st_mode,
            info.st_uid,
            info.st_gid,
            info.st_mtime_ns,
            content,
        )
    return found


@dataclass
class Tree:
    """A tree and what setup knows of it."""

    root: Path
    facts: Facts = FACTS
    said: list[str] = field(default_factory=list)

    def plan(self, answers: Answers = ANSWERS, secrets: Secrets | None = None, **given: Any) -> Plan:
        texts = {
            "units": sources.units(PROGRAM),
            "sysusers": sources.sysusers(),
            "tmpfiles": sources.tmpfiles(),
        }
        return plan.make(check(answers), secrets or Secrets(), self.facts, plan.Sources(**(texts | given)))

    def apply(self, made: Plan | None = None, hands: Hands | None = None) -> list[tuple[str, str, str]]:
        """Apply a plan, as a run of its own; answers what changed."""
        hands = hands or Hands(self.root)
        doing = apply.Applying(hands, self.book(), layout.MANIFEST, self.facts.fingerprint)
        doing.book.answers = check(ANSWERS)
        doing.run(made or self.plan())
        return doing.changes

    def dry(self, made: Plan | None = None) -> list[dict[str, Any]]:
        hands = DryHands(self.root)
        self.apply(made, hands)
        return hands.acts

    def remove(self, *, purge: bool = False) -> list[tuple[str, str, str]]:
        return remove.remove(Hands(self.root), self.book(), layout.MANIFEST, purge=purge)

    def book(self) -> Manifest:
        return manifest.load(self.at(layout.MANIFEST))

    def at(self, path: Path | str) -> Path:
        return self.root / str(path).lstrip("/")

    def edit(self, path: Path | str, change: Callable[[str], str]) -> str:
        """Edit a file as an administrator would; answers the new text."""
        text = change(self.at(path).read_text())
        self.at(path).write_text(text)
        return text

    def where(self) -> dict[str, Any]:
        return snapshot(self.root)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A tree with Debian's users and packages, as this machine has them."""
    for program in ("systemctl", "systemd-sysusers"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}: apt install systemd")
    if os.geteuid() != 0:
        pytest.skip("owners can be given by root alone")
    root = tmp_path / "tree"
    for folder in ("etc/systemd/system", "var/lib/dpkg", "var/spool", "var/backups", "usr/sbin"):
        (root / folder).mkdir(parents=True)
    (root / "etc/os-release").write_text("ID=debian\nVERSION_ID=12\n")
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\npostfix:x:104:105::/:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\npostfix:x:105:\n")
    names = (*plan.wanted_packages(msgspec.structs.replace(ANSWERS, tls="certbot")), "caddy", "nginx")
    (root / "var/lib/dpkg/status").write_text(
        "\n".join(
            f"Package: {name}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"
            f"Maintainer: nobody\nDescription: {name}\n"
            for name in names
        )
    )
    return Tree(root)
