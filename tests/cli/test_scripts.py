"""`scripts/run` and `scripts/test` say what cannot work before anything is installed, and print one line a step.

apt and dpkg are stood in for by programs that answer as theirs do on the system in question: no test installs packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

APT_CACHE = """#!/bin/sh
[ "$1" = policy ] || exit 2
version=$(sed -n "s/^$2 //p" "$PLACE/candidates")
printf '%s:\\n  Installed: (none)\\n  Candidate: %s\\n' "$2" "${version:-(none)}"
"""
APT_GET = """#!/bin/sh
echo "$*" >>"$PLACE/apt-get"
case "$*" in
*update*) echo "Err:1 no such host"; exit "$(cat "$PLACE/update")" ;;
*--assume-no*) cat "$PLACE/plan"; exit 1 ;;
*install*)
    echo "Setting up much"
    echo "one of its errors" >&2
    exit "$(cat "$PLACE/install")" ;;
esac
"""
PLAN = "Need to get 14.0 MB of archives.\nAfter this operation, 1,054 kB of additional disk space will be used.\n"
DEBIAN_12 = {"dovecot-core": "1:2.3.19.1+dfsg1-2.1+deb12u1", "python3": "3.11.2-1+b1", "caddy": "2.6.2-5"}


@dataclass
class Machine:
    """A checkout's scripts on a machine whose apt and dpkg are these."""

    place: Path
    candidates: dict[str, str] = field(default_factory=lambda: dict(DEBIAN_12))
    plan: str = PLAN
    update: int = 0
    install: int = 0
    root: bool = True
    python: bool = False
    before: tuple[str, ...] = ()
    """Words before bash on the command line."""

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a line of bash after ``environment.sh`` was sourced."""
        programs = self.place / "bin"
        shutil.rmtree(programs, ignore_errors=True)
        programs.mkdir()
        own = {
            "apt-cache": APT_CACHE,
            "apt-get": APT_GET,
            "dpkg-query": "#!/bin/sh\nexit 1\n",
            "debconf-set-selections": "#!/bin/sh\ncat >/dev/null\n",
            "id": f"#!/bin/sh\ncase $1 in -u) echo {0 if self.root else 1000} ;; *) echo somebody ;; esac\n",
        }
        if not self.python:
            own |= {f"python3{minor}": "#!/bin/sh\nexit 1\n" for minor in ("", ".11", ".12", ".13", ".14")}
        for name, text in own.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        (self.place / "candidates").write_text("".join(f"{a} {b}\n" for a, b in self.candidates.items()))
        (self.place / "plan").write_text(self.plan)
        (self.place / "update").write_text(str(self.update))
        (self.place / "install").write_text(str(self.install))
        lines = [
            f". {ROOT}/scripts/environment.sh",
            'install_packages() { apt_get install "$@"; }',  # else it would write to the machine's /usr/sbin
            *([] if self.python else ["_usable='import sys; sys.exit(1)'"]),
            command,
        ]
        return subprocess.run(
            [*self.before, "bash", "-euo", "pipefail", "-c", "\n".join(lines), "scripts/run"],
            capture_output=True,
            text=True,
            env={
                "PATH": f"{programs}:{os.environ['PATH']}",
                "HOME": str(self.place),
                "PLACE": str(self.place),
                "POSTERN_VENV": str(self.place / "venv"),
                **environment,
            },
        )

    @property
    def asked(self) -> list[str]:
        """What apt-get was asked to do, in a word each."""
        if not (self.place / "apt-get").exists():
            return []
        lines = (self.place / "apt-get").read_text().splitlines()
        return [
            "plan" if "--assume-no" in one else "update" if "update" in one else "install" for one in lines
        ]

    @property
    def installed(self) -> set[str]:
        """The packages of the last installation."""
        line = (self.place / "apt-get").read_text().splitlines()[-1]
        return {one for one in line.split() if one[0] != "-" and "::" not in one} - {"install"}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


PREPARE = "prepare requirements.lock dovecot-core"


@pytest.mark.parametrize(
    ("candidates", "words"),
    [
        ({"dovecot-core": "1:2.2.36-1"}, "needs Dovecot 2.3 or 2.4, and apt would install 1:2.2.36-1"),
        ({"dovecot-core": "1:2.5.0-1"}, "needs Dovecot 2.3 or 2.4, and apt would install 1:2.5.0-1"),
        ({"python3": "3.9.2-3"}, "needs Python 3.11 or newer, and apt would install 3.9.2-3"),
    ],
)
def test_what_apt_would_install_and_does_not_do_is_refused(
    machine: Machine, candidates: dict[str, str], words: str
) -> None:
    machine.candidates |= candidates
    for machine.root in (True, False):
        done = machine.run(PREPARE)
        assert done.returncode == 4
        assert words in done.stderr
        assert "Debian 12 or 13" in done.stderr
    assert "install" not in machine.asked


@pytest.mark.parametrize(
    "version", ["1:2.3.19.1+dfsg1-2.1+deb12u1", "1:2.4.1+dfsg1-6+deb13u7", "1:2.4.2-1ubuntu1"]
)
def test_versions_that_do_are_installed(machine: Machine, version: str) -> None:
    machine.candidates["dovecot-core"] = version
    machine.candidates["python3-venv"] = "3.13.5-1"
    machine.run(PREPARE)
    assert machine.asked == ["update", "plan", "install"]


def test_without_lists_or_network_it_says_so(machine: Machine) -> None:
    machine.candidates = {}
    machine.update = 100
    done = machine.run(PREPARE)
    assert done.returncode == 4
    assert "is there a network" in done.stderr
    assert "    Err:1 no such host" in done.stderr  # the end of the log
    assert f"All of it is in {machine.place}/venv.log" in done.stderr
    machine.update = 0  # apt calls much a success
    done = machine.run(PREPARE)
    assert done.returncode == 4
    assert "apt has none of these packages: dovecot-core python3 python3-venv" in done.stderr
    assert "install" not in machine.asked


def test_a_missing_component_is_named_and_what_may_be_missing_is_left_out(machine: Machine) -> None:
    done = machine.run("prepare requirements.lock dovecot-core dovecot-lmtpd")
    assert done.returncode == 4
    assert "apt has no package dovecot-lmtpd python3-venv here" in done.stderr
    assert "add the component universe" in done.stderr
    machine.candidates["python3-venv"] = "3.11.2"
    done = machine.run("prepare requirements.lock dovecot-core --if-any caddy swaks")
    assert "apt has no package swaks here: tests that need it will be skipped" in done.stderr
    assert machine.asked[-1] == "install"
    assert machine.installed == {"dovecot-core", "caddy", "python3", "python3-venv"}


def test_a_full_disk_is_seen_before(machine: Machine) -> None:
    machine.candidates["python3-venv"] = "3.11.2"
    machine.plan = "After this operation, 99,000 GB of additional disk space will be used.\n"
    done = machine.run(PREPARE)
    assert done.returncode == 4
    assert "there is not enough room: it takes about 99000" in done.stderr
    assert "install" not in machine.asked


@pytest.mark.parametrize(
    ("plan", "megabytes"),
    [
        (
            "Need to get 14.0 MB of archives.\nAfter this operation, 54.0 MB of additional disk space will be used.",
            69,
        ),
        (
            "Need to get 0 B/14.0 MB of archives.\nAfter this operation, 1,054 kB will be used.",
            16,
        ),
        (
            "Need to get 1,024 B of archives.\nAfter this operation, 2.5 GB of additional disk space will be used.",
            2502,
        ),
        ("After this operation, 3 MB disk space will be freed.", 1),
        ("0 upgraded, 0 newly installed.", 1),
    ],
)
def test_room_is_what_apt_says(machine: Machine, plan: str, megabytes: int) -> None:
    done = machine.run(f"printf '%s\\n' '{plan}' | megabytes_of")
    assert done.stdout == str(megabytes)


def test_whoever_is_not_root_is_told_what_to_install(machine: Machine) -> None:
    machine.root = False
    done = machine.run("prepare requirements.lock dovecot-core dovecot-imapd")
    assert done.returncode == 4
    assert done.stderr.endswith(
        "apt-get install --no-install-recommends dovecot-core dovecot-imapd python3 python3-venv\n"
    )
    assert machine.asked == []


def test_a_failed_step_shows_the_end_of_its_output(machine: Machine) -> None:
    machine.candidates["python3-venv"] = "3.11.2"
    machine.install = 100
    done = machine.run(PREPARE)
    assert done.returncode == 4
    lines = done.stderr.splitlines()
    assert lines[0].startswith("Reading apt's lists of packages ... done")
    assert lines[1].startswith("Installing 3 packages with apt (about 16 MB) ... failed")
    assert lines[2:4] == ["    Setting up much", "    one of its errors"]
    assert lines[4] == f"All of it is in {machine.place}/venv.log"
    assert lines[5] == "run: apt could not install dovecot-core python3 python3-venv"
    assert "\x1b" not in done.stderr


def test_a_step_that_went_well_is_one_line(machine: Machine) -> None:
    done = machine.run("step 'Doing it' sh -c 'echo much; echo more >&2'")
    assert done.returncode == 0
    assert done.stdout == ""
    assert [one.rstrip() for one in done.stderr.splitlines()] == ["Doing it ... done"]
    assert "much\nmore\n" in (machine.place / "venv.log").read_text()


@pytest.mark.parametrize(("made_from", "current"), [("", "yes"), ("-dev", "yes"), ("-build", "no")])
def test_what_is_made_for_development_does_for_the_gateway(
    machine: Machine, made_from: str, current: str
) -> None:
    lines = [
        'mkdir -p "$venv/bin"; touch "$venv/bin/postern"; chmod 755 "$venv/bin/postern"; find_python',
        f'venv_wanted requirements{made_from}.lock >"$venv/postern-stamp"',
        "if venv_is_current requirements.lock; then echo yes; else echo no; fi",
    ]
    machine.python = True
    assert machine.run("\n".join(lines)).stdout == f"{current}\n"


def test_development_has_all_that_the_gateway_needs_in_the_same_versions() -> None:
    def pins(name: str) -> set[str]:
        lines = (ROOT / name).read_text("utf-8").splitlines()
        return {line.split(" ")[0] for line in lines if line[:1].isalnum()}

    assert len(pins("requirements.lock")) > 40
    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_a_checkout_of_somebody_else_is_refused(machine: Machine) -> None:
    (machine.place / "closed").mkdir(mode=0o555)
    machine.python = True
    if os.geteuid() == 0:  # root writes anywhere, but not without its capabilities
        machine.before = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    done = machine.run("venv=$PLACE/closed/venv; log=$PLACE/log; prepare requirements.lock")
    assert done.returncode == 4
    assert f"somebody cannot write to {machine.place}/closed" in done.stderr


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals(machine: Machine, no_color: str, coloured: bool) -> None:
    inner = f"bash -c '. {ROOT}/scripts/environment.sh; step Doing true'"
    done = subprocess.run(
        ["script", "-qec", inner, "/dev/null"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={
            **os.environ,
            "TERM": "xterm",
            "NO_COLOR": no_color,
            "POSTERN_VENV": str(machine.place / "venv"),
        },
    )
    assert "Doing ... " in done.stdout
    assert ("\x1b[32mdone" in done.stdout) is coloured
