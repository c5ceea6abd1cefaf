"""A machine with systemd as its first process, in namespaces of its own over an overlay of this machine's root."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from mailserver.process import program_of

_BOOT = Path(__file__).with_name("boot.sh")
BOOT_SECONDS = 60.0
_POSTFIX_UNIT = Path("/lib/systemd/system/postfix.service")
STOCK_POSTFIX = (
    "postfix@-.service"
    if _POSTFIX_UNIT.exists() and "ExecStart=/bin/true" in _POSTFIX_UNIT.read_text("utf-8")
    else "postfix.service"
)
"""The unit whose processes a running Postfix of the distribution is: Debian 12 starts an instance of another."""


@lru_cache
def hosts_missing() -> str | None:
    """Why no host can be booted here, or None."""
    if os.geteuid() != 0:
        return "booting a host needs root"
    for program in ("/lib/systemd/systemd", "systemctl", "unshare", "nsenter", "ip"):
        if shutil.which(program) is None:
            return f"booting a host needs {program}: apt install systemd util-linux iproute2"
    tried = subprocess.run(
        [
            "unshare",
            "--pid",
            "--mount",
            "--net",
            "--uts",
            "--ipc",
            "--cgroup",
            "--fork",
            "bash",
            "-c",
            "mount --make-rprivate / && mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/m /mnt/c "
            "&& mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/m "
            "&& mount -t cgroup2 cgroup2 /mnt/c",
        ],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return None if tried.returncode == 0 else f"no namespaces here: {tried.stderr.strip()[:200]}"


class HostFailed(AssertionError):
    """A command on a host failed; the text holds what it said."""


class Host:
    """A booted host. Paths given to its methods are its own."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self._directory = directory
        self._cgroup = f"{name}-{secrets.token_hex(4)}"
        self._unshare: subprocess.Popen[bytes] | None = None
        self.pid = 0
        """Of its systemd, as this machine counts."""

    def boot(self, binds: Mapping[str, str]) -> None:
        """Start it and wait until systemd answers. ``binds``: directories of ours shown read-only, by its path."""
        (self._directory / "binds").write_text("".join(f"{ours} {its}\n" for its, ours in binds.items()))
        log = self._directory / "console"
        with log.open("wb") as out:
            self._unshare = subprocess.Popen(
                ["unshare", "--mount", "bash", str(_BOOT), str(self._directory), self._cgroup],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        limit = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < limit:
            if self._unshare.poll() is not None:
                raise HostFailed(f"{self.name} did not boot: {log.read_text('utf-8', 'replace')[-2000:]}")
            children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children")
            for child in children.read_text().split() if children.exists() else ():
                if program_of(int(child)) != "systemd":
                    continue
                self.pid = int(child)
                state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
                if state in ("running", "degraded"):
                    return
            time.sleep(0.05)
        raise HostFailed(f"{self.name} did not boot: {log.read_text('utf-8', 'replace')[-2000:]}")

    def run(
        self,
        *command: str,
        check: bool = True,
        given: str | None = None,
        timeout: float = 120,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there as root. Raises HostFailed with its output when it fails and ``check``."""
        done = subprocess.run(
            ["nsenter", "--target", str(self.pid), "--all", "--root", "--", *command],
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/root",
                "LANG": "C.UTF-8",
                **(environment or {}),
            },
        )
        if check and done.returncode != 0:
            said = f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
            raise HostFailed(f"on {self.name}: {' '.join(command)}: exit {done.returncode}\n{said}")
        return done

    def path(self, its: str) -> Path:
        """Its file, as this machine can open it."""
        return Path(f"/proc/{self.pid}/root") / its.lstrip("/")

    def journal(self, unit: str | None = None, lines: int = 80) -> str:
        """The end of its journal, for the text of a failed test."""
        words = ["journalctl", "--no-pager", "-q", "-n", str(lines)]
        return self.run(*words, *(["-u", unit] if unit else []), check=False).stdout

    def halt(self) -> None:
        """End every process of it and leave nothing behind."""
        if self._unshare is not None:
            # the first process of a namespace takes the others with it
            if self.pid:
                os.kill(self.pid, signal.SIGKILL)
            else:
                self._unshare.kill()
            self._unshare.wait(30)
            self._unshare = None
        subprocess.run(
            [
                "unshare",
                "--mount",
                "bash",
                "-c",
                "mount --make-rprivate /; mount -t cgroup2 cgroup2 $1 && find $1/$2 -depth -type d -exec rmdir {} +",
                "-",
                str(self._directory / "cgroup"),
                self._cgroup,
            ],
            capture_output=True,
            timeout=30,
        )
        shutil.rmtree(self._directory, ignore_errors=True)


@contextmanager
def booted(name: str, binds: Mapping[str, str] | None = None) -> Iterator[Host]:
    """A host for the time of the block. A changed file of its stays in memory and goes with it."""
    directory = Path(tempfile.mkdtemp(prefix=f"host-{name}-"))
    host = Host(name, directory)
    try:
        host.boot(binds or {})
        yield host
    finally:
        host.halt()
