"""The shipped units as systemd's own tools judge them: no warning, and no more exposed than is said here."""

from __future__ import annotations

import difflib
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "systemd"
UNITS = sorted(
    one.name
    for one in SOURCES.iterdir()
    if one.suffix in {".service", ".socket", ".timer", ".path", ".slice"}
)
EXPOSURE = {
    "postern.service": 1.1,
    "postern@.service": 1.1,
    "postern-milter.service": 1.1,
    "postern-backup.service": 1.1,
    "postern-doctor.service": 1.5,
    "postern-tls.service": 0.7,
    "postern-certificate.service": 1.4,
    "postern-dovecot.service": 1.4,
    "postern-postfix.service": 2.6,
}
"""The highest that `systemd-analyze security` may say, of 10."""

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="apt install systemd")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units as `postern setup` writes them, with an executable that is there."""
    folder = tmp_path_factory.mktemp("units")
    for name in UNITS:
        text = (SOURCES / name).read_text("utf-8")
        (folder / name).write_text(text.replace("@POSTERN@", "/usr/bin/true"))
    return folder


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *words], capture_output=True, text=True, timeout=60
    )


def verify(*units: Path) -> subprocess.CompletedProcess[str]:
    # a small installation has no man, and dpkg leaves the pages of packages out
    return analyze("verify", "--man=no", *map(str, units))


def test_they_verify_cleanly(root: Path) -> None:
    done = verify(*(root / name for name in UNITS))
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "postern" in line]
    assert not ours
    assert done.returncode == 0, done.stderr


def test_verify_would_tell(root: Path, tmp_path: Path) -> None:
    broken = tmp_path / "postern.service"
    broken.write_text((root / "postern.service").read_text().replace("WatchdogSec=", "WachdogSec="))
    assert "WachdogSec" in verify(broken).stderr


@pytest.mark.parametrize("name", [one for one in UNITS if one.endswith(".service")])
def test_none_is_more_exposed_than_said(root: Path, name: str) -> None:
    limit = str(round(EXPOSURE[name] * 10))
    done = analyze("security", "--offline=yes", f"--threshold={limit}", str(root / name))
    assert done.returncode == 0, done.stdout[-300:]


def test_a_further_gateway_differs_in_where_it_is_spoken_to_alone() -> None:
    first, further = (
        (SOURCES / name).read_text().splitlines() for name in ("postern.service", "postern@.service")
    )
    both = [line.split("=")[0] for line in difflib.ndiff(first, further) if line[0] in "-+"]
    assert [one for one in both if one[2] != "#"] == [
        *("- Description", "+ Description", "- Requires", "- After", "+ After"),
        *("+ Environment", "- ExecStart", "+ ExecStart"),
    ]


def test_users_directories_and_timers_are_understood(tmp_path: Path) -> None:
    done = subprocess.run(
        ["systemd-sysusers", "--dry-run", str(SOURCES / "sysusers.d/postern.conf")],
        capture_output=True,
        text=True,
    )
    if "unrecognized option" not in done.stderr:  # it came with systemd 254
        assert done.returncode == 0, done.stderr
    for name in UNITS:
        if name.endswith(".timer"):
            [when] = [
                line.partition("=")[2]
                for line in (SOURCES / name).read_text().splitlines()
                if line.startswith("OnCalendar=")
            ]
            assert analyze("calendar", when).returncode == 0
