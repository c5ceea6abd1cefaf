"""The Python with AgentMail's toolkit, whose frameworks take other versions than Postern: an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LOCK = HERE / "packages.lock"


@pytest.fixture(scope="session")
def toolkit_python() -> Path:
    """Made on first use, and anew when the lock or the Python changes; a network is needed then.

    It is made by the test, beside the others, because it takes a minute and 260 MB. All of its packages are in the
    lock, but what left-out.in names: pip must not look for that.
    """
    place, wanted = HERE / ".venv", f"{sys.version}\n{LOCK.read_text('utf-8')}"
    python, stamp = place / "bin" / "python", place / "postern-stamp"
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return python
    venv.create(place, clear=True, with_pip=True)
    done = subprocess.run(
        [
            *(python, "-m", "pip", "--disable-pip-version-check", "install", "--progress-bar", "off"),
            *("--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", LOCK),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"pip could not install what {LOCK.name} names:\n{done.stderr[-2000:]}"
    stamp.write_text(wanted, "utf-8")
    return python
