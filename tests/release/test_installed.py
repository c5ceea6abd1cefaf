"""What an installed Postern says of itself: version and commit, from a wheel, a source tree, a plain directory."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from gateway.version import Build
from tests.release.repository import ROOT

ASK = """
from gateway import __version__
from gateway.version import installed_build

print(installed_build(), __version__)
"""


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (Build("0.2.0", "d004496", False), "0.2.0 (commit d004496)"),
        (Build("0.2.1.dev12+gd004496", "d004496", False), "0.2.1.dev12 (commit d004496)"),
        (
            Build("0.2.1.dev12+gd004496.dirty", "d004496", True),
            "0.2.1.dev12 (commit d004496, with uncommitted changes, as of this development installation)",
        ),
        (Build("0.2.0.dev0", "", False), "0.2.0.dev0"),
    ],
)
def test_a_build_in_words(build: Build, said: str) -> None:
    assert str(build) == said


def asked(place: Path) -> str:
    """What the Postern that lies in ``place`` says, without any other in sight."""
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", ASK],
        capture_output=True,
        text=True,
        cwd=place,
        env={"PYTHONPATH": str(place)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_wheel_says_its_version_and_commit(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    version = wheel.name.split("-")[1]
    said = asked(tmp_path)
    assert said.endswith(f") {version}")
    assert said.startswith(f"{version.partition('+')[0]} (commit ")
    assert "development" not in said


def test_a_tree_that_is_not_installed_says_that_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "gateway").symlink_to(ROOT / "gateway")
    assert asked(tmp_path) == "of unknown version: it is not installed 0+unknown"


def test_the_command_says_its_version_and_starts_without_asking_for_it() -> None:
    command = [str(Path(sys.executable).with_name("postern"))]
    said = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("postern 0.")
    ask = "import gateway.cli.main"
    looked = subprocess.run([sys.executable, "-X", "importtime", "-c", ask], capture_output=True, text=True)
    assert "gateway.cli.failure" in looked.stderr
    assert "gateway.version" not in looked.stderr
    env = {**os.environ, "PATH": "/nonexistent"}  # git cannot have been asked
    assert subprocess.run([*command, "--version"], capture_output=True, text=True, env=env).stdout == said
