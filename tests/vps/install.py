"""Postern as an administrator has it: its wheel in a virtual environment below /opt, `postern` on the PATH.

The dependencies are those of the tests' own environment, shown to the host read-only: no host has the internet.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.vps.host import Host

_ROOT = Path(__file__).resolve().parent.parent.parent
LIBRARIES = "/opt/postern-libraries"
WHEELS = "/opt/postern-wheels"
VENV = "/opt/postern"


def binds(wheel: Path) -> dict[str, str]:
    """What a host must be shown for :func:`install`."""
    return {LIBRARIES: sysconfig.get_paths()["purelib"], WHEELS: str(wheel.parent)}


@lru_cache
def build_wheel(into: Path) -> Path:
    """The project's wheel, built from this tree."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation"),
            *("--wheel-dir", str(into), str(_ROOT)),
        ],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    [wheel] = into.glob("postern-*.whl")
    return wheel


def doctor(host: Host) -> dict[str, list[dict[str, Any]]]:
    """What `postern doctor` finds, by check."""
    found = json.loads(host.run("postern", "doctor", "--json", check=False, timeout=180).stdout)
    return {one["check"]: one["findings"] for one in found["checks"]}


def install(host: Host, wheel: Path) -> str:
    """Install the wheel; answers the path of the executable there."""
    host.run("/usr/bin/python3", "-m", "venv", "--without-pip", VENV)
    [packages] = host.path(f"{VENV}/lib").glob("python3.*/site-packages")
    (packages / "libraries.pth").write_text(f"{LIBRARIES}\n")
    host.run(
        f"{VENV}/bin/python",
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--disable-pip-version-check",
        "--ignore-installed",
        f"{WHEELS}/{wheel.name}",
        environment={"PIP_ROOT_USER_ACTION": "ignore"},
    )
    host.run("ln", "-sf", f"{VENV}/bin/postern", "/usr/local/bin/postern")
    return "/usr/local/bin/postern"
